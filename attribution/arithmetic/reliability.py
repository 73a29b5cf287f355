"""How often the probabilities are right, on questions that no calibration was fitted on.

A calibration is fitted on all the works that were asked for, so its own numbers flatter it. Here
the artists are dealt into FOLDS; each fold is answered by a calibration fitted on the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

import numpy as np

from attribution.arithmetic.calibration import Ballots, Calibration
from attribution.arithmetic.fitting import Asked, fit

FOLDS = 5
BINS = 10  # of equal width


@dataclass(frozen=True)
class Bin:
    """The questions whose first artist was given a probability within these bounds."""

    lowest: float
    highest: float
    questions: int
    predicted: float  # mean probability
    right: float  # part of the questions whose first artist was the right one
    right_from: float  # Wilson's interval of `right`, 95 %
    right_to: float


@dataclass(frozen=True)
class Reliability:
    """A reliability curve; without questions where too little is registered to hold any back."""

    questions: int
    error: float | None  # expected calibration error; None without questions
    bins: tuple[Bin, ...]  # ascending; those without questions are left out

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Reliability:
        """Return what `as_json` gave."""
        bins = tuple(Bin(**one) for one in kept["bins"])
        return cls(kept["questions"], kept["error"], bins)


NOT_MEASURED = Reliability(0, None, ())


def held_out(asked: Sequence[Asked], voters: Sequence[str], spaces: Sequence[str]) -> Reliability:
    """Return how often the artist named first is the right one, by the probability they are given.

    Every work that can be asked for in both ways is: with it hidden, and with its artist hidden,
    where nobody is right; half of the questions are so, as probabilities assume. Works of one
    artist are answered together, by a calibration that has seen none of them.
    """
    answers: list[tuple[float, bool]] = []
    for fold in _folds(asked):
        made = fit([one for one in asked if one.artist not in fold], voters, spaces)
        if made is None:
            return NOT_MEASURED
        answers += _answers(made, [one for one in asked if one.artist in fold])
    return _curve(answers) if answers else NOT_MEASURED


def _folds(asked: Sequence[Asked]) -> list[set[UUID]]:
    """Deal the artists, those with the most works first, so that the folds are about as large."""
    works = Counter(one.artist for one in asked)
    artists = sorted(works, key=lambda artist: (-works[artist], artist))
    return [set(artists[number::FOLDS]) for number in range(FOLDS)]


def _answers(made: Calibration, asked: Sequence[Asked]) -> Iterator[tuple[float, bool]]:
    """Yield the probability of whoever is named first, and whether that is right."""
    questions: list[tuple[Ballots, UUID | None]] = []
    for one in asked:
        if one.known is not None:
            questions += [(one.known, one.artist), (one.stranger, None)]
    for ballots, artist in questions:
        chances = made.odds(ballots).artists
        if chances:
            first = max(chances, key=lambda artist: chances[artist])
            yield chances[first], first == artist


def _curve(answers: Sequence[tuple[float, bool]]) -> Reliability:
    """Count answers by bins: Σ (n_b / n) |right_b - predicted_b| is the error (Guo et al. 2017)."""
    from scipy.stats import binomtest  # half a second

    predicted, right = np.array(answers).T
    places = np.minimum((predicted * BINS).astype(int), BINS - 1)
    bins = []
    for place in np.unique(places).tolist():
        mine = places == place
        hits, questions = int(right[mine].sum()), int(mine.sum())
        wilson = binomtest(hits, questions).proportion_ci(method="wilson")
        bins.append(
            Bin(
                lowest=place / BINS,
                highest=(place + 1) / BINS,
                questions=questions,
                predicted=float(predicted[mine].mean()),
                right=hits / questions,
                right_from=float(wilson.low),
                right_to=float(wilson.high),
            )
        )
    error = sum(abs(one.right - one.predicted) * one.questions for one in bins) / len(answers)
    return Reliability(len(answers), error, tuple(bins))
