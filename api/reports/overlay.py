"""The regions of an image as a picture: what speaks for an artist glows on the faded image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from attribution.answers import Corner
from attribution.lookup.regions import ArtistRegions
from attribution.types import PATCHES

CELL_PX = 54
STRONG = 0.2  # a margin that glows in full
GLOW = (255, 80, 0)
COVERS = 0.7  # how much of the image the full glow hides


def draw_overlay(image: Image.Image, regions: ArtistRegions) -> Image.Image:
    """Draw what speaks for an artist on an RGB image, its longer side PATCHES * CELL_PX.

    A margin has the same strength of colour in every picture: where little speaks, little glows.
    """
    scale = PATCHES * CELL_PX / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    faded = Image.blend(_grey(image), Image.new("RGB", image.size, "white"), 0.4)
    faded = faded.resize(size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", size, GLOW), faded, _mask(regions, size))


def draw_outline(image: Image.Image, corners: Sequence[Corner]) -> Image.Image:
    """Draw on a copy of an RGB image the outline of what it shares with another one."""
    drawn = image.copy()
    places = [(x * image.width, y * image.height) for x, y in corners]
    width = max(2, max(image.size) // 200)
    ImageDraw.Draw(drawn).polygon(places, outline=GLOW, width=width)
    return drawn


def _grey(image: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def _mask(regions: ArtistRegions, size: tuple[int, int]) -> Image.Image:
    """Return the strength of the glow at every pixel."""
    margins = np.nan_to_num(np.array(regions.cells, dtype=float))
    strength = np.clip(margins / STRONG, 0, 1) * COVERS * 255
    cells = Image.fromarray(strength.astype(np.uint8))
    rows, columns = margins.shape
    glow = cells.resize((columns * CELL_PX, rows * CELL_PX), Image.Resampling.BILINEAR)
    mask = Image.new("L", size)
    mask.paste(glow)
    return mask
