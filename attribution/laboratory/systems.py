"""What is compared: one Protocol, this project's votes, and nearest neighbours on CLIP (B1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from uuid import UUID

import numpy as np

from attribution.arithmetic import fitting, voting
from attribution.arithmetic.calibration import Ballots
from attribution.encoders.encoder import Lane, of_lane
from attribution.index.vector_index import RRF_K
from attribution.laboratory.asking import Asker
from attribution.laboratory.metrics import Bools, Floats
from attribution.laboratory.scaling import Scaling
from attribution.laboratory.splits import hold_out
from attribution.laboratory.works import Indexed, Ints
from attribution.types import Matrix
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import ask_absent, equal_weights
from attribution.voters.voter import Question, Voter

SHOWN = 10  # works of a ranking
LEAST_SHARE = 1e-3  # of an artist who got no vote, so that a logarithm exists
LEAST_CHANCE = 1e-6  # likewise, of an artist whom nobody named
TINY = 1e-12


@dataclass(frozen=True)
class Answer:
    """What a system says of a batch of queries.

    `scores` are logits, up to a temperature: a system with probabilities of its own gives their
    logarithms. `known` is higher where the artist is more likely registered; it may be log-odds.
    """

    scores: Floats  # shape (queries, artists)
    known: Floats  # shape (queries,)
    works: Ints  # rows of the index, best first, shape (queries, at most SHOWN)
    # p-values of "as near as registered works are", shape (queries,); None: not asked
    familiar: Floats | None = None
    is_by_subject: Bools | None = None  # `voting.is_by_subject`, likewise

    def take(self, rows: slice) -> Answer:
        """Return the answers to some of the queries."""
        familiar = None if self.familiar is None else self.familiar[rows]
        by_subject = None if self.is_by_subject is None else self.is_by_subject[rows]
        return Answer(self.scores[rows], self.known[rows], self.works[rows], familiar, by_subject)


class System(Protocol):
    """A way to name artists. `tune` looks at the indexed works alone, like `fit`."""

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Choose settings on a part of the indexed works; `fit` keeps to them."""
        ...

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Learn the indexed works, whose artists are some of the numbers below `artists`."""
        ...

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer queries, one row of every space each."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """A system that scales its answers by itself, on the indexed works alone."""

    def scaling(self) -> Scaling | None:
        """Return what it fitted; None where there were too few works for it."""
        ...


class Lawful:
    """The votes as `lawful attribute` casts them, over exact neighbours instead of an index.

    Scores and "known" are those of the product's calibration, made on the indexed works.
    """

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Keep the settings of the product."""

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Keep the works with ids as the catalogue has them, and calibrate on them."""
        del seed
        self._artists = artists
        self.asker = Asker(indexed)
        self.content = of_lane(indexed.lanes, Lane.CONTENT)
        self.style = of_lane(indexed.lanes, Lane.STYLE)
        classifier = self.asker.classifier()
        self.voters: tuple[Voter, ...] = (NeighboursVoter(),)
        self.calibration = None
        if classifier is not None:
            self.voters = (classifier, *self.voters)
            told = [ask_absent(absent, self.voters) for absent in self.asker.absent()]
            asked = [one for one in told if one is not None]
            names = [voter.name for voter in self.voters]
            self.calibration = fitting.fit(asked, names, self.asker.spaces)

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Cast the votes: an artist's logit is the logarithm of the probability, else the share."""
        count, made = len(next(iter(queries.values()))), self.calibration
        chances, known = np.zeros((count, self._artists)), np.zeros(count)
        familiar, is_by_subject = np.ones(count), np.zeros(count, bool)
        works = []
        weights = made.spaces if made else equal_weights(self.asker.spaces)
        for query, question in enumerate(self.asker.questions(queries, weights)):
            ballots = [voter.shares(question) for voter in self.voters]
            votes = voting.count(ballots)
            if made is None:
                named = {vote.artist_id: vote.share for vote in votes}
                known[query] = max(named.values())
            else:
                odds = made.odds(Ballots.of(ballots, self.asker.spaces))
                ours = max(1 - odds.nobody, TINY)
                named = {artist: chance / ours for artist, chance in odds.artists.items()}
                known[query] = np.log(ours) - np.log(max(odds.nobody, TINY))
                familiar[query] = odds.p_familiar
                votes.sort(key=lambda vote: -named.get(vote.artist_id, 0.0))
                is_by_subject[query] = voting.is_by_subject(
                    votes[0].artist_id, votes, self.content, self.style
                )
            for artist, chance in named.items():
                chances[query, artist.int - 1] = chance
            works.append(_fused(question))
        least = LEAST_SHARE if made is None else LEAST_CHANCE
        scores = np.log(chances + least)
        return Answer(scores, known, np.array(works), familiar, is_by_subject)


class AsAnswered(Lawful):
    """The same, its probabilities and p-values as the product gives them: nothing held out."""

    def scaling(self) -> Scaling | None:
        """Return the product's calibration."""
        made = self.calibration
        if made is None:
            return None
        return Scaling(
            *(1.0, 1.0, 0.0),
            misfits=made.misfits,
            strangers=made.strangers,
            stranger_weights=made.stranger_weights,
        )


class Nearest:
    """B1: the artists of the k nearest works on CLIP, the nearest work between equals; k tuned.

    With k = 1 that is the nearest neighbour.
    """

    COUNTS = (1, 3, 5, 10, 20)

    def __init__(self) -> None:
        self.neighbours = 1

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Choose k by the hits on held-out lineages."""
        fitted, held = hold_out(indexed.artist, indexed.group, seed)
        best = -1.0
        for count in self.COUNTS:
            trial = Nearest()
            trial.neighbours = count
            trial.fit(indexed.take(fitted), indexed.artists, seed)
            scores = trial.answer(indexed.take(held).vectors).scores
            hits = float((scores.argmax(1) == indexed.artist[held]).mean()) if len(held) else 0.0
            if hits > best:
                best, self.neighbours = hits, count

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Keep the works."""
        del seed
        self._indexed, self._artists = indexed, artists

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer with the number of neighbours plus the cosine of the nearest work."""
        space = self._indexed.plainest
        cosines = queries[space] @ self._indexed.vectors[space].T
        order = np.argsort(-cosines, axis=1, kind="stable")
        nearest = np.full((len(cosines), self._artists), -1.0)
        for work, artist in enumerate(self._indexed.artist):
            nearest[:, artist] = np.maximum(nearest[:, artist], cosines[:, work])
        counts = np.zeros_like(nearest)
        for column in order[:, : self.neighbours].T:
            counts[np.arange(len(counts)), self._indexed.artist[column]] += 1
        return Answer(counts + nearest, nearest.max(1), order[:, :SHOWN])


def nearest_works(query: Matrix, indexed: Matrix) -> Ints:
    """Return the rows of the nearest works, best first."""
    order: Ints = np.argsort(-(query @ indexed.T), axis=1, kind="stable")[:, :SHOWN]
    return order


def _fused(question: Question) -> list[int]:
    """Return the rows of the best works by reciprocal rank, spaces weighing as in the vote."""
    scores: dict[UUID, float] = {}
    for space, weight in question.weights.items():
        for hit in question.neighbours[space]:
            scores[hit.id] = scores.get(hit.id, 0.0) + weight / (RRF_K + hit.rank)
    best = sorted(scores, key=lambda work: (-scores[work], work))[:SHOWN]
    return [work.int - 1 for work in best]
