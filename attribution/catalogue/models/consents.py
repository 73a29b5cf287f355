"""What was said about the use of works: who allowed or denied what, when, and on which paper."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, Sealed, one_of
from attribution.catalogue.models.works import Artist
from attribution.consents import Answer, ConsentPurpose, ConsentSource


class Consent(Sealed, Base):
    """One statement, about one purpose of a work or of an artist's whole portfolio.

    Rows are added and never altered: a later one supersedes. A default is no statement. A
    withdrawal wipes `document`, a merge passes those about a portfolio on.
    """

    __tablename__ = "consents"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    artist_id: Mapped[UUID | None] = mapped_column(ForeignKey("artists.id"), index=True)
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"), index=True)
    purpose: Mapped[ConsentPurpose]
    answer: Mapped[Answer]
    source: Mapped[ConsentSource]
    document: Mapped[str | None]  # a URL, or words: where it is written
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]  # from then on it says nothing
    said_at: Mapped[datetime] = mapped_column(default=now)
    by: Mapped[str]  # the name of the actor, or the ingest job
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("ingest_jobs.id"))
    ended_at: Mapped[datetime | None]  # by a withdrawal: it counts no more, whoever comes back
    # When the works are to be looked at again because of it: it begins or ends then.
    turns_at: Mapped[datetime | None]

    artist: Mapped[Artist | None] = relationship(lazy="raise")

    __table_args__ = (
        one_of("purpose", ConsentPurpose),
        one_of("answer", Answer),
        one_of("source", ConsentSource),
        CheckConstraint("(artist_id IS NULL) <> (artwork_id IS NULL)", name="about"),
        Index(None, "turns_at", "tenant"),
        Index(None, "tenant", "said_at", "id"),
        Index(None, "purpose", "tenant", "said_at", "id"),
        Index(None, "source", "tenant", "said_at", "id"),
    )
