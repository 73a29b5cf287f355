"""Spaces of any spread: a·cos + b in place of cos changes no share, no ranking and no verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from uuid import UUID

import numpy as np
import pytest

from attribution.answers import Verdict
from attribution.arithmetic import fitting
from attribution.arithmetic.calibration import Ballots, Calibration, Odds, Signs, judge
from attribution.arithmetic.spaces import fit_weights
from attribution.laboratory.asking import Asker, artist_id
from attribution.laboratory.works import Indexed
from attribution.types import Matrix, Vector
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import ask_absent
from attribution.voters.voter import Question, Voter

ARTISTS, WORKS, DIM = 12, 8, 12
REGISTERED = 8  # artists; the others are strangers
SPACES = ("content", "noise", "style")
SEEN = 2  # works of each artist that are asked about


@dataclass(frozen=True)
class Spread:
    """What becomes of the cosines of one space."""

    space: str
    slope: float
    offset: float


WIDE = Spread("content", 1.0, 0.0)  # from -0.2 to 1
SPREADS = {
    "narrow, 0.6 to 0.75": Spread("content", 0.125, 0.625),
    "as CLIP, 0.4 to 0.9": Spread("content", 5 / 12, 29 / 60),
    "very narrow": Spread("content", 0.05, 0.9),
    "noise alone is narrow": Spread("noise", 0.05, 0.9),
}


def drawn(names: np.ndarray, seed: int) -> dict[str, Matrix]:
    """Make vectors: works of one artist are alike, in `noise` by chance alone; one number is 0."""
    rng, vectors = np.random.default_rng(seed), {}
    for number, space in enumerate(SPACES):
        hands = np.random.default_rng(number).normal(size=(ARTISTS, DIM))
        around = 0.0 if space == "noise" else 1.0
        rows = 0.4 + around * hands[names] + rng.normal(size=(len(names), DIM))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        vectors[space] = np.pad(rows, ((0, 0), (0, 1))).astype(np.float32)
    return vectors


def stretched(vectors: dict[str, Matrix], spread: Spread) -> dict[str, Matrix]:
    """Move one space's vectors to a common direction: cosines become a·cos + 1 - a."""
    rows = vectors[spread.space] * np.sqrt(spread.slope)
    rows[:, -1] = np.sqrt(1 - spread.slope)
    return vectors | {spread.space: rows.astype(np.float32)}


def one_stretched(vectors: Mapping[str, Vector], spread: Spread) -> dict[str, Vector]:
    """Do the same with the vectors of one image."""
    rows = stretched({space: vector[None] for space, vector in vectors.items()}, spread)
    return {space: matrix[0] for space, matrix in rows.items()}


def seen_as(question: Question, spread: Spread) -> Question:
    """Give the nearest works the cosines of the spread."""
    hits = [
        replace(hit, score=spread.slope * hit.score + spread.offset)
        for hit in question.neighbours[spread.space]
    ]
    neighbours = {**question.neighbours, spread.space: hits}
    vectors = one_stretched(question.vectors, spread)
    return replace(question, neighbours=neighbours, vectors=vectors)


