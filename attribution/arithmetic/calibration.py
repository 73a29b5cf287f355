"""Votes become probabilities, p-values and a verdict: pure arithmetic, no engine and no database.

A voter's share is an opinion, not a chance. What it is worth is found out by asking the registered
works themselves: each as if it were not there (a known artist), then as if its artist were not
there (a stranger). A few weights, one for each voice, are fitted on these answers alone, so that
nobody has to hold data back; and the answers themselves are kept, sorted, for p-values that need
no model at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Any
from uuid import UUID

import numpy as np
import numpy.typing as npt

from attribution.types import Neighbour, Reason, Verdict

Floats = npt.NDArray[np.float64]

FLOOR = 1e-3  # of a share, so that it has a logarithm
TINY = 1e-12  # likewise, of a probability that rounding made 0
SCALE = 10.0  # brings differences of cosines to the size of the logarithms
NAMED = 50  # artists whom a voter may name beside those of the nearest works
TRUST = 0.5  # of a voter's log share, before any work was asked for
STRENGTH = 1.0  # of that belief, in works
FEWEST_WORKS = 30  # asked for; with fewer there is no calibration
FEWEST_ARTISTS = 5
LEVEL = 0.9  # of the set of likely artists
SIGNIFICANT = 0.05  # p-value up to which "nobody of ours" is refused
LARGEST_SET = 5  # likely artists that are still worth naming
FEW_WORKS = 3  # of an artist: they hardly show what is common to them
KEPT_DIGITS = 5  # of a number that is kept


@dataclass(frozen=True)
class Case:
    """What the voices say of one image: `said` has a row for each artist, shape (n, voices)."""

    artists: tuple[UUID, ...]
    said: Floats
    agreement: float  # log of the chance that two voters, each drawing by its shares, name one


@dataclass(frozen=True)
class Asked:
    """A registered work, asked for as if it, and as if its artist, were not there."""

    artist: UUID
    known: Case | None  # None: the artist has no other work
    stranger: Case


@dataclass(frozen=True)
class Odds:
    """One image's probabilities and p-values. The artists' and `nobody` sum to 1."""

    artists: Mapping[UUID, float]
    nobody: float
    p_nobody: float  # chance that a stranger's work looks as much like one of ours
    p_values: Mapping[UUID, float]  # chance that a work of this artist fits no better

    @property
    def likely(self) -> list[UUID]:
        """The conformal set: it holds the artist of LEVEL of the works by registered artists."""
        return [artist for artist, value in self.p_values.items() if value > 1 - LEVEL]

    def among(self, artists: Collection[UUID]) -> Odds:
        """Return the odds of these artists; what the others had is nobody's."""
        left = {artist: chance for artist, chance in self.artists.items() if artist in artists}
        values = {artist: value for artist, value in self.p_values.items() if artist in artists}
        return Odds(left, 1 - sum(left.values()), self.p_nobody, values)


