"""The progress of what workers do, as a bar that stays until it has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from api.cli.common import progress_bar, status_console
from attribution.errors import BackendUnavailable

if TYPE_CHECKING:
    from attribution.catalogue.models import JobStatus
    from ingest.work.jobs import JobQueue

UNFINISHED = ("listing", "queued", "running")
POLL_S = 0.2
OUTAGE_POLL_S = 2

Ended = TypeVar("Ended")


@dataclass(frozen=True)
class Stand:
    """How far a job is."""

    status: JobStatus
    done: int
    total: int
    waiting: str | None  # what keeps it from going on
    error: str | None  # what ended it


def watch(
    queue: JobQueue, look: Callable[[], Stand], end: Callable[[Stand], Ended], *, resumes: str
) -> Ended:
    """Show the progress of a job until it ends; returns what `end` makes of that.

    `resumes` is told to who interrupts. An outage is waited for: the job does not depend on who
    watches it.
    """
    from ingest.patience import brief

    console = status_console()
    try:
        with progress_bar(console) as bar:
            task = bar.add_task("starting")
            while True:
                try:
                    seen = look()
                    trouble = queue.waiting or brief(seen.waiting or "")
                    state = f"waiting: {trouble}" if trouble else seen.status.value
                    bar.update(task, completed=seen.done, total=seen.total, description=state)
                    if seen.status not in UNFINISHED:
                        return end(seen)
                except BackendUnavailable as error:
                    bar.update(task, description=f"waiting: {queue.waiting or brief(error)}")
                    time.sleep(OUTAGE_POLL_S)
                time.sleep(POLL_S)
    except KeyboardInterrupt:
        console.print(resumes)
        raise
