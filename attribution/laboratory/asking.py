"""Questions about images to indexed works: exact neighbours instead of an index."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Iterator, Mapping
from uuid import UUID

import numpy as np

from attribution.arithmetic import voting
from attribution.arithmetic.classifier import Statistics, fit
from attribution.laboratory.works import Indexed, Ints
from attribution.training.network import joined
from attribution.types import Matrix, Neighbour, Vector
from attribution.voters.classifier import ClassifierVoter
from attribution.voters.panel import equal_weights
from attribution.voters.voter import Absent, Neighbours, Question

NOTHING: Ints = np.zeros(0, np.int64)


def artist_id(number: int) -> UUID:
    """Return the id that stands for an artist of this number here."""
    return UUID(int=number + 1)


class Asker:
    """Knows the indexed works with ids as the catalogue has them."""

    def __init__(self, indexed: Indexed) -> None:
        self._indexed = indexed
        self._ids = [UUID(int=row + 1) for row in range(len(indexed.artist))]
        self._artists = [artist_id(number) for number in indexed.artist.tolist()]
        self._sizes = dict(Counter(self._artists))
        self.spaces = tuple(sorted(indexed.vectors))

    def classifier(self) -> ClassifierVoter | None:
        """Return the exact classifier of the works; None where there are none."""
        dims = {space: matrix.shape[1] for space, matrix in self._indexed.vectors.items()}
        solved = fit(Statistics.of(self._artists, joined(self._indexed.vectors)), dims)
        return ClassifierVoter(solved) if solved else None

    def questions(
        self, queries: Mapping[str, Matrix], weights: Mapping[str, float]
    ) -> Iterator[Question]:
        """Return the question about each image, one row of every space each."""
        near = {space: self._nearest(space, queries[space]) for space in self.spaces}
        for row in range(len(queries[self.spaces[0]])):
            vectors = {space: matrix[row] for space, matrix in queries.items()}
            hits = {space: lists[row] for space, lists in near.items()}
            yield Question(vectors, hits, self._sizes, weights)

    def absent(self) -> Iterator[Absent]:
        """Return the question about every indexed work as if its lineage were not there."""
        indexed, weights = self._indexed, equal_weights(self.spaces)
        for row, artist in enumerate(self._artists):
            vectors = {space: indexed.vectors[space][row] for space in self.spaces}
            mates = np.flatnonzero(indexed.group == indexed.group[row])
            own = np.flatnonzero(indexed.artist == indexed.artist[row])
            gone = [{space: indexed.vectors[space][one] for space in self.spaces} for one in mates]
            left = ChainMap({artist: self._sizes[artist] - len(mates)}, self._sizes)
            without_artist = self._without(vectors, np.union1d(own, mates))
            yield Absent(
                artist,
                gone,
                Question(vectors, self._without(vectors, mates), left, weights),
                Question(vectors, without_artist, self._sizes, weights),
            )

    def _without(self, vectors: Mapping[str, Vector], rows: Ints) -> Neighbours:
        return {
            space: self._nearest(space, vector[None], rows)[0] for space, vector in vectors.items()
        }

    def _nearest(self, space: str, rows: Matrix, without: Ints = NOTHING) -> list[list[Neighbour]]:
        cosines = rows @ self._indexed.vectors[space].T
        cosines[:, without] = -np.inf
        nearest = min(voting.NEAREST, cosines.shape[1] - len(without))
        order = np.argsort(-cosines, axis=1, kind="stable")[:, :nearest]
        return [
            [
                Neighbour(self._ids[row], self._artists[row], float(cosines[query, row]), rank)
                for rank, row in enumerate(ranked.tolist(), 1)
            ]
            for query, ranked in enumerate(order)
        ]
