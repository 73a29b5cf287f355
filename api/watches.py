"""What is shown of a watch, over HTTP and as JSON in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from attribution.catalogue.models import Quarantine, Watch
from attribution.catalogue.queries import watches


class QuarantineOut(BaseModel):
    """A work that opens no cases, because it has opened far more than usual."""

    artwork_id: UUID
    at: datetime
    cases: int = Field(description="That it opened in the 24 hours before.")
    usual: float = Field(description="Cases a day in the 30 days before those.")

    @classmethod
    def of(cls, row: Quarantine) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class WatchOut(BaseModel):
    """An artist's works, or an image that was asked about, that the desk watches."""

    id: UUID
    artist: str | None = Field(description="Slug; after a merge it leads to the other artist,")
    subject_id: UUID | None = Field(description="or an image that was asked about.")
    why: str
    by: str
    at: datetime
    until: datetime | None = Field(description="Null: until somebody ends it.")
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None
    quarantined: list[QuarantineOut] = Field(description="Works that open no cases.")

    @classmethod
    def read(cls, session: Session, rows: Sequence[Watch]) -> list[Self]:
        """Shape rows, with the works in quarantine."""
        quarantined = watches.quarantined(session, [row.id for row in rows])
        shown = cls.model_fields.keys() - {"quarantined"}
        return [
            cls(
                **{name: getattr(row, name) for name in shown},
                quarantined=[QuarantineOut.of(one) for one in quarantined.get(row.id, ())],
            )
            for row in rows
        ]
