"""A calibration is fitted on registered works, each asked about as if it were not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt

from attribution.arithmetic.calibration import (
    FEWEST_ARTISTS,
    FEWEST_WORKS,
    TINY,
    Ballots,
    Calibration,
    alike_by_artist,
)
from attribution.arithmetic.familiarity import Familiarity
from attribution.arithmetic.spaces import Floats, fit_weights

TRUST = 0.5  # of a voter's log share, before any work was asked for
STRENGTH = 1.0  # of that belief, in works
OF_NOBODY = 3  # weights of what speaks for nobody


@dataclass(frozen=True)
class Asked:
    """A registered work, asked for as if it, and as if its artist, were not there."""

    artist: UUID
    known: Ballots | None  # None: the artist has no other work
    stranger: Ballots


def voice_names(voters: Sequence[str], spaces: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the voices of these voters and spaces."""
    return (*voters, *(f"nearest in {space}" for space in spaces))


def fit(asked: Sequence[Asked], voters: Sequence[str], spaces: Sequence[str]) -> Calibration | None:
    """Fit the weights on works asked for, whose ballots list these voters and spaces.

    First those of the spaces (`spaces.fit_weights`). Then those of the voices, maximum a
    posteriori: the log-loss of both kinds of question, weighing alike, and a Gaussian belief that
    every voter deserves TRUST, worth STRENGTH works. Nearness is measured by how far the nearest
    work of all rises on the average, so that the belief is the same in a space of narrow cosines.
    No voice counts against its artist, and neither agreement nor nearness speaks for nobody: their
    weights have a sign. None where fewer than FEWEST_WORKS
    works by FEWEST_ARTISTS artists could be asked for: then a number would be a guess.
    """
    from scipy.optimize import minimize  # half a second, which no other command has to wait for

    known = [(one.known, one.artist) for one in asked if one.known is not None]
    if len(known) < FEWEST_WORKS or len({artist for _, artist in known}) < FEWEST_ARTISTS:
        return None
    by_space = fit_weights(_of_the_true(known))
    voices = voice_names(voters, spaces)
    ballots = [*(one for one, _ in known), *(one.stranger for one in asked)]
    truth = [*(artist for _, artist in known), *(None for _ in asked)]
    familiarity = Familiarity.of(np.stack([one.closeness for one, _ in known]), by_space)
    table = _Table.of(ballots, truth, by_space, familiarity)
    rises = np.mean([one.nearness.max(axis=0, initial=0.0) for one, _ in known], axis=0)
    unit = np.concatenate([np.ones(len(voters)), np.where(rises > TINY, rises, 1.0)])
    table.voices[:] /= unit
    weigh = np.concatenate([np.ones(len(known)), np.full(len(asked), len(known) / len(asked))])
    belief = np.zeros(len(voices) + OF_NOBODY)
    belief[: len(voters)] = TRUST
    bounds = [(0, None)] * len(voices) + [(None, None), (None, 0), (None, 0)]
    found = minimize(
        table.loss, belief, args=(weigh, belief), jac=True, method="L-BFGS-B", bounds=bounds
    )
    weights, nobody = np.split(found.x, [-OF_NOBODY])
    ours, right = table.answers(weights)
    log_odds = (ours - table.of_nobody @ nobody)[len(known) :]
    order = np.argsort(log_odds, kind="stable")
    return Calibration(
        voices=voices,
        spaces=dict(zip(spaces, by_space.tolist(), strict=True)),
        weights=weights / unit,
        nobody=nobody,
        misfits=np.sort(1 - right[: len(known)]),
        strangers=log_odds[order],
        stranger_weights=alike_by_artist([one.artist for one in asked])[order],
        familiarity=familiarity,
    )


@dataclass(frozen=True)
class _Table:
    """What is said of several images as one array; the last column of a row is nobody."""

    voices: Floats  # (images, most artists, voices), zero where an image has fewer
    is_there: npt.NDArray[np.bool_]  # (images, most artists)
    of_nobody: Floats  # (images, OF_NOBODY): 1, how the voters agree, how familiar the image is
    truth: npt.NDArray[np.int64]  # (images,): column of the artist; of nobody; -1: not among them

    @classmethod
    def of(
        cls,
        ballots: Sequence[Ballots],
        truth: Sequence[UUID | None],
        spaces: Floats,
        familiarity: Familiarity,
    ) -> _Table:
        most = max(len(one.artists) for one in ballots)
        said = [one.voices(spaces) for one in ballots]
        voices = np.zeros((len(ballots), most, said[0][0].shape[1]))
        is_there, columns = np.zeros((len(ballots), most), bool), np.full(len(ballots), -1)
        for row, (one, artist) in enumerate(zip(ballots, truth, strict=True)):
            voices[row, : len(one.artists)] = said[row][0]
            is_there[row, : len(one.artists)] = True
            if artist is None:
                columns[row] = most
            elif artist in one.artists:
                columns[row] = one.artists.index(artist)
        agreement = np.array([agreement for _, agreement in said])
        familiar = familiarity.total(np.stack([one.closeness for one in ballots]), spaces)
        of_nobody = np.stack([np.ones(len(ballots)), agreement, familiar], axis=1)
        return cls(voices, is_there, of_nobody, columns)

    def loss(self, point: Floats, weigh: Floats, belief: Floats) -> tuple[float, Floats]:
        """Return minus the log posterior and its gradient."""
        weights, of_nobody = np.split(point, [-OF_NOBODY])
        nobody = self.of_nobody @ of_nobody
        scores = np.where(self.is_there, self.voices @ weights, -np.inf)
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
                np.einsum("qa,qav->v", excess[:, :-1], self.voices),
                excess[:, -1] @ self.of_nobody,
            ]
        )
        apart = point - belief
        loss = STRENGTH * (apart @ apart) / 2 - weigh[rows] @ np.log(right)
        return float(loss), gradient + STRENGTH * apart

    def answers(self, weights: Floats) -> tuple[Floats, Floats]:
        """Return of each image log Σ exp of its artists, and P(the true artist | one of ours)."""
        scores = np.where(self.is_there, self.voices @ weights, -np.inf)
        largest = scores.max(1, keepdims=True, initial=-1e6)
        ours = largest[:, 0] + np.log(np.maximum(np.exp(scores - largest).sum(1), 1e-300))
        right = np.zeros(len(scores))
        rows = np.flatnonzero((self.truth >= 0) & (self.truth < scores.shape[1]))
        right[rows] = np.exp(scores[rows, self.truth[rows]] - ours[rows])
        return ours, right


def _of_the_true(known: Sequence[tuple[Ballots, UUID]]) -> Floats:
    """Return what each space alone gives the true artist, by voters that tell spaces apart."""
    own = [one.shares[one.artists.index(artist)] for one, artist in known if artist in one.artists]
    rows = np.concatenate(own) if own else np.zeros((0, known[0][0].shares.shape[2]))
    told: Floats = rows[rows.max(axis=1) > rows.min(axis=1)]
    return told
