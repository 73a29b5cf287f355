"""The copy lane end to end on unseen artists: `python -m benchmarks.copies DATA [--each 50]`.

Works of the evaluation half, one of every group of near-duplicates, those without any stroke left
out. Half of them are ingested. Asked are altered ones of these, every attack as often, and works of
the other half, which have no match. Pictures that others are pasted into come from the other half.
"""

from __future__ import annotations

import argparse
import math
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from attribution import voting
from attribution.catalog import queries
from attribution.catalog.models import artwork_id
from attribution.config import Settings
from attribution.copies.finder import CopyFinder, FoundCopy
from attribution.copies.verification import least_score
from attribution.encoders.starter.works import partition, read_works
from attribution.errors import BadImage
from attribution.images import CheckedImage, hamming, read_image_file
from attribution.services import Services, open_services
from attribution.types import Probe
from benchmarks.attacks import attacks
from ingest.jobs import job_queue
from ingest.listing import plan
from ingest.sources import read_source

SAME_BITS = 6
LEAST_SPREAD = 4.0  # standard deviation of the brightness, of 255: below it there is nothing to see


@dataclass(frozen=True)
class Asked:
    """One lookup: what was done, what came out."""

    attack: str
    right: bool  # the first answer is the work
    score: float  # of the first answer; -inf without one
    wrong: tuple[float, ...]  # scores of answers that are other works
    hash_right: bool  # what a limit of 6 bits among the nearest works would have answered
    hash_wrong: bool
    seconds: float  # of processor time, without encoding the image itself


def main() -> None:
    """Print one row an attack, then all of them, strangers, and times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--each", type=int, default=50, help="Works for every attack.")
    parser.add_argument("--home", type=Path, help="Keep, or take, the collection here.")
    parser.add_argument("--works", type=int, help="Works to ingest; default: half of all.")
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args()
    paths = distinct(chosen.data)
    Random(1).shuffle(paths)  # noqa: S311  repeatable
    half = len(paths) // 2
    indexed, others = paths[:half][: chosen.works], paths[half:]
    names = list(attacks())
    tasks = [(name, number) for number in range(chosen.each) for name in names]
    tasks += [("none of ours", number) for number in range(min(len(others), 3 * chosen.each))]
    with tempfile.TemporaryDirectory() as folder:
        home = chosen.home or Path(folder) / "home"
        if not home.exists():
            seconds = fill(home, indexed, Path(folder) / "works")
            print(f"ingested in {seconds:.0f} s", flush=True)
        print(f"{len(indexed)} works indexed; {len(tasks)} lookups", flush=True)
        homes = [Path(folder) / f"home-{one}" for one in range(chosen.processes)]
        for copy in homes:
            shutil.copytree(home, copy)
        shares = [tasks[one :: chosen.processes] for one in range(chosen.processes)]
        with ProcessPoolExecutor(chosen.processes) as pool:
            parts = pool.map(partial(ask_all, indexed, others), homes, shares)
            report([one for part in parts for one in part], len(indexed))


def distinct(data: Path) -> list[Path]:
    """Return the works that show something, one of each group of near-duplicates."""
    kept: dict[str, Path] = {}
    for work in read_works(data, partition()["evaluation"]):
        try:
            image = read_image_file(work.path)
        except BadImage:
            continue
        phash = image.facts.phash
        if np.asarray(image.rgb.convert("L")).std() < LEAST_SPREAD:
            continue
        if all(hamming(phash, other) > SAME_BITS for other in kept):
            kept[phash] = work.path
    return list(kept.values())


def fill(home: Path, works: Sequence[Path], folder: Path) -> float:
    """Ingest works; returns the seconds it took."""
    for path in works:
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    with open_services(Settings(home=home, profile="starter")) as services:
        started = time.monotonic()
        job = plan(services, "works", read_source(folder), staged=False)
        with job_queue(services) as queue:
            queue.submit(job)
            while True:
                with services.sessions() as session:
                    if queries.job_by_id(session, job).status not in {
                        "listing",
                        "queued",
                        "running",
                    }:
                        return time.monotonic() - started
                time.sleep(0.2)


def ask_all(
    indexed: Sequence[Path],
    others: Sequence[Path],
    home: Path,
    tasks: Sequence[tuple[str, int]],
) -> list[Asked]:
    """Do lookups in one process."""
    with open_services(Settings(home=home, profile="starter")) as services:
        return [ask(services, indexed, others, *task) for task in tasks]


def ask(
    services: Services, indexed: Sequence[Path], others: Sequence[Path], attack: str, number: int
) -> Asked:
    """Alter one work, or take one of the other half, and look for it."""
    random = Random(f"{attack} {number}")  # noqa: S311  repeatable
    if attack == "none of ours":
        image, own = read_image_file(others[number]), None
    else:
        path = indexed[random.randrange(len(indexed))]
        work = read_image_file(path)
        behind = [read_image_file(random.choice(others)).rgb for _ in range(4)]
        image = altered(attacks(behind)[attack](work.rgb, random))
        own = artwork_id(work.facts.sha256)
    vectors = {
        name: rows[0]
        for encoder in services.encoders
        for name, rows in encoder.encode([image.rgb]).items()
    }
    started = time.process_time()
    near = services.index.neighbours(Probe(vectors), limit=voting.NEAREST)
    finder = CopyFinder(services.sessions, services.encoders, services.index)
    found = finder.ranked(image, near)
    seconds = time.process_time() - started
    with services.sessions() as session:
        rows = queries.artworks_by_id(session, {hit.id for hits in near.values() for hit in hits})
    nearest = min(
        ((hamming(image.facts.phash, row.phash), row.id) for row in rows.values()), default=None
    )
    called = nearest[1] if nearest and nearest[0] <= SAME_BITS else None
    return Asked(
        attack,
        right=bool(found) and found[0].work == own,
        score=_score(found[0]) if found else -math.inf,
        wrong=tuple(_score(one) for one in found if one.work != own),
        hash_right=called is not None and called == own,
        hash_wrong=called is not None and called != own,
        seconds=seconds,
    )


def _score(found: FoundCopy) -> float:
    return math.inf if found.score is None else found.score


def altered(image: Image.Image) -> CheckedImage:
    """Save an altered picture without loss and read it as any other."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        image.save(file, "PNG")
        file.flush()
        return read_image_file(Path(file.name))


