"""Fit what the copy lane weighs, and count strangers: `python -m benchmarks.fit_copies DATA`.

On works of the training half alone. Writes `attribution/copies/fitted.json`. Every image in
question is compared with its own work, with the works most like it (by perceptual hash and by a
small picture) and with some others by chance, which stand for all the rest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image
from scipy.optimize import minimize

from attribution.copies import verification
from attribution.copies.hashes import Position, hashes
from attribution.copies.sketch import Sketch, draw_question, draw_work
from attribution.copies.verification import Candidate
from attribution.encoders.starter.works import training_works
from attribution.errors import BadImage
from attribution.images import read_image_file
from benchmarks.attacks import attacks

TARGET = Path(__file__).parents[1] / "attribution" / "copies" / "fitted.json"
LIKE, BY_CHANCE = 25, 30
SAME_PICTURE = 4.0  # mean difference of small pictures, of 255, below which two files are one work
ONE_DRAWING = -np.log(1.02 - 0.97)  # as in `verification.evidence`
RATES = 40
TAIL = 10  # last rows of the table that the tail beyond it follows
NOMINAL = 1e-6  # rate of pairs at the limit, by the table alone: see docs/benchmarks.md
SIGNS = (0, 1, 1, 1, 1, -1, 1, 1, 1, 1, 1, -1)  # of the weights of `verification.evidence`


@dataclass(frozen=True)
class Known:
    """One work: its path, what would be kept of it, and a tiny picture."""

    path: Path
    candidate: Candidate
    tiny: np.ndarray


@dataclass(frozen=True)
class Rows:
    """Evidence of one pair: a row for each way to lay the image; how many pairs it stands for."""

    numbers: np.ndarray
    is_copy: bool
    stands_for: float
    name: str


def main() -> None:
    """Fit, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--queries", type=int, default=1_200)
    parser.add_argument("--rows", type=Path, help="Keep, or take, what was compared.")
    chosen = parser.parse_args()
    data = chosen.data
    if chosen.rows and chosen.rows.exists():
        rows, count, queries = pickle.loads(chosen.rows.read_bytes())  # noqa: S301  our own
        fit(rows, count, queries, data)
        return
    with ProcessPoolExecutor(2) as pool:
        known = [one for one in pool.map(know, paths(data), chunksize=16) if one]
        works = distinct(known)
        task = partial(compared, works)
        rows = [row for few in pool.map(task, range(chosen.queries), chunksize=100) for row in few]
    if chosen.rows:
        chosen.rows.write_bytes(pickle.dumps((rows, len(works), chosen.queries)))
    fit(rows, len(works), chosen.queries, data)


def fit(rows: list[Rows], works: int, queries: int, data: Path) -> None:
    """Fit the weights, count the strangers above every score, and write both."""
    rows = [row for row in rows if row.is_copy or not is_one_drawing(row)]
    weights = np.zeros(rows[0].numbers.shape[1])
    weights[[0, 1, 2, 3, 4, 5]] = -8, 1, 0.5, 0.5, 2, -3
    for _ in range(4):
        best = np.array([row.numbers[(row.numbers @ weights).argmax()] for row in rows])
        copies = np.array([row.is_copy for row in rows])
        weights = logistic(best, copies)
    scores = np.array([(row.numbers @ weights).max() for row in rows])
    strangers = ~copies
    order = np.argsort(-scores[strangers])
    counts = np.cumsum(np.array([row.stands_for for row in rows])[strangers][order])
    pairs = queries * (works - 1)
    above = scores[strangers][order]
    keep = np.unique(np.geomspace(3, len(order) - 1, RATES).astype(int))[::-1]
    table = [(round(float(above[i]), 3), float(f"{counts[i] / pairs:.3g}")) for i in keep]
    table = [row for i, row in enumerate(table) if i == 0 or row[0] > table[i - 1][0]]
    manifest = hashlib.sha256((data / "metadata.jsonl").read_bytes()).hexdigest()
    TARGET.write_text(
        json.dumps(
            {
                "version": 1,
                "measured": f"{queries} altered works against {works} works of the training half",
                "manifest": manifest,
                "weights": [round(float(one), 4) for one in weights],
                "least_score": round(score_at(table, NOMINAL), 3),
            },
            indent=1,
        )
        + "\n"
    )
    verification.frozen.cache_clear()
    for rate in (1e-4, 1e-5, 1e-6, 1e-7, 1e-8):
        least = score_at(table, rate)
        print(f"rate {rate:g}: score {least:.2f}, copies found", end=" ")
        print(f"{(scores[copies] >= least).sum() / queries:.3f}")
    for name in sorted({row.name for row in rows}):
        own = np.array([row.name == name and row.is_copy for row in rows])
        print(f"{name:16} {(scores[own] >= score_at(table, NOMINAL)).sum():4} of {own.sum()}")


def score_at(table: Sequence[tuple[float, float]], rate: float) -> float:
    """Return the score that this part of pairs reaches; beyond the table it goes on as it fell."""
    scores, logs = np.array(table).T[0], np.log(np.array(table).T[1])
    few = min(len(scores), TAIL)
    fall = min(float(np.polyfit(scores[-few:], logs[-few:], 1)[0]), -0.1)
    wanted = np.log(rate)
    if wanted <= logs[-1]:
        return float(scores[-1] + (wanted - logs[-1]) / fall)
    return float(np.interp(-wanted, -logs, scores))


