"""The views of one work that its copies are recognised by: the whole, other grounds, tiles.

Tiles overlap by half, so that whatever is cut from a strip fills most of one. A work has MOST_TILES
at most: those of a strip of more than about 48 times its breadth are longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageStat

from attribution.types import WHOLE, Box

STRIP_ASPECT = 3  # longer side to shorter, beyond which a picture is a strip
TILE_ASPECT = 1.5
MOST_TILES = 64
NARROWEST_PX = 64  # a strip of fewer has no tiles: nothing is told apart in them
TILED_SIDE_PX = 256  # of the shorter side, in which tiles are cut
TILED_PIXELS = 2_000_000  # of the whole strip then: 6 MB
BLANK = 3.0  # standard deviation of a channel, of 255, below which a tile shows nothing


@dataclass(frozen=True)
class View:
    """One RGB picture of a work, or of a part of it."""

    part: int  # 0 is the picture itself
    rgb: Image.Image
    box: Box = WHOLE  # where it lies in the work


def is_strip(width: int, height: int) -> bool:
    """Tell whether a picture of this size is described in tiles."""
    shorter, longer = sorted((width, height))
    return shorter >= NARROWEST_PX and longer > STRIP_ASPECT * shorter


def tiled_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a strip in which tiles are cut: no larger than it is."""
    pixels = (TILED_PIXELS / (width * height)) ** 0.5
    scale = min(1.0, TILED_SIDE_PX / min(width, height), pixels)
    return round(width * scale), round(height * scale)


def cut_tiles(strip: Image.Image) -> Iterator[tuple[Box, Image.Image]]:
    """Yield the overlapping tiles of a strip that show something, and where they lie."""
    across, along = sorted(strip.size)
    length = across * max(TILE_ASPECT, 2 * along / across / (MOST_TILES + 1))
    count = max(2, min(MOST_TILES, round(2 * along / length) - 1))
    for number in range(count):
        start = round((along - length) * number / (count - 1))
        stop = min(along, start + round(length))
        is_upright = strip.height > strip.width
        box = (0, start, across, stop) if is_upright else (start, 0, stop, across)
        tile = strip.crop(box)
        if max(ImageStat.Stat(tile).stddev) >= BLANK:
            left, top, right, bottom = box
            width, height = strip.size
            yield (left / width, top / height, right / width, bottom / height), tile
