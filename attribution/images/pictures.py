"""Pictures for people's eyes: few are made at once, as whoever asks for many has to pay nothing.

What large ones need while they are decoded is bounded besides (`decode`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import BoundedSemaphore

from attribution.errors import BackendUnavailable
from attribution.images.decode import Limits, read_image, thumbnail

AT_ONCE = BoundedSemaphore(4)  # of this process
PATIENCE_S = 2.0


@contextmanager
def showing() -> Iterator[None]:
    """Take a turn at making pictures; raises BackendUnavailable where none is free in time."""
    if not AT_ONCE.acquire(timeout=PATIENCE_S):
        raise BackendUnavailable("too many other pictures are being made; try again in a moment")
    try:
        yield
    finally:
        AT_ONCE.release()


def show_image(data: bytes, limits: Limits, *, max_px: int) -> bytes:
    """Return a WebP of an image for people's eyes, of at most `max_px` a side, without metadata.

    Raises BadImage, BackendUnavailable where too many are being made.
    """
    with showing():
        image = read_image(data, replace(limits, max_side_px=max_px))
        return thumbnail(image.rgb, max_px=max_px)
