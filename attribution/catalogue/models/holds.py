"""Legal holds: what is kept for a case, whatever is withdrawn or forgotten meanwhile."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, Sealed

ONE_OF_THREE = (
    "(artwork_id IS NOT NULL AND artist IS NULL AND subject_id IS NULL) OR "
    "(artwork_id IS NULL AND artist IS NOT NULL AND subject_id IS NULL) OR "
    "(artwork_id IS NULL AND artist IS NULL AND subject_id IS NOT NULL)"
)


class Hold(Sealed, Base):
    """A work, all works of an artist, or an image that was asked about, until it ends."""

    __tablename__ = "holds"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"), index=True)
    artist: Mapped[str | None]  # a slug, which leads on after a merge
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subjects.id"), index=True)
    why: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime | None]  # none: until somebody ends it
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(ONE_OF_THREE, name="one_thing"),
        Index(None, "ended_at", "tenant"),
    )


class HeldExhibit(OfTenant, Base):
    """What is kept of a work that was withdrawn while on hold; it goes with the last hold."""

    __tablename__ = "held_exhibits"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    withdrawal_id: Mapped[UUID] = mapped_column(index=True)  # written before that is
    sha256: Mapped[str] = mapped_column(String(64))  # of `data` before it was encrypted
    data: Mapped[bytes]  # JSON: `attribution.upkeep.holds`
    is_encrypted: Mapped[bool]


class ExhibitHold(OfTenant, Base):
    """For which holds an exhibit is kept."""

    __tablename__ = "exhibit_holds"

    hold_id: Mapped[UUID] = mapped_column(ForeignKey("holds.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("held_exhibits.artwork_id"), primary_key=True, index=True
    )
