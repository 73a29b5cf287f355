"""Ends a worker whose task takes longer than it may: pools without processes have no time limits.

A hung call would keep its batch for ever, as the heartbeat goes on renewing its lease.
"""

from __future__ import annotations

import faulthandler
import time
from threading import Lock
from typing import Any

from celery import Task
from celery.signals import task_postrun, task_prerun

MARGIN_S = 5  # behind Celery's own limit, which ends a process of the prefork pool alone
STDERR = 2  # Celery puts a logger, which has no descriptor, where `sys.stderr` was


class Watchdog:
    """Ends this process once one of its tasks has run for too long; says where that hung.

    The timer is the interpreter's own: it fires while a library holds the interpreter, too. A
    supervisor starts the worker again, and what it had goes to another when the lease runs out.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._ends: dict[str, float] = {}
        self._lock = Lock()

    def watch(self) -> None:
        """Watch every task of this process, and of those that it forks."""
        task_prerun.connect(self._begin)
        task_postrun.connect(self._end)

    def _begin(self, *, task_id: str, task: Task[..., Any], **_: Any) -> None:
        limit_s = task.time_limit or self._limit_s
        with self._lock:
            self._ends[task_id] = time.monotonic() + limit_s + MARGIN_S
            self._set()

    def _end(self, *, task_id: str, **_: Any) -> None:
        with self._lock:
            self._ends.pop(task_id, None)
            self._set()

    def _set(self) -> None:
        """Set the only timer to the task that has to end first."""
        if self._ends:
            left_s = max(min(self._ends.values()) - time.monotonic(), 1e-3)
            faulthandler.dump_traceback_later(left_s, exit=True, file=STDERR)
        else:
            faulthandler.cancel_dump_traceback_later()
