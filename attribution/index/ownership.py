"""Who has the folder of an index: a lock that goes with its process, and a note of who that is."""

from __future__ import annotations

import json
import logging
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from attribution.errors import IndexLocked
from attribution.outages import disk_outages
from attribution.whole import written_whole

log = logging.getLogger(__name__)

OWNER = "owner.json"
LOCK = "owner.lock"


class Ownership:
    """The right of one process to a folder, from its making until `release`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Ours beside the engine's, which begins only when a shard has all of its files.
        self._lock = FileLock(folder / LOCK, thread_local=False)
        try:
            with disk_outages(f"the index in {folder}"):
                folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(blocking=False)
        except Timeout:
            raise self._locked() from None
        self._tell_of_a_sudden_end()
        owner = {
            "pid": os.getpid(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_note(folder, OWNER, owner)

    def release(self) -> None:
        """Give the folder free; twice is once."""
        if self._lock.is_locked:
            (self._folder / OWNER).unlink(missing_ok=True)
            self._lock.release()

    def _tell_of_a_sudden_end(self) -> None:
        """Warn where the last owner did not close the folder: damaged files can end a process."""
        if (self._folder / OWNER).exists():
            owner = self._noted()
            log.warning(
                "process %s (%s), which had the index in %s, ended without closing it; if nobody "
                "killed it and it happens again, run `lawful reindex`, which does not open it",
                owner["pid"],
                owner["command"],
                self._folder,
            )

    def _noted(self) -> dict[str, object]:
        owner: dict[str, object] = {
            "pid": "unknown",
            "command": "another program",
            "since": "unknown",
        }
        with suppress(OSError, ValueError):
            owner |= json.loads((self._folder / OWNER).read_text(encoding="utf-8"))
        return owner

    def _locked(self) -> IndexLocked:
        owner = self._noted()
        return IndexLocked(
            f"the index in {self._folder} is in use by process {owner['pid']} "
            f"({owner['command']}, since {owner['since']}); wait for it or stop it, ask its HTTP "
            f"API if it is `lawful serve`, or set LAWFUL_QDRANT_URL to a Qdrant server"
        )


def write_note(folder: Path, name: str, content: object) -> None:
    """Replace a small file whole: a kill leaves the old one or the new one."""
    with disk_outages(f"the index in {folder}"), written_whole(folder / name) as new:
        new.write_text(json.dumps(content), encoding="utf-8")
