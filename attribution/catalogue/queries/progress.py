"""Statements about how far a job of any kind is; made to be asked every second."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from attribution.catalogue.models import (
    Generation,
    IngestJob,
    JobKind,
    LookupBatch,
    LookupKind,
    Task,
    TaskStatus,
)
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.lookups import single_lookup
from attribution.catalogue.queries.tasks import Subject, trouble_of
from attribution.errors import NotFound


@dataclass(frozen=True)
class JobState:
    """Where a job stands."""

    kind: JobKind
    job: Subject
    done: int  # of files or images, with those in hand; of a generation's steps
    total: int  # 0 until it is known
    waiting: str | None  # what keeps an unfinished one from going on
    answer: UUID | None = None  # of a single lookup
    refused: str | None = None  # why a single lookup has none

    @property
    def has_ended(self) -> bool:
        """Whether nothing of it comes by itself any more."""
        return self.job.status not in UNFINISHED


def state_of_job(session: Session, job_id: UUID) -> JobState:
    """Return where a job of any kind stands; raises NotFound."""
    if drawing := session.get(Generation, job_id):
        done, total = drawing.done, drawing.steps
        return JobState(JobKind.GENERATION, drawing, done, total, trouble_of(session, job_id))
    if job := session.get(IngestJob, job_id):
        done, total = _files(session, job_id)
        return JobState(JobKind.INGEST, job, done, total, trouble_of(session, job_id))
    if batch := session.get(LookupBatch, job_id):
        done, total = _files(session, job_id)
        single = single_lookup(session, job_id) if batch.kind is LookupKind.IMAGE else None
        said = (single.attribution_id, single.reason) if single else (None, None)
        trouble = trouble_of(session, job_id)
        return JobState(JobKind.LOOKUP, batch, done, total, trouble, *said)
    raise NotFound(
        f"no job {job_id}; GET /v1/ingest-jobs, /v1/generations and /v1/lookup-batches list them"
    )


def _files(session: Session, job_id: UUID) -> tuple[int, int]:
    """Return how far a job is by its batches: their files are a hundred times as many rows."""
    is_done = Task.status == TaskStatus.DONE
    done = case((is_done, Task.stop), else_=Task.begun) - Task.first
    counted = select(func.sum(done), func.sum(Task.stop - Task.first))
    found, total = session.execute(counted.where(Task.subject == job_id)).one()
    return found or 0, total or 0