@dataclass(frozen=True)
class Calibration:
    """Fitted numbers. `misfits` and `strangers` are the answers of works asked for, ascending."""

    voices: tuple[str, ...]
    weights: Floats  # (voices,), none negative
    nobody: Floats  # (2,): log-odds of nobody, constant and for the agreement
    misfits: Floats  # 1 - P(its artist | one of ours), of works as if not there
    strangers: Floats  # log-odds of "one of ours", of works as if their artist was not there

    def odds(self, case: Case) -> Odds:
        """Return what a case means.

        P(a) = exp(w · voices_a) / (Σ_b exp(w · voices_b) + exp(v · (1, agreement))): a logarithmic
        opinion pool (Genest & Zidek 1986) with a place for nobody. Half of the images are taken to
        be by strangers; the p-values need no such belief.
        """
        scores, nobody = case.said @ self.weights, float(self.nobody @ (1.0, case.agreement))
        ours = _log_sum(scores)
        chance, given = 1 / (1 + np.exp(nobody - ours)), np.exp(scores - ours)
        above = np.searchsorted(self.misfits, 1 - given, "left")
        p_values = (1 + len(self.misfits) - above) / (1 + len(self.misfits))
        return Odds(
            artists=dict(zip(case.artists, (chance * given).tolist(), strict=True)),
            nobody=float(1 - chance),
            p_nobody=self.p_nobody(ours - nobody),
            p_values=dict(zip(case.artists, p_values.tolist(), strict=True)),
        )

    def p_nobody(self, log_odds: float) -> float:
        """Return (1 + #{strangers ≥ log-odds}) / (n + 1), conformal (Vovk et al. 2005)."""
        below = np.searchsorted(self.strangers, log_odds, "left")
        return float((1 + len(self.strangers) - below) / (1 + len(self.strangers)))

    def as_json(self) -> dict[str, Any]:
        """Return the numbers as plain values; the voices are kept beside them."""
        lists = {name: value for name, value in vars(self).items() if name != "voices"}
        return {name: np.round(value, KEPT_DIGITS).tolist() for name, value in lists.items()}

    @classmethod
    def of_json(cls, voices: Sequence[str], kept: Mapping[str, Any]) -> Calibration:
        """Return what `as_json` gave."""
        return cls(tuple(voices), **{name: np.array(kept[name], float) for name in kept})


def case_of(
    shares: Mapping[str, Mapping[UUID, float]], neighbours: Mapping[str, Sequence[Neighbour]]
) -> Case:
    """Describe an image by each voter's shares and by how near works are, as `voice_names` lists.

    Voices: the logarithm of a voter's share; and in each space, by how much the artist's nearest
    work rises above the last neighbour, 0 for an artist who is not among them.
    """
    near = {space: _rises(hits) for space, hits in sorted(neighbours.items())}
    named: set[UUID] = {artist for rises in near.values() for artist in rises}
    for given in shares.values():
        named.update(nlargest(NAMED, given, key=lambda artist: (given[artist], artist)))
    artists = tuple(sorted(named))
    columns = [
        np.log([FLOOR + given.get(artist, 0.0) for artist in artists])
        for _, given in sorted(shares.items())
    ]
    columns += [
        np.array([SCALE * rises.get(artist, 0.0) for artist in artists]) for rises in near.values()
    ]
    said = np.stack(columns, axis=1) if columns else np.zeros((len(artists), 0))
    return Case(artists, said, _agreement(list(shares.values())))


