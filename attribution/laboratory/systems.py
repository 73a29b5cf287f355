"""What is compared: one Protocol, this project's votes, and nearest neighbours on CLIP (B1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from uuid import UUID

import numpy as np

from attribution.arithmetic import calibration, voting
from attribution.arithmetic.classifier import Statistics, fit
from attribution.index.vector_index import RRF_K
from attribution.laboratory.metrics import Floats
from attribution.laboratory.scaling import Scaling
from attribution.laboratory.splits import hold_out
from attribution.laboratory.works import Ints
from attribution.types import Matrix, Neighbour, Vector
from attribution.voters import panel

SHOWN = 10  # works of a ranking
LEAST_SHARE = 1e-3  # of an artist who got no vote, so that a logarithm exists
LEAST_CHANCE = 1e-6  # likewise, of an artist whom nobody named
TINY = 1e-12
NOTHING: Ints = np.zeros(0, np.int64)
CONTENT = "clip"  # the space of B1 and B2


@dataclass(frozen=True)
class Indexed:
    """The works that a system may know; artists are 0 … n-1, each with at least one."""

    vectors: Mapping[str, Matrix]  # by space, shape (works, dim)
    artist: Ints
    group: Ints  # lineage

    @property
    def artists(self) -> int:
        """How many artists there are."""
        return int(self.artist.max()) + 1

    def take(self, rows: Ints) -> Indexed:
        """Return some of the works, with the artists' numbers as they are."""
        vectors = {space: matrix[rows] for space, matrix in self.vectors.items()}
        return Indexed(vectors, self.artist[rows], self.group[rows])


@dataclass(frozen=True)
class Answer:
    """What a system says of a batch of queries.

    `scores` are logits, up to a temperature: a system with probabilities of its own gives their
    logarithms. `known` is higher where the artist is more likely registered; it may be log-odds.
    """

    scores: Floats  # shape (queries, artists)
    known: Floats  # shape (queries,)
    works: Ints  # rows of the index, best first, shape (queries, at most SHOWN)

    def take(self, rows: slice) -> Answer:
        """Return the answers to some of the queries."""
        return Answer(self.scores[rows], self.known[rows], self.works[rows])


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

    VOTERS = (voting.NEIGHBOURS, voting.CLASSIFIER)

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Keep the settings of the product."""

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Keep the works with ids as the catalogue has them, and calibrate on them."""
        del seed
        self._indexed = indexed
        self._artists = artists
        self._ids = [UUID(int=row + 1) for row in range(len(indexed.artist))]
        self._artist_ids = [UUID(int=artist + 1) for artist in indexed.artist.tolist()]
        self._sizes = dict(Counter(self._artist_ids))
        dims = {space: matrix.shape[1] for space, matrix in indexed.vectors.items()}
        rows = np.concatenate([indexed.vectors[space] for space in sorted(dims)], axis=1)
        self._classifier = fit(Statistics.of(self._artist_ids, rows), dims)
        voices = panel.voices_of(self.VOTERS, dims)
        self.calibration = calibration.fit(self._asked(), voices, len(self.VOTERS))

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Cast the votes: an artist's logit is the logarithm of the probability, else the share."""
        near = {space: self._neighbours(space, rows) for space, rows in queries.items()}
        count = len(next(iter(queries.values())))
        chances, known = np.zeros((count, self._artists)), np.zeros(count)
        works = []
        for query in range(count):
            hits = {space: lists[query] for space, lists in near.items()}
            vectors = {space: rows[query] for space, rows in queries.items()}
            votes, case = panel.hear(self.VOTERS, vectors, hits, self._sizes, self._classifier)
            named = {vote.artist_id: vote.share for vote in votes}
            known[query] = max(named.values())
            if self.calibration is not None:
                odds = self.calibration.odds(case)
                ours = max(1 - odds.nobody, TINY)
                named = {artist: chance / ours for artist, chance in odds.artists.items()}
                known[query] = np.log(ours) - np.log(max(odds.nobody, TINY))
            for artist, chance in named.items():
                chances[query, artist.int - 1] = chance
            works.append(_fused(hits))
        least = LEAST_SHARE if self.calibration is None else LEAST_CHANCE
        return Answer(np.log(chances + least), known, np.array(works))

    def _asked(self) -> list[calibration.Asked]:
        """Ask for every indexed work as if its lineage, and as if its artist, were not there."""
        if self._classifier is None:
            return []
        indexed, asked = self._indexed, []
        for row, artist in enumerate(self._artist_ids):
            vectors = {space: matrix[row] for space, matrix in indexed.vectors.items()}
            mates = np.flatnonzero(indexed.group == indexed.group[row])
            own = np.flatnonzero(indexed.artist == indexed.artist[row])
            gone = [{s: m[mate] for s, m in indexed.vectors.items()} for mate in mates]
            absent = panel.Absent(
                artist,
                vectors,
                gone,
                without_work=self._without(vectors, mates),
                without_artist=self._without(vectors, np.union1d(own, mates)),
            )
            asked.append(panel.ask_absent(absent, self.VOTERS, self._classifier, self._sizes))
        return asked

    def _without(self, vectors: Mapping[str, Vector], rows: Ints) -> dict[str, list[Neighbour]]:
        return {
            space: self._neighbours(space, vector[None], rows)[0]
            for space, vector in vectors.items()
        }

    def _neighbours(
        self, space: str, rows: Matrix, without: Ints = NOTHING
    ) -> list[list[Neighbour]]:
        cosines = rows @ self._indexed.vectors[space].T
        cosines[:, without] = -np.inf
        left = cosines.shape[1] - len(without)
        nearest = min(voting.NEAREST, left)
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :nearest]
        return [
            [
                Neighbour(self._ids[row], self._artist_ids[row], float(cosines[query, row]), rank)
                for rank, row in enumerate(ranked.tolist(), 1)
            ]
            for query, ranked in enumerate(order)
        ]


class AsAnswered(Lawful):
    """The same, its probabilities and p-values as the product gives them: nothing held out."""

    def scaling(self) -> Scaling | None:
        """Return the product's calibration."""
        made = self.calibration
        if made is None:
            return None
        return Scaling(1.0, 1.0, 0.0, misfits=made.misfits, strangers=made.strangers)


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
        cosines = queries[CONTENT] @ self._indexed.vectors[CONTENT].T
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


def _fused(legs: Mapping[str, list[Neighbour]]) -> list[int]:
    """Return the rows of the best works by weighted reciprocal rank, as the index fuses them."""
    scores: dict[UUID, float] = {}
    for space, hits in legs.items():
        weight = voting.SPACE_WEIGHTS.get(space, 1.0)
        for hit in hits:
            scores[hit.id] = scores.get(hit.id, 0.0) + weight / (RRF_K + hit.rank)
    best = sorted(scores, key=lambda work: (-scores[work], work))[:SHOWN]
    return [work.int - 1 for work in best]
