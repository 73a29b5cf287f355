"""Choose the bundled examples from the Open Clip Art set: `python benchmarks/make_examples.py DATA`.

Only artists of the evaluation half, which no bundled model has seen. The choice is by seed among
eligible works, never by what the program says of them. Eligible: both sides of 64 pixels or more,
and no perceptual hash within 10 bits of a work that was chosen before (of any artist).
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import defaultdict
from pathlib import Path

from PIL import Image, ImageEnhance

from attribution.encoders.starter.works import partition
from attribution.images import hamming, read_image_file

SEED = 20261124
ARTISTS, WORKS = 20, 10
FEWEST = 8  # works of a registered artist, the queries not counted
MAX_WORK_BYTES = 24_000
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main(data: Path) -> None:
    """Write examples/portfolio and examples/queries anew."""
    rng = random.Random(SEED)
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text("utf-8").splitlines()]
    by_artist = defaultdict(list)
    for row in rows:
        by_artist[row["file_name"].split("/")[0]].append(row)
    evaluation = set(partition()["evaluation"])
    hashes: list[str] = []
    chosen = {}
    for artist in sorted(evaluation & by_artist.keys(), key=lambda a: (-len(by_artist[a]), a)):
        works = by_artist[artist]
        rng.shuffle(works)
        chosen[artist] = [row for row in works if _eligible(data / row["file_name"], hashes)]
    able = [artist for artist, works in chosen.items() if len(works) > FEWEST]
    registered = able[:ARTISTS]
    unknown = rng.choice([a for a, works in chosen.items() if a not in able and len(works) >= 2])
    known = rng.choice(registered)
    portfolio = [row for a in registered for row in chosen[a][:WORKS]]
    if len(chosen[known]) <= WORKS:  # its last work becomes the query
        portfolio.remove(chosen[known][-1])
    altered = rng.choice(portfolio)
    _write_portfolio(data, portfolio)
    _write_queries(data, known=chosen[known][-1], altered=altered, unknown=chosen[unknown][0])


def _eligible(path: Path, hashes: list[str]) -> bool:
    image = read_image_file(path)
    phash = image.facts.phash
    if path.stat().st_size > MAX_WORK_BYTES or min(image.rgb.size) < 64:
        return False
    if any(hamming(phash, other) <= 10 for other in hashes):
        return False
    hashes.append(phash)
    return True


def _write_portfolio(data: Path, rows: list[dict[str, object]]) -> None:
    folder = EXAMPLES / "portfolio"
    shutil.rmtree(folder, ignore_errors=True)
    for row in rows:
        target = folder / str(row["file_name"])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(data / str(row["file_name"]), target)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")


def _write_queries(
    data: Path, *, known: dict[str, str], altered: dict[str, str], unknown: dict[str, str]
) -> None:
    folder = EXAMPLES / "queries"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copyfile(data / known["file_name"], folder / "known-artist.png")
    shutil.copyfile(data / unknown["file_name"], folder / "unknown-artist.png")
    _alter(data / altered["file_name"], folder / "altered-copy.jpg")
    queries = [
        {
            "file": "known-artist.png",
            "artist": known["artist"],
            "truth": f"“{known['title']}” by {known['artist']}, a registered artist; "
            f"this work is not in the index",
        },
        {
            "file": "altered-copy.jpg",
            "artist": altered["artist"],
            "truth": f"“{altered['title']}” by {altered['artist']}, which is in the index; "
            f"here at three quarters of its size, brighter, as a JPEG of quality 60",
        },
        {
            "file": "unknown-artist.png",
            "artist": None,
            "truth": f"“{unknown['title']}” by {unknown['artist']}, who is not registered",
        },
    ]
    text = json.dumps(queries, indent=1, ensure_ascii=False)
    (folder / "queries.json").write_text(text + "\n", encoding="utf-8")


def _alter(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        rgb = image.convert("RGB")
    small = rgb.resize((max(rgb.width * 3 // 4, 1), max(rgb.height * 3 // 4, 1)))
    ImageEnhance.Brightness(small).enhance(1.1).save(target, "JPEG", quality=60)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
