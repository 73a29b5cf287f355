"""What is compared: one Protocol, this project's votes, and nearest neighbours on CLIP (B1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import numpy as np

from attribution import voting
from attribution.classifier import Statistics, fit
from attribution.evaluation.metrics import Floats
from attribution.evaluation.splits import hold_out
from attribution.evaluation.works import Ints
from attribution.index.vector_index import RRF_K
from attribution.types import Matrix, Neighbour

SHOWN = 10  # works of a ranking
LEAST_SHARE = 1e-3  # of an artist who got no vote, so that a logarithm exists
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


class Lawful:
    """The votes as `lawful attribute` casts them, over exact neighbours instead of an index."""

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Keep the settings of the product."""

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Keep the works with ids as the catalogue has them."""
        del seed
        self._indexed = indexed
        self._artists = artists
        self._ids = [UUID(int=row + 1) for row in range(len(indexed.artist))]
        self._artist_ids = [UUID(int=artist + 1) for artist in indexed.artist.tolist()]
        self._sizes = Counter(self._artist_ids)
        dims = {space: matrix.shape[1] for space, matrix in indexed.vectors.items()}
        rows = np.concatenate([indexed.vectors[space] for space in sorted(dims)], axis=1)
        self._classifier = fit(Statistics.of(self._artist_ids, rows), dims)

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Cast the votes: an artist's logit is the logarithm of the share."""
        near = {space: self._neighbours(space, rows) for space, rows in queries.items()}
        count = len(next(iter(queries.values())))
        shares = np.zeros((count, self._artists))
        works = []
        for query in range(count):
            hits = {space: lists[query] for space, lists in near.items()}
            vectors = {space: rows[query] for space, rows in queries.items()}
            named = self._classifier.shares(vectors) if self._classifier else {}
            for vote in voting.join_votes(voting.cast_votes(hits, self._sizes), named):
                shares[query, vote.artist_id.int - 1] = vote.share
            works.append(_fused(hits))
        return Answer(np.log(shares + LEAST_SHARE), shares.max(1), np.array(works))

    def _neighbours(self, space: str, rows: Matrix) -> list[list[Neighbour]]:
        cosines = rows @ self._indexed.vectors[space].T
        order = np.argsort(-cosines, axis=1, kind="stable")[:, : voting.NEAREST]
        return [
            [
                Neighbour(self._ids[row], self._artist_ids[row], float(cosines[query, row]), rank)
                for rank, row in enumerate(ranked.tolist(), 1)
            ]
            for query, ranked in enumerate(order)
        ]


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
