"""Perceptual hashes of an image in all eight positions: turned by quarters, mirrored or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from attribution.images.facts import perceptual_hash

SIDE_PX = 32  # what a perceptual hash reduces its picture to


@dataclass(frozen=True)
class Position:
    """One of eight: mirrored or not, then turned counter-clockwise."""

    is_mirrored: bool = False
    quarter_turns: int = 0

    def matrix(self, size: tuple[int, int], work: tuple[int, int]) -> npt.NDArray[np.float64]:
        """Return what lays a picture, mirrored already, wholly on a work: pixels to pixels."""
        quarter = np.array([(0, 1, 0), (-1, 0, 1), (0, 0, 1)], np.float64)
        turned = np.linalg.matrix_power(quarter, self.quarter_turns)
        whole = np.diag([*work, 1.0]) @ turned @ np.diag([1 / size[0], 1 / size[1], 1.0])
        return np.asarray(whole, np.float64)


POSITIONS = tuple(Position(flip, turns) for flip in (False, True) for turns in range(4))


def hashes(image: Image.Image) -> dict[Position, str]:
    """Return the perceptual hash of an RGB image in every position."""
    small = image.convert("L").resize((SIDE_PX, SIDE_PX), Image.Resampling.LANCZOS)
    found = {}
    for position in POSITIONS:
        shown = ImageOps.mirror(small) if position.is_mirrored else small
        found[position] = perceptual_hash(shown.rotate(90 * position.quarter_turns))
    return found
