"""How images that were asked about look over HTTP and with --json."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import Subject, SubjectUse
from attribution.custody import Forgotten, How, Kept, Purpose
from attribution.lookup import wording


class SubjectOut(BaseModel):
    """An image that was asked about, and what is kept of it."""

    id: UUID
    summary: str = Field(description="What is kept until when, or why it went.")
    image_sha256: str
    media_type: str
    width: int
    height: int
    size_bytes: int
    kept: Kept
    asked_at: datetime = Field(description="For the first time.")
    until: datetime | None = Field(description="When the image is deleted, while it is kept.")
    forgotten_at: datetime | None
    forgotten_why: Forgotten | None
    reason: str | None = Field(description="Of whoever asked for it to be deleted.")
    receipt: UUID | None = Field(description="The withdrawal that took it.")

    @classmethod
    def of(cls, row: Subject, last: SubjectUse | None = None) -> Self:
        """Shape a row, with where its bytes lie by the last question about it, if that is known."""
        shown = {name: getattr(row, name) for name in SubjectOut.model_fields if name != "summary"}
        return cls(**shown, summary=wording.image_kept(row, last))


class UseOut(BaseModel):
    """One question about an image."""

    attribution: UUID
    at: datetime
    by: str = Field(description="Who asked, as the audit names them.")
    how: How = Field(description="Where its bytes came from.")
    purpose: Purpose | None
    job: UUID | None = Field(description="The lookup batch, or the request for pictures.")
    position: int | None = Field(description="Among the images of the job.")
    source_sha256: str | None = Field(
        description="Of the canonical JSON (RFC 8785) of `fetched` of that image, for a URL."
    )


class SubjectDetail(SubjectOut):
    """An image with its chain of custody."""

    uses: list[UseOut] = Field(description="The last 500 questions about it, the newest first.")

    @classmethod
    def of_uses(cls, row: Subject, uses: Sequence[SubjectUse]) -> Self:
        """Shape a row with the questions about it, the newest first."""
        shape = SubjectOut.of(row, uses[0] if uses else None)
        return cls(**vars(shape), uses=[_use(one) for one in uses])


def _use(row: SubjectUse) -> UseOut:
    names = ("at", "by", "how", "purpose", "position", "source_sha256")
    said = {name: getattr(row, name) for name in names}
    return UseOut(attribution=row.id, job=row.job_id, **said)


def file_name(row: Subject) -> str:
    """Return what a copy of an image is called: by its hash, and by no name from outside."""
    return f"{row.image_sha256}.{row.media_type.rpartition('/')[2]}"
