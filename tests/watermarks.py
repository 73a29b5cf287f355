"""A watermarker for tests: bits in the brightness of the cells of a grid."""

from __future__ import annotations

import numpy as np
from PIL import Image

ROWS, COLUMNS = 9, 8  # the last row checks the others
STEP = 24  # grey values between two that mean the same bit


class GridMarker:
    """Shifts each cell of a grid to a mean that is a multiple of STEP, or halfway between two."""

    algorithm = "org.example.grid"
    capacity = (ROWS - 1) * COLUMNS

    def load(self) -> None:
        """Do nothing: there are no weights."""

    def embed(self, image: Image.Image, payload: str) -> Image.Image:
        """Embed; see `attribution.generation.watermarks.Watermarker`."""
        bits = np.array([int(bit) for bit in payload]).reshape(-1, COLUMNS)
        pixels = np.asarray(image.convert("RGB"), np.float64).copy()
        for cell, bit in zip(cells(pixels), (*bits.ravel(), *_check(bits)), strict=True):
            wanted = (np.round(cell.mean() / STEP - bit / 2).clip(1, 9) + bit / 2) * STEP
            for _ in range(8):  # what is black or white already cannot follow at once
                cell[:] = np.clip(cell + wanted - cell.mean(), 0, 255)
        return Image.fromarray(np.round(pixels).astype(np.uint8))

    def read(self, image: Image.Image) -> str | None:
        """Read; see `attribution.generation.watermarks.Watermarker`."""
        means = np.array([cell.mean() for cell in cells(np.asarray(image, np.float64))])
        bits = (np.round(means / STEP * 2).astype(int) % 2).reshape(-1, COLUMNS)
        if (_check(bits[:-1]) != bits[-1]).any():
            return None
        return "".join(map(str, bits[:-1].ravel()))

    def binding(self, payload: str) -> str:
        """Return the bits as they are."""
        return payload


def cells(pixels: np.ndarray) -> list[np.ndarray]:
    """Return the parts of an image, views on it."""
    return [
        cell
        for rows in np.array_split(pixels, ROWS)
        for cell in np.array_split(rows, COLUMNS, axis=1)
    ]


def _check(bits: np.ndarray) -> np.ndarray:
    checks: np.ndarray = bits.sum(axis=0) % 2
    return checks
