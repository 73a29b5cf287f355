"""Images that were asked about: what is kept of each, and every time that one was asked about."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, Sealed, one_of
from attribution.custody import Forgotten, How, Kept, Purpose


class Subject(OfTenant, Base):
    """An image that was asked about, once for all questions about the same bytes.

    What was forgotten keeps its row: which image, and when and why it went. `until` and `phash` are
    there while the image is kept.
    """

    __tablename__ = "subjects"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    image_sha256: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size_bytes: Mapped[int]
    phash: Mapped[str | None] = mapped_column(String(16))
    kept: Mapped[Kept] = mapped_column(default=Kept.NOTHING)
    asked_at: Mapped[datetime] = mapped_column(default=now)  # the first time
    until: Mapped[datetime | None]
    forgotten_at: Mapped[datetime | None]
    forgotten_why: Mapped[Forgotten | None]
    reason: Mapped[str | None]  # of whoever asked for it to go
    receipt: Mapped[UUID | None] = mapped_column(index=True)  # of the withdrawal that took it

    __table_args__ = (
        one_of("kept", Kept),
        one_of("forgotten_why", Forgotten),
        UniqueConstraint("image_sha256", "tenant"),
        Index(None, "until", "tenant"),
        Index(None, "tenant", "asked_at", "id"),
        Index(None, "kept", "tenant", "asked_at", "id"),
    )


class SubjectUse(Sealed, Base):
    """One question about an image: how its bytes came here, who asked, and what for.

    Names and addresses are the sender's and stand in the lookup batch, where they can be forgotten.
    """

    __tablename__ = "subject_uses"

    id: Mapped[UUID] = mapped_column(ForeignKey("attributions.id"), primary_key=True)
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("subjects.id"))
    how: Mapped[How]
    # A lookup batch or a request for pictures, and which of its images.
    job_id: Mapped[UUID | None]
    position: Mapped[int | None]
    # Of the canonical JSON (RFC 8785) of what the server of a URL said (`LookupItem.fetched`).
    source_sha256: Mapped[str | None] = mapped_column(String(64))
    purpose: Mapped[Purpose | None]
    by: Mapped[str]  # the name of the actor
    at: Mapped[datetime]

    __table_args__ = (
        one_of("how", How),
        one_of("purpose", Purpose),
        Index(None, "subject_id", "at"),
    )
