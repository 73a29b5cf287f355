"""The Celery tasks. A task is a shell: ids in, `pipeline` called, safe to run twice."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from celery import Celery

from attribution.errors import BackendUnavailable
from attribution.services import Services
from ingest import pipeline

RUN_JOB = "ingest.run_job"


def register(app: Celery, services: Services, *, stopping: Callable[[], bool]) -> None:
    """Add the tasks to `app`; a job ends after the batch in hand once `stopping()` is true."""

    @app.task(
        name=RUN_JOB,
        shared=False,  # two queues in one process would run each other's services
        autoretry_for=(BackendUnavailable,),
        retry_backoff=True,
        retry_jitter=True,
        max_retries=5,
        acks_late=True,
    )
    def run_job(job_id: str) -> None:
        pipeline.run_job(services, UUID(job_id), stopping=stopping)
