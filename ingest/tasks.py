"""The Celery tasks. A task is a shell: ids in, one function called, safe to run twice.

Queues are by kind: `ingest` for what reads and unpacks, `encode` for what needs models, `generate`
for what draws, `maintenance` for what looks after the stores.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol
from uuid import UUID

from celery import Celery

from attribution.catalog import queries
from attribution.catalog.queries import BatchKey
from attribution.errors import BackendUnavailable
from attribution.reconcile import reconcile
from attribution.services import Services, Stores, open_collection
from ingest import pipeline
from ingest.dispatch import DRAW, LIST_UPLOAD, RUN_BATCH
from ingest.generations import run_generation
from ingest.uploads import list_upload

log = logging.getLogger(__name__)

SWEEP = "maintenance.sweep"
RECONCILE = "maintenance.reconcile"
BACKEND_TRIES: dict[str, Any] = {
    "autoretry_for": (BackendUnavailable,),  # nothing else gets better by itself
    "retry_backoff": True,
    "retry_backoff_max": 60,
    "retry_jitter": True,
    "max_retries": 5,  # then the sweep sends it again
    "acks_late": True,
    # Two queues in one process would run each other's services.
    "shared": False,
}


class Runtime(Protocol):
    """What a process that runs tasks has opened, or opens when a task first needs it."""

    def stores(self) -> Stores:
        """Return the catalogue and the files."""
        ...

    def services(self) -> Services:
        """Return everything, models included."""
        ...


def register(
    app: Celery,
    runtime: Runtime,
    *,
    stopping: Callable[[], bool],
    submit: Callable[[Sequence[BatchKey]], None],
    draw: Callable[[Sequence[UUID]], None],
) -> None:
    """Add the tasks to `app`; what runs ends early once `stopping()` is true.

    `submit` has the batches run that a listing has made; `draw` and it have run what waits.
    """

    @app.task(name=LIST_UPLOAD, **BACKEND_TRIES)
    def list_one(job_id: str, _number: int) -> None:
        list_upload(runtime.stores(), UUID(job_id))
        with runtime.stores().sessions() as session:
            keys = queries.open_batches(session, UUID(job_id))
        submit(keys)

    @app.task(name=RUN_BATCH, **BACKEND_TRIES)
    def run_batch(job_id: str, number: int) -> None:
        pipeline.run_batch(runtime.services(), (UUID(job_id), number), stopping=stopping)

    @app.task(name=DRAW, **BACKEND_TRIES)
    def draw_one(generation_id: str) -> None:
        run_generation(runtime.services(), UUID(generation_id), stopping=stopping)

    @app.task(name=SWEEP, shared=False)
    def sweep() -> int:
        """Send what waits and has no message, or lost it."""
        sessions = runtime.stores().sessions
        with sessions.begin() as session:
            keys, requests = queries.sweep(session), queries.sweep_generations(session)
        submit(keys)
        draw(requests)
        return len(keys) + len(requests)

    @app.task(name=RECONCILE, shared=False)
    def reconcile_stores() -> dict[str, Any]:
        """Compare catalogue and index, and repair."""
        stores = runtime.stores()
        with open_collection(stores) as index:
            report = reconcile(stores, index, repair=True)
        log.log(logging.INFO if report.is_clean else logging.WARNING, "reconciled: %s", report)
        return report.as_json()
