"""Makers of small portfolios with works that are easy to tell apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, *, side: int = 64) -> Image.Image:
    """Return a picture of large coloured blocks: the same seed, the same picture."""
    blocks = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST)


def portfolio(folder: Path, artists: int = 3, works: int = 4) -> Path:
    """Write a folder an artist, artist-0, artist-1, …, with works that differ."""
    for artist in range(artists):
        own = folder / f"artist-{artist}"
        own.mkdir(parents=True)
        for work in range(works):
            picture(100 * artist + work).save(own / f"work-{work}.png")
    return folder