@dataclass(frozen=True)
class Answered:
    """What is said of every image that was asked about."""

    made: Calibration
    shares: list[dict[str, dict[UUID, float]]]  # by voter
    odds: list[Odds]

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts."""
        return [judge(Signs.of(odds), known_works=WORKS - SEEN)[0] for odds in self.odds]


@cache
def answered(spread: Spread) -> Answered:
    """Calibrate on works by some artists and ask about others by these and by strangers."""
    artists = np.repeat(np.arange(ARTISTS), WORKS)
    vectors = drawn(artists, 7)
    is_seen = np.arange(len(artists)) % WORKS < SEEN
    rows = np.flatnonzero((artists < REGISTERED) & ~is_seen)
    works = {space: matrix[rows] for space, matrix in vectors.items()}
    asker = Asker(Indexed(works, artists[rows], np.arange(len(rows)), {}))
    classifier = Asker(
        Indexed(stretched(works, spread), artists[rows], np.arange(len(rows)), {})
    ).classifier()
    assert classifier is not None
    voters: tuple[Voter, ...] = (classifier, NeighboursVoter())
    asked = [
        ask_absent(
            replace(
                absent,
                works=[one_stretched(work, spread) for work in absent.works],
                without_work=seen_as(absent.without_work, spread),
                without_artist=seen_as(absent.without_artist, spread),
            ),
            voters,
        )
        for absent in asker.absent()
    ]
    names = [voter.name for voter in voters]
    fitted = fitting.fit([one for one in asked if one], names, SPACES)
    assert fitted is not None
    made = Calibration.of_json(fitted.voices, fitted.as_json())  # as it is kept
    queries = {space: matrix[is_seen] for space, matrix in vectors.items()}
    shares, odds = [], []
    for question in asker.questions(queries, made.spaces):
        ballots = [voter.shares(seen_as(question, spread)) for voter in voters]
        shares.append({one.voter: dict(one.shares) for one in ballots})
        odds.append(made.odds(Ballots.of(ballots, SPACES)))
    return Answered(made, shares, odds)


@pytest.mark.parametrize("name", SPREADS)
def test_the_shares_stay(name: str) -> None:
    """Of neighbours, and of the classifier, whose spaces lie in one vector; spaces' weights too."""
    wide, other = answered(WIDE), answered(SPREADS[name])

    for one, two in zip(wide.shares, other.shares, strict=True):
        assert two["neighbours"] == pytest.approx(one["neighbours"], abs=1e-4)
        assert two["classifier"] == pytest.approx(one["classifier"], abs=1e-3)
    assert other.made.spaces == pytest.approx(wide.made.spaces, abs=1e-3)


@pytest.mark.parametrize("name", SPREADS)
def test_the_probabilities_stay(name: str) -> None:
    """And with them the ranking of whoever is likelier than one in a hundred, and the verdict."""
    wide, other = answered(WIDE), answered(SPREADS[name])

    for one, two in zip(wide.odds, other.odds, strict=True):
        assert two.nobody == pytest.approx(one.nobody, abs=0.01)
        assert two.artists == pytest.approx(one.artists, abs=0.01)
        ranked = sorted(one.artists, key=lambda artist: -one.artists[artist])
        again = sorted(two.artists, key=lambda artist: -two.artists[artist])
        sure = sum(chance > 0.01 for chance in one.artists.values())
        assert again[:sure] == ranked[:sure]
    assert other.verdicts == wide.verdicts


def test_there_is_something_to_change() -> None:
    """The answers that are compared are neither all alike nor all wrong."""
    wide = answered(WIDE)
    known = wide.odds[: REGISTERED * SEEN]
    first = [max(odds.artists, key=lambda artist: odds.artists[artist]) for odds in known]

    right = [artist == artist_id(number // SEEN) for number, artist in enumerate(first)]

    assert np.mean(right) > 0.6
    assert len(set(wide.verdicts)) > 1
    assert wide.made.spaces["noise"] < 1 / 3 < wide.made.spaces["content"]


def test_weights_start_equal_and_none_is_nothing() -> None:
    """Without works all weigh alike; a space that never helps keeps a part that is not 0."""
    helping = np.tile([[0.9, 0.0, 0.2]], (2_000, 1))

    assert fit_weights(np.zeros((0, 3))) == pytest.approx([1 / 3] * 3)
    weights = fit_weights(helping)
    assert weights.sum() == pytest.approx(1)
    assert weights[0] > 0.9
    assert 0 < weights[1] < 0.05


def test_weights_are_the_likeliest() -> None:
    """With many works they come near the mixture that the works were drawn from."""
    rng = np.random.default_rng(3)
    of_space = rng.choice(2, size=20_000, p=[0.8, 0.2])
    spaces = rng.dirichlet([0.5] * 6, size=(20_000, 2))
    true = np.array([rng.choice(6, p=spaces[row, one]) for row, one in enumerate(of_space)])

    weights = fit_weights(spaces[np.arange(20_000), :, true])

    assert weights == pytest.approx([0.8, 0.2], abs=0.03)
