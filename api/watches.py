"""What is shown of a watch, over HTTP and as JSON in the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import Watch


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

    @classmethod
    def of(cls, row: Watch) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})
