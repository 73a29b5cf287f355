"""A torch-free encoder: the same picture, the same vector. For tests and first looks.

It sees colours and coarse forms, and knows words only by their letters: not for attribution.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attribution.encoders.encoder import Lane, ModelInfo
from attribution.types import PATCHES, Matrix, Patches

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = {"clip": 4, "vae_style": 2, "vae_layout": 8}  # grid of each vector


class StubEncoder:
    """Gives `clip`, `vae_style` and `vae_layout` from a picture's colours on coarse grids."""

    text_vector = "clip"
    info = ModelInfo(
        model="stub",
        vectors={name: side * side * 3 for name, side in SIDES.items()},
        lanes=dict(zip(SIDES, Lane, strict=True)),
        revision="1",
        preprocessing="RGB grids",
        license="Apache-2.0",
    )

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        return {
            name: _unit(np.stack([np.asarray(i.resize((side, side)), np.float32) for i in images]))
            for name, side in SIDES.items()
        }

    def encode_text(self, texts: Sequence[str]) -> Matrix:
        """Encode texts by a hash of each: equal texts are equal, others unrelated."""
        seeds = (int.from_bytes(hashlib.sha256(t.encode()).digest()[:8], "big") for t in texts)
        width = self.info.vectors["clip"]
        return _unit(np.stack([np.random.default_rng(seed).random(width) * 255 for seed in seeds]))

    def encode_patches(self, images: Sequence[Image]) -> Patches:
        """Describe every place by the colours of nine points."""
        side, points = PATCHES, 3
        small = (image.resize((side * points, side * points)) for image in images)
        pixels = np.stack([np.asarray(one, np.float32) for one in small]) - 127.5
        grid = pixels.reshape(len(images), side, points, side, points, 3)
        return grid.transpose(0, 1, 3, 2, 4, 5).reshape(len(images), side, side, -1)


def _unit(grids: np.ndarray) -> Matrix:
    rows = grids.reshape(len(grids), -1) + 1  # a black picture has a direction too
    rows = rows - 128.5
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    matrix: Matrix = (rows / lengths).astype(np.float32)
    return matrix
