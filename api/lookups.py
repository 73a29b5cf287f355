"""How lookup batches look over HTTP and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.schemas import AttributionBrief
from attribution.catalogue import queries
from attribution.catalogue.models import (
    JobStatus,
    LookupItem,
    LookupKind,
    LookupOutcome,
    RecordedAttribution,
)


class LookupBatchOut(BaseModel):
    """A batch of images."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: LookupKind
    name: str = Field(description="Of the file that was sent.", examples=["downloads.zip"])
    asked_by: str = Field(description="Who sent it, as the audit names them.")
    status: JobStatus
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class LookupBatchDetail(LookupBatchOut):
    """A batch of images, and how far it is."""

    waiting: str | None = Field(description="What keeps it from going on; it goes on by itself.")
    outcomes: dict[LookupOutcome, int] = Field(description="Images by outcome.")

    @classmethod
    def of(cls, session: Session, batch_id: UUID) -> Self:
        """Read a batch as it stands; raises NotFound."""
        row = queries.lookup_batch_by_id(session, batch_id)
        return cls(
            **vars(LookupBatchOut.model_validate(row)),
            waiting=queries.trouble_of(session, batch_id),
            outcomes=queries.lookup_counts(session, batch_id),
        )


class LookupItemOut(BaseModel):
    """What became of one image."""

    position: int
    name: str = Field(
        description="The path in the archive, the URL, the id of the work; of a row without a URL "
        "its line."
    )
    outcome: LookupOutcome
    reason: str | None = Field(description="Why nothing can be said of it.")
    answer: AttributionBrief | None = Field(
        description="The whole one: `GET /v1/attributions/{id}`."
    )
    fetched: dict[str, Any] = Field(
        description="Of a URL: where redirects led, when, and what the server said of the picture."
    )

    @classmethod
    def of(cls, row: tuple[LookupItem, RecordedAttribution | None]) -> Self:
        """Shape a row, and its answer."""
        item, answer = row
        return cls(
            position=item.position,
            name=item.name,
            outcome=item.outcome,
            reason=item.reason,
            answer=AttributionBrief.of(answer) if answer else None,
            fetched=item.fetched,
        )
