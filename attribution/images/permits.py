"""How many pixels may be in memory at once: a small file may decode to more than there is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Lock

from attribution.errors import BackendUnavailable

WAIT_S = 5.0  # where somebody waits for the answer
LONGEST_S = 3600.0  # where nobody does; not for ever, as a decoder may hang


class PixelPermits:
    """Lets images be decoded while their pixels together stay below a number; first come first."""

    def __init__(self, most: int) -> None:
        self._most, self._taken = most, 0
        self._next, self._freed = Lock(), Condition()

    @contextmanager
    def taken(self, pixels: int, *, wait_s: float) -> Iterator[None]:
        """Hold permits until the pixels are freed; an image beyond the number has it alone.

        Raises BackendUnavailable when they are not to be had within `wait_s`. Does not nest.
        """
        cost, until = min(pixels, self._most), time.monotonic() + wait_s
        if not self._next.acquire(timeout=wait_s):
            raise _busy()
        try:
            with self._freed:
                if not self._freed.wait_for(
                    lambda: self._taken + cost <= self._most, until - time.monotonic()
                ):
                    raise _busy()
                self._taken += cost
        finally:
            self._next.release()
        try:
            yield
        finally:
            with self._freed:
                self._taken -= cost
                self._freed.notify()


def _busy() -> BackendUnavailable:
    return BackendUnavailable(
        "other large images are being read, and there is no memory for this one as well; try again"
    )


def webp_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height that a WebP declares; None for other formats.

    Its decoder takes memory for all pixels when it is opened, others when pixels are asked for.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    kind = data[12:16]
    if kind == b"VP8X":
        return 1 + _number(data[24:27]), 1 + _number(data[27:30])
    if kind == b"VP8L":
        bits = _number(data[21:25])
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return _number(data[26:28]) & 0x3FFF, _number(data[28:30]) & 0x3FFF


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
