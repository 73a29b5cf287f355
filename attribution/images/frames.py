"""How many frames a file has, without decoding any; there may be as many as bytes allow.

Pillow counts those of a TIFF in quadratic time, and builds all metadata of each on the way. Here
the chains of GIF and TIFF are followed by their offsets alone, and never beyond MOST_FRAMES.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MOST_FRAMES = 1_000


def count_frames(image: ImageFile, data: bytes) -> int:
    """Return how many frames an opened file has, 1 to MOST_FRAMES."""
    frames: Iterable[int]
    match image.format:
        case "TIFF":
            frames = _tiff_directories(data)
        case "GIF":
            frames = _gif_pictures(data)
        case _:  # these have the number in their header
            frames = range(int(getattr(image, "n_frames", 1)))
    return max(1, sum(1 for _ in islice(frames, MOST_FRAMES)))


def _tiff_directories(data: bytes) -> Iterator[int]:
    """Yield the offset of every directory; a chain that leads out of the file or back ends."""
    order = "<" if data.startswith(b"II") else ">"
    is_big = data[2:4] in {b"\x2b\0", b"\0\x2b"}  # BigTIFF: wider offsets, longer entries
    count, offset, entry_bytes, first = ("Q", "Q", 20, 8) if is_big else ("H", "I", 12, 4)
    seen: set[int] = set()
    try:
        (at,) = struct.unpack_from(order + offset, data, first)
        while at and at not in seen:
            (entries,) = struct.unpack_from(order + count, data, at)
            seen.add(at)
            yield at
            behind = at + struct.calcsize(count) + entries * entry_bytes
            (at,) = struct.unpack_from(order + offset, data, behind)
    except (struct.error, LookupError):
        return


def _gif_pictures(data: bytes) -> Iterator[int]:
    """Yield the offset of every picture's descriptor."""
    try:
        at = 13 + _palette_bytes(data[10])
        while data[at] in b"\x2c\x21":
            if data[at] == 0x2C:  # a picture: descriptor, palette, code size
                yield at
                at += 10 + _palette_bytes(data[at + 9]) + 1
            else:  # an extension: its label
                at += 2
            while data[at]:  # blocks of data, the last one empty
                at += 1 + data[at]
            at += 1
    except LookupError:
        return


def _palette_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0
