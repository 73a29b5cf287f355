"""Statements about the batches of an ingest job: made, in hand, counted, cancelled, retried.

Who runs one is decided in `leases`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import IngestJob, JobStatus, Task, TaskKind, TaskStatus
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.leases import held_by
from attribution.catalogue.queries.tasks import TaskKey, settle
from attribution.catalogue.queries.webhooks import announce_end
from attribution.errors import Conflict, Hint, NotFound, Way

FILES_PER_BATCH = 128
FRESH: Mapping[str, Any] = {  # what a task has that is tried as if for the first time
    "attempts": 0,
    "deaths": 0,
    "begun": Task.first,
    "alone": None,
    "sent_at": None,
    "error": None,
}


def add_listing(session: Session, job_id: UUID) -> None:
    """Have the files of an upload listed by a worker."""
    session.add(Task(kind=TaskKind.LIST, subject=job_id, number=0))
    session.flush()


def add_batches(session: Session, job_id: UUID, files: int) -> None:
    """Cut the files of a job into batches, and have the job wait for its workers."""
    moment = now()
    rows = [
        {
            "kind": TaskKind.INGEST,
            "subject": job_id,
            "number": number,
            "first": first,
            "begun": first,
            "stop": min(first + FILES_PER_BATCH, files),
            "created_at": moment,
        }
        for number, first in enumerate(range(0, files, FILES_PER_BATCH), 1)
    ]
    if rows:
        session.execute(insert(Task), rows)
    settle(session, TaskKey(TaskKind.INGEST, job_id))  # without files there is nothing to wait for


def hold_files(
    session: Session, key: TaskKey, *, owner: str, begun: int, alone: int | None
) -> None:
    """Note which files are about to be read: those before `begun`, or the one at `alone`.

    A process that dies with another file alone has got on: it is known which file to suspect.
    """
    deaths = Task.deaths if alone is None else case((Task.alone == alone, Task.deaths), else_=0)
    session.execute(
        update(Task).where(held_by(key, owner)).values(begun=begun, alone=alone, deaths=deaths)
    )


def batch_counts(session: Session, job_id: UUID) -> dict[TaskStatus, int]:
    """Count the batches of a job by state, zeros too."""
    statement = (
        select(Task.status, func.count()).where(Task.subject == job_id).group_by(Task.status)
    )
    return dict.fromkeys(TaskStatus, 0) | dict(session.execute(statement).all())


def open_counts(session: Session) -> dict[tuple[TaskKind, TaskStatus], int]:
    """Count the tasks that are not done, by kind and state; those that are done cost nothing."""
    unfinished = [one for one in TaskStatus if one is not TaskStatus.DONE]
    counted = (
        select(Task.kind, Task.status, func.count())
        .where(Task.status.in_(unfinished))
        .group_by(Task.kind, Task.status)
    )
    return {(kind, status): number for kind, status, number in session.execute(counted)}


def cancel_job(session: Session, job_id: UUID) -> None:
    """Have a job end after the files in hand; raises NotFound, Conflict when it has ended."""
    job = _locked(session, job_id)
    if job.status not in UNFINISHED:
        raise Conflict(f"job {job_id} is {job.status}: there is nothing left to cancel")
    job.status = JobStatus.CANCELLED
    job.finished_at = now()
    note(session, "cancel", f"job:{job_id}")
    announce_end(session, job)


def retry_job(session: Session, job_id: UUID) -> None:
    """Have a failed or cancelled job go on where it stopped; raises NotFound, Conflict."""
    job = _locked(session, job_id)
    if job.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
        raise Conflict(f"job {job_id} is {job.status}; only a failed or cancelled one goes on")
    revive_tasks(session, job_id)
    job.status = JobStatus.QUEUED
    job.error = job.finished_at = None
    note(session, "retry", f"job:{job_id}")
    session.flush()
    settle(session, TaskKey(TaskKind.INGEST, job_id))  # it may have to be listed, or be done


def revive_tasks(session: Session, subject: UUID) -> None:
    """Have the dead tasks of a job tried again as if for the first time."""
    session.execute(
        update(Task)
        .where(Task.subject == subject, Task.status == TaskStatus.DEAD)
        .values(status=TaskStatus.QUEUED, **FRESH)
    )


def _locked(session: Session, job_id: UUID) -> IngestJob:
    job = session.get(IngestJob, job_id, with_for_update=True, populate_existing=True)
    if job is None:
        raise NotFound(f"no ingest job {job_id}", hint=Hint(Way.LIST_JOBS))
    return job
