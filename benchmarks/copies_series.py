"""Works of one series: how many are called copies of another work, with a contact sheet to look at.

`python -m benchmarks.copies_series DATA SHEET.png`. All works of the evaluation half,
near-duplicates included; each is asked for while it is absent, against the works most like it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from attribution.copies.hashes import hashes
from attribution.copies.sketch import draw_question
from attribution.copies.verification import least_score, verify
from attribution.encoders.starter.works import partition, read_works
from attribution.errors import BadImage
from attribution.images import hamming, read_image_file
from benchmarks.fit_copies import Known, know, likely

BEFORE_BITS = 6
PROCESSES = 3
TILE = 150
ACROSS, DOWN = 5, 8


def main() -> None:
    """Count, and draw pairs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--first", type=int, help="Take only so many works, in their order.")
    parser.add_argument("--every", type=int, default=1, help="Ask for every n-th work only.")
    chosen = parser.parse_args()
    paths = [work.path for work in read_works(chosen.data, partition()["evaluation"])][
        : chosen.first
    ]
    with ProcessPoolExecutor(PROCESSES) as pool:
        works = unlike([one for one in pool.map(known, paths, chunksize=16) if one])
        asked = range(0, len(works), chosen.every)
        chunk = -(-len(asked) // PROCESSES)
        answers = list(pool.map(partial(asked_for, works), asked, chunksize=chunk))
    before = sum(one[0] for one in answers)
    pairs = [(at, *one[1]) for at, one in zip(asked, answers, strict=True) if one[1]]
    print(f"{len(asked)} of {len(works)} works, bytes and pixels all different")
    both = sum(one[0] or one[1] is not None for one in answers)
    print(f"called a copy of another work: before {before}, now {len(pairs)}, by either {both}")
    draw(works, pairs).save(chosen.sheet)
    for at, other, score, difference in pairs:
        names = [f"{works[one].path.parent.name}/{works[one].path.name}" for one in (at, other)]
        print(f"{score:.1f} {difference:.1f}", *names)


def known(path: Path) -> Known | None:
    """Read a work, if it can be read."""
    try:
        return know(path)
    except BadImage:
        return None


def unlike(works: Sequence[Known]) -> list[Known]:
    """Keep the works of different pixels."""
    found: dict[str, Known] = {}
    for work in works:
        found.setdefault(read_image_file(work.path).facts.pixel_sha256, work)
    return list(found.values())


def asked_for(works: Sequence[Known], number: int) -> tuple[bool, tuple[int, float, float] | None]:
    """Tell whether the hash alone would call a work a copy; and which one the lane names."""
    image = read_image_file(works[number].path)
    positions = hashes(image.rgb)
    near = likely(list(works), number, list(positions.values()))
    phash = image.facts.phash
    before = any(hamming(phash, works[one].candidate.phash) <= BEFORE_BITS for one in near)
    matches = verify(draw_question(image.rgb), positions, [works[one].candidate for one in near])
    scored = [(match.score, one) for one, match in zip(near, matches, strict=True) if match]
    score, best = max(scored, default=(-np.inf, 0))
    if not scored or score < least_score():
        return before, None
    difference = float(np.abs(works[number].tiny - works[best].tiny).mean())
    return before, (best, float(score), difference)


def draw(works: Sequence[Known], pairs: Sequence[tuple[int, int, float, float]]) -> Image.Image:
    """Draw pairs side by side, evenly chosen."""
    chosen = pairs[:: max(1, -(-len(pairs) // (ACROSS * DOWN)))]
    sheet = Image.new("RGB", (ACROSS * (2 * TILE + 20), DOWN * (TILE + 20)), "#ddd")
    pen = ImageDraw.Draw(sheet)
    for place, (one, other, score, difference) in enumerate(chosen[: ACROSS * DOWN]):
        x, y = place % ACROSS * (2 * TILE + 20), place // ACROSS * (TILE + 20)
        pen.text((x + 4, y + TILE + 4), f"{place + 1}: {score:.1f}, {difference:.1f}", "black")
        for side, work in enumerate((one, other)):
            small = read_image_file(works[work].path).rgb
            small.thumbnail((TILE - 4, TILE - 4))
            sheet.paste(small, (x + side * TILE + 2, y + 2))
    return sheet


if __name__ == "__main__":
    main()
