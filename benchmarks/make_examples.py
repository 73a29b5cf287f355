"""Choose the bundled examples from Open Clip Art: `python benchmarks/make_examples.py DATA`.

Only artists of the evaluation half, which no bundled model has seen. The choice is by seed among
eligible works, never by what the program says of them. Eligible: sides of 64 pixels or more, no
perceptual hash within 6 bits of a work that was chosen before (of any artist), no flag
(several hands copied the same norm), and no artist whose name holds an e-mail address.
The known artists asked for are those with the most works in the source.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance

from attribution.images import hamming, read_image_file
from attribution.laboratory.starter.works import partition

SEED = 20261124
ARTISTS, WORKS, KNOWN = 20, 10, 3
FEWEST = 6  # works of a registered artist, the queries not counted
MAX_WORK_BYTES = 24_000
NORM = "flag"
SAME_PERSON = {"jonadab", "jonadab-the-unsightly-one"}  # other names of nathan-eady
EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def main(data: Path) -> None:
    """Write examples/portfolio and examples/queries anew."""
    rng = random.Random(SEED)  # noqa: S311  a choice, not a secret
    rows = [json.loads(line) for line in (data / "metadata.jsonl").read_text("utf-8").splitlines()]
    by_artist = defaultdict(list)
    for row in rows:
        by_artist[row["file_name"].split("/")[0]].append(row)
    evaluation = set(partition()["evaluation"]) - SAME_PERSON
    hashes: list[str] = []
    chosen = {}
    for artist in sorted(evaluation & by_artist.keys(), key=lambda a: (-len(by_artist[a]), a)):
        works = by_artist[artist]
        rng.shuffle(works)
        chosen[artist] = [row for row in works if _eligible(data, row, hashes)]
    able = [artist for artist, works in chosen.items() if len(works) > FEWEST]
    registered = able[:ARTISTS]
    unknown = rng.choice([a for a, works in chosen.items() if a not in able and len(works) >= 2])
    known = registered[:KNOWN]
    portfolio = [row for a in registered for row in chosen[a][:WORKS]]
    asked = [chosen[artist][-1] for artist in known]
    portfolio = [row for row in portfolio if row not in asked]
    altered = rng.choice(portfolio)
    _write_portfolio(data, portfolio)
    _write_queries(data, known=asked, altered=altered, unknown=chosen[unknown][0])


def _eligible(data: Path, row: dict[str, Any], hashes: list[str]) -> bool:
    path = data / row["file_name"]
    if "@" in row["artist"] or NORM in row["source"]:
        return False
    image = read_image_file(path)
    phash = image.facts.phash
    if path.stat().st_size > MAX_WORK_BYTES or min(image.rgb.size) < 64:
        return False
    if any(hamming(phash, other) <= 6 for other in hashes):
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
    data: Path, *, known: list[dict[str, str]], altered: dict[str, str], unknown: dict[str, str]
) -> None:
    folder = EXAMPLES / "queries"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for number, row in enumerate(known, 1):
        shutil.copyfile(data / row["file_name"], folder / f"known-artist-{number}.png")
    shutil.copyfile(data / unknown["file_name"], folder / "unknown-artist.png")
    _alter(data / altered["file_name"], folder / "altered-copy.jpg")
    queries = [
        *(
            {
                "file": f"known-artist-{number}.png",
                "artist": row["artist"],
                "truth": f"“{row['title']}” by {row['artist']}, a registered artist; "
                f"this work is not in the index",
            }
            for number, row in enumerate(known, 1)
        ),
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
