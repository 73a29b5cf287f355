"""What is shown of a job, whatever it does."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import JobKind, JobStatus
from attribution.catalogue.queries import JobState

RESOURCES = {
    JobKind.INGEST: "/v1/ingest-jobs",
    JobKind.GENERATION: "/v1/generations",
    JobKind.LOOKUP: "/v1/lookup-batches",
}


class JobStateOut(BaseModel):
    """Where a job stands: works that come in, pictures that are drawn, images looked up."""

    id: UUID
    kind: JobKind
    status: JobStatus
    has_ended: bool = Field(description="Nothing of it comes by itself any more.")
    done: int = Field(description="Files or images, with those in hand; or steps drawn.")
    total: int = Field(description="Of these; 0 until it is known.")
    waiting: str | None = Field(description="What keeps it from going on; it goes on by itself.")
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    location: str = Field(description="Where all about it is, and what came of it.")
    answer: str | None = Field(description="Where the answer to a single lookup is, once it is.")

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
            error=job.error or state.refused,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            location=f"{RESOURCES[state.kind]}/{job.id}",
            answer=f"/v1/attributions/{state.answer}" if state.answer else None,
        )
