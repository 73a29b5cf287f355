"""Many images that are looked up by workers, and what became of each."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, true
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, one_of
from attribution.catalogue.models.jobs import JobStatus
from attribution.custody import Purpose

ARTISTS = 5  # in an answer, at most, where the sender does not say


class LookupKind(StrEnum):
    """Where the images of a lookup batch come from."""

    ARCHIVE = "archive"  # members of an upload
    URLS = "urls"  # a table of them
    WORKS = "works"  # registered works, by id
    IMAGE = "image"  # a single one, whose sender does not wait


class LookupOutcome(StrEnum):
    """What became of one image of a lookup batch."""

    PENDING = "pending"
    ANSWERED = "answered"
    REFUSED = "refused"
    TIMED_OUT = "timed_out"  # its server did not answer in time; a retry asks it again


class LookupBatch(OfTenant, Base):
    """Many images to be looked up by workers, in tasks of a few each."""

    __tablename__ = "lookup_batches"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[LookupKind]
    name: Mapped[str]  # of the file that was sent
    artists: Mapped[int]  # in an answer, at most
    asked_by: Mapped[str]  # the name of the actor; records of the answers say it too
    purpose: Mapped[Purpose | None]
    is_thorough: Mapped[bool] = mapped_column(default=True, server_default=true())
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.LISTING)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_turn: Mapped[datetime | None]  # when a worker last took one of its tasks
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("kind", LookupKind),
        one_of("status", JobStatus),
        one_of("purpose", Purpose),
        Index(None, "tenant", "created_at", "id"),
    )


class LookupItem(OfTenant, Base):
    """One image of a lookup batch.

    Names are the sender's. Of the catalogue only ids stand here, so a withdrawal has nothing to
    remove: what is said of works is in the recorded answer.
    """

    __tablename__ = "lookup_items"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("lookup_batches.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # a path in the archive, a URL, the id of a work
    sha256: Mapped[str | None] = mapped_column(String(64))  # set when the bytes wait in the store
    outcome: Mapped[LookupOutcome] = mapped_column(default=LookupOutcome.PENDING)
    reason: Mapped[str | None]
    attribution_id: Mapped[UUID | None] = mapped_column(ForeignKey("attributions.id"))
    fetched: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what the server of a URL said

    __table_args__ = (
        one_of("outcome", LookupOutcome),
        Index(None, "batch_id", "outcome", "position"),  # what is left, and counts
    )
