"""The vocabulary that several rooms share: arrays, parts of works, nearest works.

Nothing here knows an engine, a framework or a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""One L2-normalised vector, shape (dim,)."""

Matrix = npt.NDArray[np.float32]
"""One L2-normalised vector a row, shape (n, dim)."""

Patches = npt.NDArray[np.float32]
"""Descriptors of the places of images, shape (n, PATCHES, PATCHES, dim), of any length."""

PATCHES = 14  # places a side, whatever the model

Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part, in parts of the sides of the whole."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class Part(NamedTuple):
    """A view of a work that its copies are recognised by: a tile of a strip, or another ground."""

    work: UUID
    number: int  # 0 is the work as it is, seen whole


@dataclass(frozen=True)
class Neighbour:
    """One answer of one leg: cosine for a dense vector, BM25 for `text`. `rank` starts at 1."""

    id: UUID
    artist_id: UUID
    score: float
    rank: int
