"""Outages of this machine: a disk that is full or may not be written, named as such in one place.

Whoever waits for an outage shows what stands before the semicolon of its message.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from attribution.errors import BackendUnavailable, InsufficientStorage

FULL = "the disk is full"
MAKE_ROOM = "make room on it"
CAUSES = {
    errno.ENOSPC: (InsufficientStorage, FULL, MAKE_ROOM),
    errno.EDQUOT: (
        InsufficientStorage,
        "the quota of this user is used up",
        "delete files or have it raised",
    ),
    errno.EROFS: (
        BackendUnavailable,
        "the disk is read-only",
        "mount it so that it can be written",
    ),
}


def disk_full(where: object) -> InsufficientStorage:
    """Return what a disk without room is reported as."""
    return InsufficientStorage(f"{FULL} ({where}); {MAKE_ROOM}")


def disk_outage(error: OSError, where: object) -> BackendUnavailable | None:
    """Return what a disk that is full or read-only is reported as; None for any other error."""
    if error.errno not in CAUSES:
        return None
    kind, cause, way_out = CAUSES[error.errno]
    return kind(f"{cause} ({where}); {way_out}")


@contextmanager
def disk_outages(where: object) -> Iterator[None]:
    """Raise InsufficientStorage, BackendUnavailable for a disk that is full or read-only."""
    try:
        yield
    except OSError as error:
        if outage := disk_outage(error, where):
            raise outage from error
        raise
