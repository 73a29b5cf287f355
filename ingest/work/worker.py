"""A worker: `celery -A ingest.work.worker worker` or `lawful worker`, and the beat beside it."""

from __future__ import annotations

import logging
import tempfile
import warnings
from contextlib import ExitStack, suppress
from ctypes import c_bool, c_char
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from threading import Lock
from typing import Any

from celery import Celery, Task
from celery.exceptions import CPendingDeprecationWarning
from celery.signals import (
    celeryd_after_setup,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    worker_process_shutdown,
    worker_shutdown,
    worker_shutting_down,
)
from celery.worker.control import inspect_command

from attribution import logs
from attribution.collection import Stores, check_encoders, open_stores
from attribution.config import Settings
from attribution.encoders.memory import give_back_memory
from attribution.errors import LawfulError
from attribution.services import Services, open_services
from ingest.lease import said_by
from ingest.work.application import make_app
from ingest.work.dispatch import DRAW, LOOK_UP, READYZ, TRAIN, send
from ingest.work.tasks import CALIBRATE, COUNT, MAP, register
from ingest.work.watchdog import Watchdog

LONGEST_TROUBLE = 2000  # bytes
LARGE = {CALIBRATE, COUNT, DRAW, LOOK_UP, MAP, TRAIN}  # tasks that take much memory, or models
READY = Path(tempfile.gettempdir()) / "lawful-worker"
"""What a supervisor looks at: touched every two seconds, as long as the worker hears its broker."""


class Lazily:
    """Opens stores and models once a process, when a task first needs them: after the fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._opened = ExitStack()
        self._stores: Stores | None = None
        self._services: Services | None = None
        # Shared with the processes that are forked: they open, the one that forks them is asked.
        self._trouble = RawArray(c_char, LONGEST_TROUBLE)

    @property
    def trouble(self) -> str:
        """What last kept a process of this worker from using its models; empty: nothing."""
        return bytes(self._trouble.value).decode(errors="ignore")

    def stores(self) -> Stores:
        """Return the catalogue and the files."""
        with self._lock:
            if self._stores is None:
                self._stores = self._opened.enter_context(open_stores(self._settings))
            return self._stores

    def services(self) -> Services:
        """Return everything, models included; raises ProfileChanged once these are others'."""
        with self._lock:
            try:
                if self._services is None:
                    self._services = self._opened.enter_context(open_services(self._settings))
                with self._services.sessions() as session:
                    check_encoders(session, self._services.row)
            except Exception as error:
                self._trouble.value = said_by(error).encode()[: LONGEST_TROUBLE - 1]
                raise
            self._trouble.value = b""
            return self._services

    def close(self) -> None:
        """Close what was opened."""
        self._opened.close()


def readiness(settings: Settings, runtime: Lazily) -> dict[str, str]:
    """Return of each part that a worker rests on "ok", or what is wrong with it."""
    said = dict.fromkeys(("database", "storage"), "ok")
    try:
        with open_stores(settings) as stores:  # its own: connections do not survive a fork
            try:
                stores.store.check()
            except LawfulError as error:
                said["storage"] = str(error)
    except LawfulError as error:
        said["database"] = str(error)
    return said | {"models": runtime.trouble or "ok"}


@inspect_command(name=READYZ)
def _readyz(state: Any) -> dict[str, str]:
    checks: dict[str, str] = state.app.readiness()
    return checks


@setup_logging.connect
def _log(loglevel: int, **_: object) -> None:
    """Log as the other processes do, in place of Celery's own lines."""
    logs.set_up(lambda: Settings().log_format)
    logging.getLogger().setLevel(loglevel)


@celeryd_after_setup.connect
def _finish_in_silence(**_: object) -> None:
    """Have an outage of the broker say nothing of a later Celery's default, which is set here."""
    warnings.filterwarnings("ignore", r"\s*In Celery 5\.1", CPendingDeprecationWarning)


@task_postrun.connect
def _give_back(*, task: Task[..., Any], **_: object) -> None:
    """Give back what batches and this have kept: the next batch would grow on top of it."""
    if task.name in LARGE:
        give_back_memory()


def note_ready(runtime: Lazily) -> None:
    """Touch READY, unless a process of this worker cannot use its models."""
    if not runtime.trouble:
        with suppress(OSError):  # another user's worker on this machine has it
            READY.touch()


def worker_app(settings: Settings) -> Celery:
    """Return the application of a worker process, with its tasks."""
    app, runtime = make_app(settings), Lazily(settings)
    # Shared with the processes that are forked: the one that forks them is told to stop.
    is_stopping = RawValue(c_bool, False)  # noqa: FBT003  its first value
    register(
        app,
        runtime,
        stopping=lambda: bool(is_stopping.value),
        submit=lambda keys: send(app, runtime.stores().sessions, keys),
    )
    app.readiness = lambda: readiness(settings, runtime)  # type: ignore[attr-defined]
    # Held here: signals know their receivers only weakly.
    app.watchdog = Watchdog(settings.batch_time_limit_s)  # type: ignore[attr-defined]
    app.watchdog.watch()  # type: ignore[attr-defined]
    app.stopping = lambda **_: setattr(is_stopping, "value", True)  # type: ignore[attr-defined]
    worker_shutting_down.connect(app.stopping)  # type: ignore[attr-defined]
    app.beating = lambda **_: note_ready(runtime)  # type: ignore[attr-defined]
    heartbeat_sent.connect(app.beating)  # type: ignore[attr-defined]
    app.closing = lambda **_: runtime.close()  # type: ignore[attr-defined]
    worker_process_shutdown.connect(app.closing)  # type: ignore[attr-defined]
    worker_shutdown.connect(app.closing)  # type: ignore[attr-defined]
    return app


app = worker_app(Settings())