def report(asked: Sequence[Asked], works: int) -> None:
    """Print what was measured."""
    limit = least_score()
    by_attack: dict[str, list[Asked]] = defaultdict(list)
    for one in asked:
        by_attack[one.attack].append(one)
    strangers = by_attack.pop("none of ours", [])
    print("| attack | recall@1 | before | without a limit |\n|---|---|---|---|")
    pooled = []
    for name, rows in by_attack.items():
        found = np.mean([one.right and one.score >= limit for one in rows])
        pooled.append(float(found))
        before = np.mean([one.hash_right for one in rows])
        print(f"| {name} | {found:.3f} | {before:.3f} | {np.mean([r.right for r in rows]):.3f} |")
    copies = [one for rows in by_attack.values() for one in rows]
    print(f"pooled {np.mean(pooled):.3f}, worst {min(pooled):.3f}")
    print(f"before: pooled {np.mean([one.hash_right for one in copies]):.3f}")
    pairs = len(copies) * (works - 1) + len(strangers) * works
    for least in (limit - 1, limit, limit + 1):
        wrong = sum(sum(one >= least for one in row.wrong) for row in asked)
        right = np.mean([one.right and one.score >= least for one in copies])
        print(f"score {least:.2f}: recall {right:.3f}, {wrong} of {pairs} pairs", end=" ")
        print(f"({wrong / pairs:.1e})")
    print(f"strangers called copies: {sum(one.score >= limit for one in strangers)}", end=" ")
    print(f"before {sum(one.hash_wrong for one in strangers)} of {len(strangers)}")
    print(f"wrong work named, before: {sum(one.hash_wrong for one in copies)} of {len(copies)}")
    print(f"µAP {average_precision(asked):.3f}, without a limit")
    times = np.array([one.seconds for one in asked])
    print(f"processor time: p50 {np.median(times):.2f} s, p95 {np.quantile(times, 0.95):.2f} s")


def average_precision(asked: Sequence[Asked]) -> float:
    """Pool the answers of all lookups, those of strangers too: area under precision and recall."""
    pool = [(-one.score, True) for one in asked if one.right]
    pool += [(-score, False) for one in asked for score in one.wrong[:10]]
    ordered = np.array([right for _, right in sorted(pool)], float)  # ties: the wrong one first
    wanted = sum(one.attack != "none of ours" for one in asked)
    precision = ordered.cumsum() / np.arange(1, len(ordered) + 1)
    return float((precision * ordered).sum() / wanted)


if __name__ == "__main__":
    main()
