"""Watches: artists whose copies the desk wants to see, and images that are asked about again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, Sealed

ONE_OF_TWO = "(artist IS NULL) <> (subject_id IS NULL)"


class Watch(Sealed, Base):
    """The works of an artist, or an image that was asked about, until it ends."""

    __tablename__ = "watches"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    artist: Mapped[str | None]  # a slug, which leads on after a merge
    subject_id: Mapped[UUID | None] = mapped_column(ForeignKey("subjects.id"), index=True)
    why: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime | None]  # none: until somebody ends it
    compare_at: Mapped[datetime | None]  # when an image is compared next; none: not any more
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None]
    ended_why: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(ONE_OF_TWO, name="one_thing"),
        Index(None, "artist", "tenant"),
        Index(None, "compare_at", "tenant"),
        Index(None, "tenant", "at", "id"),
    )


class Alert(OfTenant, Base):
    """An answer that a watch has the desk look at, and the case that it got.

    Written with the answer; the case is opened later, so that no lookup waits for the desk.
    """

    __tablename__ = "alerts"

    attribution_id: Mapped[UUID] = mapped_column(ForeignKey("attributions.id"), primary_key=True)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id"))
    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"))  # that the image shows
    at: Mapped[datetime] = mapped_column(default=now)
    seen_at: Mapped[datetime | None]  # none: it waits
    case_id: Mapped[UUID | None] = mapped_column(ForeignKey("cases.id"))  # none: it got none

    __table_args__ = (
        Index(None, "seen_at", "tenant"),
        Index(None, "artwork_id", "at"),
    )


class Quarantine(OfTenant, Base):
    """A work that has opened far more cases than usual: it opens none until it is released."""

    __tablename__ = "quarantines"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    watch_id: Mapped[UUID] = mapped_column(ForeignKey("watches.id"), index=True)
    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"))
    at: Mapped[datetime] = mapped_column(default=now)
    cases: Mapped[int]  # in the 24 hours before
    usual: Mapped[float]  # a day, in the month before those
    released_at: Mapped[datetime | None]
    released_by: Mapped[str | None]
    released_why: Mapped[str | None]
