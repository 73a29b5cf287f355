"""How statements of consent look over HTTP and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import Consent
from attribution.catalogue.queries import Standing
from attribution.consents import Answer, ConsentPurpose, ConsentSource, is_allowed
from attribution.lookup import wording


class ConsentOut(BaseModel):
    """One statement; the last one in force counts."""

    id: UUID
    summary: str
    artist: str | None = Field(description="Slug, where it is about the whole portfolio.")
    artwork_id: UUID | None
    purpose: ConsentPurpose
    answer: Answer
    source: ConsentSource
    document: str | None = Field(description="Where it is written: an address, or words.")
    valid_from: datetime | None
    valid_until: datetime | None = Field(description="From then on it says nothing.")
    said_at: datetime
    by: str = Field(description="Who said it here, as the audit names them, or the ingest job.")
    job: UUID | None
    ended_at: datetime | None = Field(description="When a withdrawal ended it.")

    @classmethod
    def of(cls, row: Consent) -> Self:
        """Shape a row, read with its artist."""
        names = (
            *("id", "artwork_id", "purpose", "answer", "source", "document", "valid_from"),
            *("valid_until", "said_at", "by", "ended_at"),
        )
        return cls(
            **{name: getattr(row, name) for name in names},
            summary=wording.consent_said(row.purpose, row),
            artist=row.artist.slug if row.artist else None,
            job=row.job_id,
        )


class StandingOut(BaseModel):
    """What holds for one purpose of a work now, and why."""

    purpose: ConsentPurpose
    allowed: bool = Field(description="Whether a machine may do it.")
    summary: str = Field(description="Who said so, when and where.")
    statement: UUID | None = Field(description="Null: nobody has said anything.")

    @classmethod
    def all_of(cls, stands: Standing) -> list[Self]:
        """Shape what stands for a work, purpose by purpose."""
        return [
            cls(
                purpose=ConsentPurpose(purpose),
                allowed=is_allowed(purpose, row),
                summary=wording.consent_said(purpose, row),
                statement=row.id if row else None,
            )
            for purpose, row in stands.items()
        ]
