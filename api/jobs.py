"""What is shown of a job, whatever it does."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import JobStatus
from attribution.catalogue.queries import JobKind, JobState

RESOURCES = {JobKind.INGEST: "/v1/ingest-jobs", JobKind.GENERATION: "/v1/generations"}


class JobStateOut(BaseModel):
    """Where a job stands: an upload on its way in, or pictures that are drawn."""

    id: UUID
    kind: JobKind
    status: JobStatus
    has_ended: bool = Field(description="Nothing of it comes by itself any more.")
    done: int = Field(description="Files read, with those in hand; or steps drawn.")
    total: int = Field(description="Of these; 0 until it is known.")
    waiting: str | None = Field(description="What keeps it from going on; it goes on by itself.")
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    location: str = Field(description="Where all about it is, and what came of it.")

    @classmethod
    def of(cls, state: JobState) -> Self:
        """Shape a state."""
        job = state.job
        return cls(
            id=job.id,
            kind=state.kind,
            status=job.status,
            has_ended=state.has_ended,
            done=state.done,
            total=state.total,
            waiting=state.waiting,
            error=job.error,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            location=f"{RESOURCES[state.kind]}/{job.id}",
        )
