"""Whether a JPEG without its last bytes is whole, or was cut off within its pixels.

A decoder fills up what is missing with grey and says nothing. So noise is put behind the bytes
that are there: where it changes no pixel, all of them were there.
"""

from __future__ import annotations

import hashlib
import io
from collections import defaultdict

from PIL import JpegImagePlugin

from attribution.images.damage import DAMAGED

END = b"\xff\xd9"
START_OF_SCAN = b"\xff\xda"
ROWS = 256  # hashed at once
# Beginning with a one, while a decoder fills up with zeros, and with every marker of a restart.
NOISE = b"".join(
    hashlib.sha256(bytes([number])).digest().replace(b"\xff", b"\xaa")
    + bytes([0xFF, 0xD0 + number])
    for number in range(8)
)


def with_end(data: bytes, max_pixels: int) -> bytes | None:
    """Return a JPEG with the end that it lacks; None unless all its pixels are there."""
    if not data.startswith(b"\xff\xd8"):
        return None
    body = data.rstrip(b"\xff")
    try:
        whole = _digest(body + END, max_pixels)
        if whole is None or whole != _digest(body + b"\xaa" + NOISE + END, max_pixels):
            return None
    except DAMAGED:
        return None
    return body + END


def _digest(data: bytes, max_pixels: int) -> bytes | None:
    """Hash the pixels; None where there are too many, or where finer scans are missing."""
    image = JpegImagePlugin.JpegImageFile(io.BytesIO(data))
    if image.width * image.height > max_pixels:
        return None
    if "progressive" in image.info and not _has_all_scans(data, len(image.layer)):
        return None
    image.load()
    digest = hashlib.sha256()
    for top in range(0, image.height, ROWS):
        rows = (0, top, image.width, min(top + ROWS, image.height))
        digest.update(image.crop(rows).tobytes())
    return digest.digest()


def _has_all_scans(data: bytes, layers: int) -> bool:
    """Whether the scans of a progressive JPEG bring all frequencies of all layers to full depth."""
    done: dict[int, set[int]] = defaultdict(set)
    at = data.find(START_OF_SCAN)
    while 0 <= at < len(data) - 4:
        count = data[at + 4]
        first, last, depth = data[at + 5 + 2 * count : at + 8 + 2 * count]
        if depth & 0x0F == 0:
            for number in range(count):
                done[data[at + 5 + 2 * number]] |= {*range(first, last + 1)}
        at = data.find(START_OF_SCAN, at + 2)
    return sum(len(found) >= 64 for found in done.values()) == layers
