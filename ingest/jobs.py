"""The queue of ingest jobs: in process, one thread runs the Celery tasks one after another."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from types import TracebackType
from typing import Self
from uuid import UUID

from celery import Celery

from attribution.catalog import queries
from attribution.services import Services
from ingest.tasks import RUN_JOB, register


class JobQueue:
    """Accepts job ids; the job itself is in the catalogue, so nothing is lost with the process.

    On opening, jobs that an earlier process left unfinished are queued first.
    """

    def __init__(self, services: Services) -> None:
        self._app = Celery("lawful", broker="memory://localhost", set_as_current=False)
        self._app.conf.update(task_always_eager=True, task_eager_propagates=True)
        self._stopping = Event()
        register(self._app, services, stopping=self._stopping.is_set)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ingest")
        with services.sessions() as session:
            self.resumed = tuple(job.id for job in queries.unfinished_jobs(session))
        for job_id in self.resumed:
            self.submit(job_id)

    def submit(self, job_id: UUID) -> Future[object]:
        """Queue a job that is already committed."""
        return self._thread.submit(self._app.tasks[RUN_JOB].delay, str(job_id))

    def close(self) -> None:
        """Finish the batch in hand, leave the rest to the next opening."""
        self._stopping.set()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
