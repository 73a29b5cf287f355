"""Files that no process leaves behind, below LAWFUL_HOME: there is room where uploads are kept.

The folder for temporary files of a system is often small, or in memory.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from attribution.outages import disk_outages

TEMPORARY = "temporary"
LOCK = ".lock"  # behind the name of a folder: held by the process that uses it


@contextmanager
def temporary_folder(home: Path) -> Iterator[Path]:
    """Make a folder for the block and delete it; one that a killed process has left goes first.

    Raises InsufficientStorage, BackendUnavailable, from within the block too.
    """
    root = home / TEMPORARY
    with disk_outages(f"LAWFUL_HOME={home}"):
        root.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(root)
        folder = root / uuid4().hex
        with _held(folder, blocking=True):  # who tidies may look at it just now
            folder.mkdir(mode=0o700)
            yield folder


def _forget_abandoned(root: Path) -> None:
    for lock in root.glob(f"*{LOCK}"):
        try:
            with _held(lock.with_suffix(""), blocking=False):
                pass
        except Timeout:  # its process lives
            continue


@contextmanager
def _held(folder: Path, *, blocking: bool) -> Iterator[None]:
    """Hold the lock of a folder and delete both afterwards; raises Timeout where another has it."""
    path = folder.with_suffix(LOCK)
    with FileLock(path, blocking=blocking, thread_local=False):
        try:
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            path.unlink(missing_ok=True)
