"""A worker process: `celery -A ingest.worker worker` or `lawful worker`, and the beat beside it."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Lock

from celery import Celery
from celery.signals import worker_process_shutdown, worker_shutdown

from attribution.config import Settings
from attribution.services import Services, Stores, open_services, open_stores
from ingest.application import make_app
from ingest.dispatch import send, send_generations
from ingest.tasks import register


class Lazily:
    """Opens stores and models once a process, when a task first needs them: after the fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = Lock()
        self._opened = ExitStack()
        self._stores: Stores | None = None
        self._services: Services | None = None

    def stores(self) -> Stores:
        """Return the catalogue and the files."""
        with self._lock:
            if self._stores is None:
                self._stores = self._opened.enter_context(open_stores(self._settings))
            return self._stores

    def services(self) -> Services:
        """Return everything, models included."""
        with self._lock:
            if self._services is None:
                self._services = self._opened.enter_context(open_services(self._settings))
            return self._services

    def close(self) -> None:
        """Close what was opened."""
        self._opened.close()


def worker_app(settings: Settings) -> Celery:
    """Return the application of a worker process, with its tasks."""
    app, runtime = make_app(settings), Lazily(settings)
    register(
        app,
        runtime,
        stopping=lambda: False,
        submit=lambda keys: send(app, runtime.stores().sessions, keys),
        draw=lambda ids: send_generations(app, runtime.stores().sessions, ids),
    )
    # Held here: signals know their receivers only weakly.
    app.closing = lambda **_: runtime.close()  # type: ignore[attr-defined]
    worker_process_shutdown.connect(app.closing)  # type: ignore[attr-defined]
    worker_shutdown.connect(app.closing)  # type: ignore[attr-defined]
    return app


app = worker_app(Settings())
