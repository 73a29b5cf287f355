"""What the engine says that cannot be: its files are damaged, whatever they still answer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from qdrant_client import models

from attribution.errors import IndexDamaged

LARGEST = 1.01  # of a cosine, as the engine rounds it


def damaged(said: str) -> IndexDamaged:
    """Return the error for an index whose files are damaged."""
    return IndexDamaged(
        f"the index is damaged: {said}; run `lawful reindex`, which makes it anew from what is kept"
    )


def check_scores(points: Iterable[models.ScoredPoint], *, at_most: float = math.inf) -> None:
    """Raise IndexDamaged for scores that are no numbers, or larger than they can be."""
    for point in points:
        if not (math.isfinite(point.score) and abs(point.score) <= at_most):
            raise damaged(f"artwork {point.id} has the score {point.score}")
