"""How many frames a file has, without decoding any; there may be as many as bytes allow.

Pillow counts those of a TIFF in quadratic time, and builds all metadata of each on the way. Here
the chains of GIF and TIFF are followed by their offsets alone, and never beyond MOST_FRAMES.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from PIL import JpegImagePlugin

from attribution.images.damage import DAMAGED
from attribution.images.tiff import Tiff

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MOST_FRAMES = 1_000


def count_frames(image: ImageFile, data: bytes) -> int:
    """Return how many frames an opened file has, 1 to MOST_FRAMES.

    Previews, masks and the gain maps of telephones are no frames.
    """
    frames: Iterable[object]
    match image.format:
        case "TIFF":
            found = islice(Tiff(data).chain(), MOST_FRAMES)
            frames = (one for one in found if not (one.is_reduced or one.is_mask))
        case "GIF":
            frames = (label for label, _, _ in gif_blocks(data) if label == 0)
        case "JPEG":
            frames = _jpeg_views(image)
        case _:  # these have the number in their header
            frames = range(int(getattr(image, "n_frames", 1)))
    return max(1, sum(1 for _ in islice(frames, MOST_FRAMES)))


def _jpeg_views(image: ImageFile) -> list[object]:
    """Return the views that a camera with several lenses has put into one file."""
    assert isinstance(image, JpegImagePlugin.JpegImageFile)  # noqa: S101  by its format
    try:
        listed = (image._getmp() or {}).get(0xB002, [])  # noqa: SLF001  there is no other door
        return [one for one in listed if one["Attribute"]["MPType"].startswith("Multi-Frame")]
    except DAMAGED:
        return []


def gif_blocks(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield the blocks of a GIF: label (0: a picture), where its data begin, where they end.

    Data are pieces with their lengths, the last one empty. Where the file breaks off, they end.
    """
    try:
        at = 13 + _palette_bytes(data[10])
        while data[at] in b"\x2c\x21":
            if data[at] == 0x2C:  # a picture: descriptor, palette, code size
                label = 0
                at += 10 + _palette_bytes(data[at + 9]) + 1
            else:
                label = data[at + 1]
                at += 2
            begin = at
            while at < len(data) and data[at]:
                at += 1 + data[at]
            at += 1
            yield label, begin, min(at, len(data))
    except LookupError:
        return


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
