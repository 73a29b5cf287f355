"""Files and folders that only their owner may read: a collection is nobody else's business."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
OTHERS = 0o077
OURS = (  # how the names begin of what this program puts there
    *("lawful.db", "index", "thumbnails", "originals", "incoming", "generations", "temporary"),
    *("trained", "credentials", "demo", "dev", "report.html", "storage", "postgres", "redis"),
    *("logs", "evidence", "session.key", "."),
)


def make_private_folder(path: Path) -> None:
    """Make a folder, or close one of ours to others; raises OSError where it cannot be made.

    One that holds something of others, such as /tmp or /srv, is left as it is.
    """
    path.mkdir(mode=FOLDER, parents=True, exist_ok=True)
    with os.scandir(path) as entries:
        is_ours = all(entry.name.startswith(OURS) for entry in entries)
    if is_ours and not path.stat().st_mode & stat.S_ISVTX:
        _close(path, FOLDER)


def make_private_file(path: Path) -> None:
    """Make an empty file where there is none, or close one of ours to others, where that can be."""
    with suppress(OSError):  # whoever opens it says better what is wrong
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, FILE))
        _close(path, FILE)


def _close(path: Path, mode: int) -> None:
    """Take others' permissions away; what another user owns is theirs to decide on."""
    found = path.stat()
    if found.st_uid == os.geteuid() and found.st_mode & OTHERS:
        path.chmod(mode)
