"""An image against candidate works: geometry first, then photometry, then one score.

The score is the log-odds of a logistic model of what the comparison found, fitted on works of the
training half of the artists (`benchmarks/fit_copies.py`) and frozen in `fitted.json`. Nothing in it
is a picture or comes from the works that are searched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from attribution.copies.geometry import Alignment, align
from attribution.copies.hashes import Position
from attribution.copies.photometry import Likeness, compare, refine
from attribution.copies.sketch import Sketch
from attribution.images import hamming

SAME_COLOURS = 0.9  # of every channel: the same drawing in other colours is another work
PROMISING, PRECISE = 0.4, 0.97  # correlation of colours, of strokes
SAME_FRAME_BITS = 14  # hashes this near: the whole image may lie on the whole work


@dataclass(frozen=True)
class Candidate:
    """A work that an image may be a copy of."""

    sketch: Sketch
    phash: str


@dataclass(frozen=True)
class Match:
    """The best way in which an image lies on a work, and how much speaks for it."""

    alignment: Alignment  # of the image, mirrored first where `is_mirrored`
    likeness: Likeness
    is_mirrored: bool
    is_whole: bool  # the whole image on the whole work, as the perceptual hashes propose
    distance: int  # of the perceptual hashes in the position where they are nearest
    score: float  # log-odds


def verify(
    query: Sketch, hashes: Mapping[Position, str], works: Sequence[Candidate]
) -> list[Match | None]:
    """Compare an image with every candidate; None for one that cannot be laid on it."""
    return [
        max(found, key=lambda match: match.score, default=None)
        for found in ways(query, hashes, works)
    ]


def ways(
    query: Sketch, hashes: Mapping[Position, str], works: Sequence[Candidate]
) -> Iterator[list[Match]]:
    """Yield, for every candidate, all ways to lay the image on it."""
    mirrored = query.mirrored()
    for work in works:
        distances = {position: hamming(phash, work.phash) for position, phash in hashes.items()}
        nearest = min(distances, key=lambda position: distances[position])
        distance, found = distances[nearest], list[Match]()
        for is_mirrored, sketch in ((False, query), (True, mirrored)):
            proposals = [(one, False) for one in align(sketch, work.sketch)]
            if distance <= SAME_FRAME_BITS and nearest.is_mirrored == is_mirrored:
                agreeing = max((one.agreeing for one, _ in proposals), default=0)
                whole = nearest.matrix(sketch.size, work.sketch.size)
                proposals.append((Alignment(whole, agreeing), True))
            for alignment, is_whole in proposals:
                for exact, like in _likenesses(sketch, work.sketch, alignment):
                    score = float(evidence(like, exact.agreeing, distance) @ weights())
                    found.append(Match(exact, like, is_mirrored, is_whole, distance, score))
        yield found


def _likenesses(
    query: Sketch, work: Sketch, alignment: Alignment
) -> Iterator[tuple[Alignment, Likeness]]:
    """Yield the alignment with its likeness, and where it is promising the refined one with its."""
    like = compare(query, work, alignment)
    if like is None:
        return
    if like.channels > SAME_COLOURS:
        yield alignment, like
    if like.colours > PROMISING and like.strokes < PRECISE:
        refined = refine(query, work, alignment)
        closer = compare(query, work, refined) if refined else None
        if refined and closer and closer.channels > SAME_COLOURS:
            yield refined, closer


def evidence(like: Likeness, agreeing: int, distance: int) -> npt.NDArray[np.float64]:
    """Return the numbers that the score weighs, the constant first."""
    colours, mapped, strokes = (
        -np.log(1.02 - min(1.0, max(0.0, value)))
        for value in (like.colours, like.mapped, like.strokes)
    )
    return np.array(
        [
            1.0,
            np.log1p(min(agreeing, 80)),
            colours,
            mapped,
            strokes,
            like.strangers,
            like.detail,
            like.shades,
            np.log(like.pixels / 1000),
            mapped * like.shades,
            strokes * like.detail,
            min(distance, 24) / 8,
        ]
    )


def weights() -> npt.NDArray[np.float64]:
    """Return the frozen weights of `evidence`."""
    return np.array(frozen()["weights"])


def least_score() -> float:
    """Return the frozen score from which on a match is a copy. No error rate is claimed for it."""
    return float(frozen()["least_score"])


@cache
def frozen() -> Mapping[str, Any]:
    """Return what was fitted: `weights`, and `least_score` of a copy."""
    text = (files("attribution.copies") / "fitted.json").read_text(encoding="utf-8")
    fitted: Mapping[str, Any] = json.loads(text)
    return fitted
