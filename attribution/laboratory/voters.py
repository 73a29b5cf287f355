"""Three voters on the same held-out works: nearest works, exact classifier, trained classifier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from uuid import UUID

import numpy as np

from attribution.arithmetic import voting
from attribution.arithmetic.classifier import Statistics, fit
from attribution.laboratory import metrics
from attribution.laboratory.metrics import Floats
from attribution.laboratory.systems import Indexed
from attribution.laboratory.works import Ints
from attribution.training.checkpoint import Compared
from attribution.training.network import joined
from attribution.types import Matrix, Neighbour, Vector

Shares = Callable[[Mapping[str, Vector]], Mapping[UUID, float]]
"""What a voter says for one image."""


def artist_id(number: int) -> UUID:
    """Return the id that stands for an artist of this number here."""
    return UUID(int=number + 1)


def compare(
    indexed: Indexed,
    held: Indexed,
    trained: Shares,
    progress: Callable[[str, int, int], None],
) -> list[Compared]:
    """Ask every voter about `held`; neighbours and classifier know `indexed`, like `trained`.

    Confidence, for the ECE, is the share of the first artist as the voter gives it.
    """
    ids = [artist_id(one) for one in indexed.artist.tolist()]
    dims = {space: matrix.shape[1] for space, matrix in indexed.vectors.items()}
    classifier = fit(Statistics.of(ids, joined(indexed.vectors)), dims)
    if classifier is None:
        return []
    voters: dict[str, Shares] = {
        voting.NEIGHBOURS: _neighbours(indexed.vectors, ids),
        voting.CLASSIFIER: classifier.shares,
        voting.TRAINED: trained,
    }
    found = []
    for name, voter in voters.items():
        named, confidence = np.zeros(len(held.artist), np.int64), np.zeros(len(held.artist))
        for row in range(len(held.artist)):
            shares = voter({space: matrix[row] for space, matrix in held.vectors.items()})
            first = max(shares, key=lambda one: (shares[one], one))
            named[row], confidence[row] = first.int - 1, shares[first]
            if row % 100 == 0:
                progress(f"asking {name}", row, len(held.artist))
        found.append(_measured(name, named, confidence, held.artist))
    return found


def _measured(name: str, named: Ints, confidence: Floats, truth: Ints) -> Compared:
    is_right = named == truth
    return Compared(
        name,
        metrics.mean(is_right),
        metrics.macro_recall(is_right, truth),
        metrics.ece(confidence, is_right),
    )


def _neighbours(vectors: Mapping[str, Matrix], ids: list[UUID]) -> Shares:
    """Return the first voter, over exact neighbours instead of an index."""
    sizes = Counter(ids)

    def nearest(space: str, vector: Vector) -> list[Neighbour]:
        cosines = vectors[space] @ vector
        order = np.argsort(-cosines, kind="stable")[: voting.NEAREST]
        return [
            Neighbour(UUID(int=row + 1), ids[row], float(cosines[row]), rank)
            for rank, row in enumerate(order.tolist(), 1)
        ]

    def shares(query: Mapping[str, Vector]) -> dict[UUID, float]:
        near = {space: nearest(space, vector) for space, vector in query.items()}
        return {vote.artist_id: vote.share for vote in voting.cast_votes(near, sizes)}

    return shares
