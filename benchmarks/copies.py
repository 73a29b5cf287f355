"""The copy lane on unseen artists: `python -m benchmarks.copies DATA [--sheet PAIRS.png]`.

First what is called a copy and is none: half of the lineages of the evaluation half are registered,
works of the others are asked for as they are. Then the attacks, as `lawful evaluate` does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from attribution.answers import CopyKind
from attribution.config import Settings
from attribution.copies.observed import Observed
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.images import read_image_file
from attribution.laboratory.copies import Copies, choose, measure
from attribution.laboratory.lane import CatalogueLane, open_lane
from attribution.laboratory.works import Ints, Labelled, Works, embed
from ingest.lessons import read_starter_works

TILE = 130
ACROSS = 6


@dataclass(frozen=True)
class Absent:
    """One work that is not registered, and what was found in its place."""

    row: int
    found: int | None  # row of the work that was named
    kind: CopyKind | None
    seconds: float  # of processor time, beside encoding the image


def main() -> None:
    """Print false findings, then recall by attack."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--asked", type=int, default=400, help="Works asked for while absent.")
    parser.add_argument("--originals", type=int, default=40, help="Works for every attack.")
    parser.add_argument("--sheet", type=Path, help="Draw what was called a copy, to be looked at.")
    chosen = parser.parse_args()
    encoders = load_encoders(Settings())
    works = read(chosen.data, encoders)
    registered, asked = halves(works, chosen.asked)
    with open_lane(works, registered, encoders, progress) as lane:
        answers = ask_absent(works, lane, asked)
    print_absent(works, answers, len(registered))
    if chosen.sheet:
        draw(works, answers).save(chosen.sheet)
    registry = choose(works, 0, chosen.originals)
    with open_lane(works, registry.registered, encoders, progress) as lane:
        print_attacks(measure(works, registry, lane, 0, progress))


def read(data: Path, encoders: EncoderSet) -> Works:
    """Read and encode the works of the artists that nothing was tuned on."""
    works, _ = read_starter_works(data, "evaluation")
    items = [Labelled(work.path, work.artist) for work in works]
    return embed(items, encoders, progress)


def halves(works: Works, asked: int) -> tuple[Ints, Ints]:
    """Register half of the lineages; return their works, and some of the others."""
    rng = np.random.default_rng(1)
    groups = rng.permutation(np.unique(works.group))
    is_in = np.isin(works.group, groups[: len(groups) // 2])
    return np.flatnonzero(is_in), np.sort(rng.permutation(np.flatnonzero(~is_in))[:asked])


def ask_absent(works: Works, lane: CatalogueLane, asked: Ints) -> list[Absent]:
    """Ask for works of which no lineage is registered."""
    answers = []
    for number, row in enumerate(asked.tolist(), 1):
        image = read_image_file(works.paths[row])
        vectors = {space: rows[row] for space, rows in works.vectors.items()}
        started = time.process_time()
        found = lane.find_encoded(image, vectors)
        seconds = time.process_time() - started
        answers.append(
            Absent(row, lane.row(found), found.kind, seconds)
            if found
            else Absent(row, None, None, seconds)
        )
        progress("absent works", number, len(asked))
    return answers


def print_absent(works: Works, answers: Sequence[Absent], registered: int) -> None:
    """Print how many absent works were called copies of another, by kind and by whom."""
    pairs = len(answers) * registered
    for kind in CopyKind:
        found = [one for one in answers if one.kind is kind and one.found is not None]
        same = sum(works.artist[one.row] == works.artist[one.found] for one in found)
        rate = Observed(pairs, len(found))
        print(
            f"{kind.value}: {len(found)} of {len(answers)} works, {same} of the same artist, "
            f"{len(found) - same} of others; pairs {rate.rate:.1e}, at most {rate.upper:.1e}"
        )
    for one in answers:
        if one.found is not None and one.kind:
            print(one.kind.value, *(_name(works.paths[row]) for row in (one.row, one.found)))
    seconds = [one.seconds for one in answers]
    print(f"processor time: p50 {np.median(seconds):.2f} s, p95 {np.quantile(seconds, 0.95):.2f} s")


def print_attacks(found: Copies) -> None:
    """Print recall by attack and over all."""
    print("| attack | recall@1 | called copy | first |\n|---|---|---|---|")
    for name, recall in found.attacks.items():
        copies, first = found.called_copies[name], found.ranked_first[name]
        print(f"| {name} | {recall:.3f} | {copies:.3f} | {first:.3f} |")
    print(
        f"pooled recall@1 {found.pooled_recall1:.3f}, first {found.pooled_ranked_first:.3f}, "
        f"µAP {found.micro_ap:.3f}, recall at 90 % precision {found.recall_at_p90:.3f}"
    )
    print(
        f"wrong claims {found.pair_fpr:.1e} of pairs, {found.distractors_claimed:.3f} of "
        f"{found.distractors} distractors, {found.originals} originals, "
        f"{found.registered} registered; recall at pair rates {dict(found.recall_at_pair_fpr)}"
    )


def draw(works: Works, answers: Sequence[Absent]) -> Image.Image:
    """Draw every absent work beside what it was called a copy of."""
    pairs = [(one.row, one.found, one.kind) for one in answers if one.found is not None]
    down = -(-max(len(pairs), 1) // ACROSS)
    sheet = Image.new("RGB", (ACROSS * (2 * TILE + 14), down * (TILE + 20)), "#bbb")
    pen = ImageDraw.Draw(sheet)
    for place, (row, found, kind) in enumerate(pairs):
        x, y = place % ACROSS * (2 * TILE + 14), place // ACROSS * (TILE + 20)
        for side, one in enumerate((row, found)):
            picture = ImageOps.contain(read_image_file(works.paths[one]).rgb, (TILE, TILE))
            sheet.paste(picture, (x + side * (TILE + 2), y))
        by = "" if works.artist[row] == works.artist[found] else ", another artist"
        pen.text((x + 2, y + TILE + 2), f"{place + 1}: {kind}{by}", "black")
    return sheet


def progress(what: str, done: int, steps: int) -> None:
    """Print a line now and then."""
    if done == steps or done % 100 == 0:
        print(f"{what}: {done} of {steps}", flush=True)


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


if __name__ == "__main__":
    main()
