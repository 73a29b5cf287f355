"""What is shown of a declared non-copy, over HTTP and as JSON in the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from api.schemas import ArtistName
from attribution.catalogue.models import Change, NonCopy, NonCopyState


class RevokedOut(BaseModel):
    """Who has revoked a declaration, when and why."""

    revoked_at: datetime
    by: str | None
    reason: str | None = Field(description="Null: removed with a withdrawal.")
    origin: str

    @classmethod
    def of(cls, row: Change) -> Self:
        """Shape the change that revokes."""
        return cls(revoked_at=row.made_at, by=row.by, reason=row.reason, origin=row.origin)


class NonCopyOut(BaseModel):
    """A person's declaration that an image is no copy of a work."""

    id: UUID = Field(description="Also of its change in `/v1/changes`.")
    state: NonCopyState = Field(description="Only what is in force silences anything.")
    artwork_id: UUID
    title: str | None
    artist: ArtistName
    image_sha256: str = Field(description="Of the file of the image.")
    by: str | None = Field(description="Who, as they call themselves.")
    reason: str | None = Field(description="Null: removed with a withdrawal, or never asked for.")
    declared_at: datetime
    until: datetime | None = Field(description="Null: without an end.")
    origin: str = Field(description="api, or command line with its user.")
    revoked: RevokedOut | None

    @classmethod
    def of(cls, row: NonCopy) -> Self:
        """Shape a row, read with its changes and its work."""
        return cls(
            id=row.id,
            state=row.state,
            artwork_id=row.artwork_id,
            title=row.artwork.title,
            artist=ArtistName.of(row.artwork.artist),
            image_sha256=row.image_sha256,
            by=row.declared.by,
            reason=row.declared.reason,
            declared_at=row.declared.made_at,
            until=row.until,
            origin=row.declared.origin,
            revoked=RevokedOut.of(row.revoked) if row.revoked else None,
        )