def is_one_drawing(row: Rows) -> bool:
    """Tell whether two works show one drawing where they overlap, perhaps in other colours.

    Near-duplicates are one work to the protocols; those in other colours fail the lane's gate.
    """
    colours = row.numbers[:, 2:4].max(1)
    return bool(((row.numbers[:, 4] > ONE_DRAWING) & (colours > ONE_DRAWING)).any())


def paths(data: Path) -> list[Path]:
    """Return the files of the training half."""
    return [work.path for work in training_works(data)]


def know(path: Path) -> Known | None:
    """Read a work and keep what the lane would keep."""
    try:
        image = read_image_file(path)
    except BadImage:
        return None
    sketch = Sketch.from_bytes(draw_work(image.rgb))
    if sketch is None:
        return None
    tiny = np.asarray(image.rgb.resize((16, 16), Image.Resampling.BOX), np.float32)
    return Known(path, Candidate(sketch, image.facts.phash), tiny)


def distinct(known: list[Known]) -> list[Known]:
    """Keep one of the works that are one picture."""
    kept: list[Known] = []
    for one in known:
        if (
            not kept
            or np.abs(np.stack([k.tiny for k in kept]) - one.tiny).mean((1, 2, 3)).min()
            > SAME_PICTURE
        ):
            kept.append(one)
    return kept


def compared(works: list[Known], number: int) -> list[Rows]:
    """Alter one work and compare it with others."""
    random = Random(number)  # noqa: S311  repeatable
    own = random.randrange(len(works))
    image = read_image_file(works[own].path).rgb
    behind = [random.randrange(len(works)) for _ in range(4)]
    ground = [read_image_file(works[one].path).rgb for one in behind]
    table = {"unaltered": lambda image, _: image, **attacks(ground)}
    name = list(table)[number % len(table)]
    altered = table[name](image, random)
    altered.thumbnail((1024, 1024))
    query, positions = draw_question(altered), hashes(altered)
    shown = {own, *behind} if name == "collage" or name.startswith("pasted") else {own}
    chosen = [one for one in likely(works, own, list(positions.values())) if one not in shown]
    pool = [one for one in range(len(works)) if one not in {*shown, *chosen}]
    chance = random.sample(pool, min(BY_CHANCE, len(pool)))
    asked = [own, *chosen, *chance]
    found = []
    numbers = evidence(query, positions, [works[one].candidate for one in asked])
    for one, rows in zip(asked, numbers, strict=True):
        weight = len(pool) / max(len(chance), 1) if one in chance else float(one != own)
        if len(rows):
            found.append(Rows(np.array(rows), one == own, weight, name))
        elif one == own:
            found.append(Rows(np.array([nothing()]), is_copy=True, stands_for=0, name=name))
    return found


def nothing() -> np.ndarray:
    """Return the evidence of a copy that could not be laid on its work."""
    return np.array([1.0, *[0.0] * 4, 1.0, *[0.0] * 5, 3.0])


def likely(works: list[Known], own: int, positions: list[str]) -> list[int]:
    """Return the works most like one, by hash in any position and by tiny picture."""
    kept = np.array([int(work.candidate.phash, 16) for work in works], np.uint64)
    asked = np.array([int(one, 16) for one in positions], np.uint64)
    bits = np.bitwise_count(kept[:, None] ^ asked[None]).min(1)
    tiny = np.abs(np.stack([work.tiny for work in works]) - works[own].tiny).mean((1, 2, 3))
    near = {*np.argsort(bits, kind="stable")[:LIKE], *np.argsort(tiny, kind="stable")[:LIKE]}
    return sorted(int(one) for one in near if one != own)


def evidence(
    query: Sketch, positions: Mapping[Position, str], candidates: Sequence[Candidate]
) -> list[list[np.ndarray]]:
    """Return, for every work, the evidence of each way to lay the image on it."""
    return [
        [verification.evidence(way.likeness, way.alignment.agreeing, way.distance) for way in few]
        for few in verification.ways(query, positions, candidates)
    ]


def logistic(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Fit with a small ridge, both classes weighing the same; no weight against its sign."""
    scale = np.maximum(rows.std(0), 1e-3)
    scaled, signs = rows / scale, np.where(labels, 1.0, -1.0)
    balance = np.where(labels, 0.5 / labels.mean(), 0.5 / (1 - labels.mean())) / len(rows)

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (scaled @ weights)
        slope = scaled.T @ (-balance * signs / (1 + np.exp(np.clip(margin, -30, 30))))
        value = float(balance @ np.logaddexp(0, -margin)) + 1e-4 * float(weights @ weights)
        return value, slope + 2e-4 * weights

    bounds = [{1: (0, None), -1: (None, 0), 0: (None, None)}[sign] for sign in SIGNS]
    found = minimize(loss, np.zeros(rows.shape[1]), jac=True, bounds=bounds, method="L-BFGS-B")
    return np.asarray(found.x) / scale


if __name__ == "__main__":
    main()
