"""Which places of a picture are like whose pictures: pure arithmetic over descriptors of places.

A place is one cell of a grid. It speaks for an artist by how much better it matches the artist's
works than those of any other: white paper and black outlines, which everybody has, cancel out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from attribution.types import PATCHES, Matrix

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

QUIET = 4.0  # of 255: a cell whose channels all deviate less is plain


def squared(image: Image.Image) -> Image.Image:
    """Return an RGB picture on a white square, in its upper left corner.

    No encoder crops or stretches a square, and the grid begins where the picture does.
    """
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image)
    return square


def grid_of(image: Image.Image) -> tuple[int, int]:
    """Return rows and columns of the cells that lie on a picture; PATCHES along its longer side.

    A last cell reaches over the edge by less than its half, or is left out.
    """
    side = max(image.size)
    rows, columns = (max(1, round(PATCHES * length / side)) for length in image.size[::-1])
    return rows, columns


def drawn(image: Image.Image) -> Bools:
    """Return which cells of a picture hold anything, shape `grid_of(image)`."""
    pixels, side = np.asarray(image, dtype=np.float32), max(image.size)
    rows, columns = grid_of(image)
    ends = np.linspace(0, side, PATCHES + 1)
    first, last = np.floor(ends[:-1]).astype(int), np.ceil(ends[1:]).astype(int)
    deviation = [
        [
            pixels[first[row] : last[row], first[column] : last[column]].std((0, 1)).max()
            for column in range(columns)
        ]
        for row in range(rows)
    ]
    return np.array(deviation) > QUIET


def margins(places: Matrix, artists: Sequence[Sequence[Matrix]]) -> Floats:
    """Return by how much places match each artist better than the best of the others.

    `places` has one descriptor a row; every artist has at least one work, every work one
    descriptor a row, and there are at least two artists. Returns shape (artists, places),
    differences of cosines, -2 to 2: positive for one artist at most. An artist's match is the best
    cosine in each work, averaged over the works, so that no artist gains by their number.
    """
    own = _unit(places)
    matches = np.stack(
        [np.mean([(own @ _unit(work).T).max(1) for work in works], axis=0) for works in artists]
    )
    ranked = np.sort(matches, axis=0)
    rival = np.where(matches == ranked[-1], ranked[-2], ranked[-1])
    differences: Floats = (matches - rival).astype(np.float64)
    return differences


def _unit(rows: Matrix) -> Matrix:
    unit: Matrix = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return unit
