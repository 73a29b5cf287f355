"""What a page has done while somebody waits, and few may have done at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from attribution.errors import TooMany

RETRY_AFTER_S = 10


@contextmanager
def permitted(permits: BoundedSemaphore, what: str) -> Iterator[None]:
    """Take one of the permits of this process; raises TooMany where none is left."""
    if not permits.acquire(blocking=False):
        raise TooMany(f"{what}; try again in {RETRY_AFTER_S} s", retry_after_s=RETRY_AFTER_S)
    try:
        yield
    finally:
        permits.release()