def voice_names(voters: Sequence[str], spaces: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the columns that `case_of` makes."""
    return (*sorted(voters), *(f"nearest in {space}" for space in sorted(spaces)))


def fit(asked: Sequence[Asked], voices: Sequence[str], voters: int) -> Calibration | None:
    """Fit the weights on works asked for; the first `voters` voices are those of voters.

    Maximum a posteriori: the log-loss of both kinds of case, weighing alike, and a Gaussian belief
    that every voter deserves TRUST, worth STRENGTH works. No voice counts against its artist: a
    weight is not negative. None where fewer than FEWEST_WORKS works by FEWEST_ARTISTS artists could
    be asked for: then a number would be a guess.
    """
    from scipy.optimize import minimize  # half a second, which no other command has to wait for

    known = [(one.known, one.artist) for one in asked if one.known is not None]
    if len(known) < FEWEST_WORKS or len({artist for _, artist in known}) < FEWEST_ARTISTS:
        return None
    cases = [*(case for case, _ in known), *(one.stranger for one in asked)]
    truth = [*(artist for _, artist in known), *(None for _ in asked)]
    table = _Table.of(cases, truth, len(voices))
    weigh = np.concatenate(
        [np.ones(len(known)), np.full(len(asked), len(known) / len(asked))],
    )
    belief = np.zeros(len(voices) + 2)
    belief[:voters] = TRUST
    bounds = [(0, None)] * len(voices) + [(None, None), (None, 0)]
    found = minimize(
        table.loss, belief, args=(weigh, belief), jac=True, method="L-BFGS-B", bounds=bounds
    )
    weights, nobody = found.x[:-2], found.x[-2:]
    ours, right = table.answers(weights)
    log_odds = ours - nobody[0] - nobody[1] * table.agreement
    return Calibration(
        voices=tuple(voices),
        weights=weights,
        nobody=nobody,
        misfits=np.sort(1 - right[: len(known)]),
        strangers=np.sort(log_odds[len(known) :]),
    )


def together(odds: Sequence[Odds], pictures: Sequence[int]) -> Odds:
    """Return what images by one hand say together; equal numbers in `pictures`: the same picture.

    Log probabilities and log-odds are averaged over each picture, summed over the n pictures and
    divided by √n: works of one hand are not independent, and the square root was the best
    calibrated power (docs/benchmarks.md). p-values: twice their mean, which is one whatever the
    dependence (Vovk & Wang 2020); for "this artist" where the artist was named every time.
    """
    groups: dict[int, list[Odds]] = defaultdict(list)
    for one, picture in zip(odds, pictures, strict=True):
        groups[picture].append(one)
    scale = 1 / np.sqrt(len(groups))
    artists = sorted({artist for one in odds for artist in one.artists})
    scores, ours = np.zeros(len(artists)), 0.0
    p_nobody, p_values = 0.0, np.zeros(len(artists))
    for same in groups.values():
        given = [[one.artists.get(artist, 0.0) for artist in artists] for one in same]
        left = [max(1 - one.nobody, TINY) for one in same]
        scores += scale * np.log(np.array(given) / np.array(left)[:, None] + FLOOR).mean(0)
        ours += scale * float(np.mean([np.log(x / max(1 - x, TINY)) for x in left]))
        p_nobody += float(np.mean([one.p_nobody for one in same])) / len(groups)
        values = [[one.p_values.get(artist, 0.0) for artist in artists] for one in same]
        p_values += np.mean(values, axis=0) / len(groups)
    chance = 1 / (1 + np.exp(-ours))
    parts = chance * np.exp(scores - _log_sum(scores))
    return Odds(
        artists=dict(zip(artists, parts.tolist(), strict=True)),
        nobody=float(1 - chance),
        p_nobody=min(1.0, 2 * p_nobody),
        p_values=dict(zip(artists, np.minimum(1, 2 * p_values).tolist(), strict=True)),
    )


def judge(odds: Odds, *, known_works: int) -> tuple[Verdict, tuple[Reason, ...]]:
    """Return the verdict on an image that is no copy, and why it is no stronger one.

    `attributed`: "nobody of ours" is refused at SIGNIFICANT, and one artist alone is likely.
    `candidates`: one of ours is more likely than not, and at most LARGEST_SET are likely.
    `known_works` of the first artist are registered.
    """
    likely = len(odds.likely)
    reasons = []
    if odds.p_nobody > SIGNIFICANT:
        reasons.append(Reason.UNKNOWN_ARTIST)
    if likely != 1:
        reasons.append(Reason.SEVERAL_ARTISTS if likely else Reason.SPACES_DISAGREE)
    if not reasons:
        return Verdict.ATTRIBUTED, ()
    if known_works < FEW_WORKS:
        reasons.append(Reason.TOO_FEW_WORKS)
    named = odds.nobody < 1 / 2 and 0 < likely <= LARGEST_SET
    return (Verdict.CANDIDATES if named else Verdict.ABSTAIN), tuple(reasons)


def benjamini_hochberg(p_values: Floats, level: float) -> npt.NDArray[np.bool_]:
    """Return what is refused at a false discovery rate: all p ≤ the largest p_(i) ≤ level · i / n.

    Benjamini & Hochberg 1995.
    """
    ordered = np.sort(p_values)
    passes = ordered <= level * np.arange(1, len(ordered) + 1) / max(len(ordered), 1)
    limit = ordered[passes].max() if passes.any() else -1.0
    refused: npt.NDArray[np.bool_] = p_values <= limit
    return refused


@dataclass(frozen=True)
class _Table:
    """Cases of different lengths as one array; the last column of a row is nobody."""

    said: Floats  # (cases, most artists, voices), zero where a case has fewer
    is_there: npt.NDArray[np.bool_]  # (cases, most artists)
    agreement: Floats  # (cases,)
    truth: npt.NDArray[np.int64]  # (cases,): column of the artist; of nobody; -1: not among them

    @classmethod
    def of(cls, cases: Sequence[Case], truth: Sequence[UUID | None], voices: int) -> _Table:
        most = max(len(case.artists) for case in cases)
        said, is_there = np.zeros((len(cases), most, voices)), np.zeros((len(cases), most), bool)
        columns = np.full(len(cases), -1)
        for row, (case, artist) in enumerate(zip(cases, truth, strict=True)):
            said[row, : len(case.artists)], is_there[row, : len(case.artists)] = case.said, True
            if artist is None:
                columns[row] = most
            elif artist in case.artists:
                columns[row] = case.artists.index(artist)
        agreement = np.array([case.agreement for case in cases])
        return cls(said, is_there, agreement, columns)

    def loss(self, point: Floats, weigh: Floats, belief: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior and its gradient."""
        nobody = point[-2] + point[-1] * self.agreement
        scores = np.where(self.is_there, self.said @ point[:-2], -np.inf)
        scores = np.concatenate([scores, nobody[:, None]], axis=1)
        chances = np.exp(scores - scores.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        rows = np.flatnonzero(self.truth >= 0)
        right = np.maximum(chances[rows, self.truth[rows]], 1e-300)
        excess = np.zeros_like(chances)
        excess[rows] = chances[rows]
        excess[rows, self.truth[rows]] -= 1
        excess *= weigh[:, None]
        gradient = np.concatenate(
            [
                np.einsum("qa,qav->v", excess[:, :-1], self.said),
                [excess[:, -1].sum(), excess[:, -1] @ self.agreement],
            ]
        )
        apart = point - belief
        loss = STRENGTH * (apart @ apart) / 2 - weigh[rows] @ np.log(right)
        return float(loss), gradient + STRENGTH * apart

    def answers(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return of each case log Σ exp of its artists, and P(the true artist | one of ours)."""
        scores = np.where(self.is_there, self.said @ weights, -np.inf)
        largest = scores.max(1, keepdims=True, initial=-1e6)
        ours = largest[:, 0] + np.log(np.maximum(np.exp(scores - largest).sum(1), 1e-300))
        right = np.zeros(len(scores))
        rows = np.flatnonzero((self.truth >= 0) & (self.truth < scores.shape[1]))
        right[rows] = np.exp(scores[rows, self.truth[rows]] - ours[rows])
        return ours, right


def _rises(hits: Sequence[Neighbour]) -> dict[UUID, float]:
    """Return, by artist, the best score above that of the last neighbour."""
    least = min((hit.score for hit in hits), default=0.0)
    best: dict[UUID, float] = {}
    for hit in hits:
        best[hit.artist_id] = max(best.get(hit.artist_id, 0.0), hit.score - least)
    return best


def _agreement(shares: Sequence[Mapping[UUID, float]]) -> float:
    """Return log Σ_a s_a t_a of two voters' shares; 0 where only one voter speaks."""
    if len(shares) != 2:
        return 0.0
    first, second = shares
    return float(np.log(FLOOR + sum(part * second.get(one, 0.0) for one, part in first.items())))


def _log_sum(scores: Floats) -> float:
    if not len(scores):
        return -np.inf
    largest = float(scores.max())
    return largest + float(np.log(np.exp(scores - largest).sum()))
