"""What was answered, corrected, declared and withdrawn, and the audit of all that."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attribution.catalogue.columns import SLUG, now
from attribution.catalogue.models.base import Base, OfTenant, Sealed, one_of
from attribution.catalogue.models.works import Artist, Artwork
from attribution.tenants import DEFAULT

SURPLUS = ""  # in place of a digest: the row's answer is whole, and there may be a file to delete


class ChangeKind(StrEnum):
    """What was corrected."""

    CORRECT = "correct"  # what is said of a work
    MOVE = "move"  # whose a work is
    SPLIT = "split"  # some works of an artist to another
    MERGE = "merge"  # an artist into another
    RENAME = "rename"
    ALIAS = "alias"
    UNDO = "undo"  # an earlier change, which may be an undo itself
    DECLARE = "declare"  # that an image is no copy of a work
    REVOKE = "revoke"  # such a declaration


class NonCopyState(StrEnum):
    """Whether a declared non-copy silences anything; only `IN_FORCE` ones do."""

    IN_FORCE = "in_force"
    OVER = "over"  # its end has come
    REVOKED = "revoked"


class RecordedAttribution(Sealed, Base):
    """An answer as it was given."""

    __tablename__ = "attributions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)
    # As `attribution.answers.read_answer` reads the answer: lists filter by it.
    verdict: Mapped[str] = mapped_column(String(32))
    fingerprint: Mapped[str]  # of the encoders
    answer: Mapped[dict[str, Any]]  # shortened where the whole one is in the file store
    # None: `answer` is whole. Else SHA-256 of the file with the whole one, or `SURPLUS`.
    archived: Mapped[str | None] = mapped_column(String(64))

    __table_args__ = (
        Index(None, "tenant", "created_at", "id"),
        Index(None, "verdict", "tenant", "created_at", "id"),
        Index(
            "ix_attributions_whole",  # what may be archived next
            "tenant",
            "created_at",
            "id",
            postgresql_where=text("archived IS NULL"),
            sqlite_where=text("archived IS NULL"),
        ),
        Index(
            "ix_attributions_surplus",
            "tenant",
            postgresql_where=text("archived = ''"),
            sqlite_where=text("archived = ''"),
        ),
    )


class CitedWork(OfTenant, Base):
    """Which answers name a work, so that a withdrawal finds them, and which find a copy of it."""

    __tablename__ = "cited_works"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    attribution_id: Mapped[UUID] = mapped_column(ForeignKey("attributions.id"), primary_key=True)
    is_original: Mapped[bool] = mapped_column(default=False, server_default=false())


class Withdrawal(Sealed, Base):
    """A request to forget, and the receipt of what was removed from where."""

    __tablename__ = "withdrawals"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(16))  # "artist" or "artwork"
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"))
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"))
    reason: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(default=now)
    completed_at: Mapped[datetime | None]  # none: something is still to be removed
    receipt: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index(None, "tenant", "requested_at", "id"),)


class Change(Sealed, Base):
    """A correction as it was made: when, through which door, of what, from what to what.

    What it took from one artist to another stands in rows of its own, so that it can be undone:
    works in `change_works`, claims in `change_claims`, receipts and earlier changes in
    `change_rows`.
    """

    __tablename__ = "changes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[ChangeKind]
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), index=True)  # since then
    # Whose the works were before. No foreign key: an artist that is merged away has no row.
    from_artist_id: Mapped[UUID | None] = mapped_column(index=True)
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"), index=True)
    works: Mapped[int] = mapped_column(default=0)  # that were corrected, or came to the artist
    origin: Mapped[str]  # the name of an actor, or the ingest job
    by: Mapped[str | None]  # who, as they call themselves; asked for by declarations
    reason: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(default=now)
    completed_at: Mapped[datetime | None]  # none: the index does not follow yet
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    merged_slug: Mapped[str | None] = mapped_column(SLUG)  # leads to the artist now
    undoes_id: Mapped[UUID | None] = mapped_column(ForeignKey("changes.id"), unique=True)

    artist: Mapped[Artist] = relationship(lazy="raise")
    undone_by: Mapped[Change | None] = relationship(
        lazy="raise", viewonly=True, remote_side=[undoes_id], uselist=False
    )

    __table_args__ = (
        one_of("kind", ChangeKind),
        UniqueConstraint("tenant", "merged_slug"),
        Index(None, "tenant", "made_at", "id"),
        Index(
            "ix_changes_unfinished",
            "made_at",
            postgresql_where=text("completed_at IS NULL"),
            sqlite_where=text("completed_at IS NULL"),
        ),
    )


class ChangeWork(OfTenant, Base):
    """A work that a change gave to another artist."""

    __tablename__ = "change_works"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("artworks.id"), primary_key=True, index=True
    )


class ChangeClaim(OfTenant, Base):
    """A claim as it was before a change settled it, or passed it on to the artist who remains."""

    __tablename__ = "change_claims"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("artworks.id"), primary_key=True, index=True
    )
    artist_id: Mapped[UUID] = mapped_column(primary_key=True)  # perhaps merged away since
    passed_on: Mapped[bool]
    path: Mapped[str]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("ingest_jobs.id"))
    created_at: Mapped[datetime]


class ChangeRow(OfTenant, Base):
    """A receipt of a withdrawal, or an earlier change, that a merge passed on."""

    __tablename__ = "change_rows"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    row_id: Mapped[UUID] = mapped_column(primary_key=True)  # in `withdrawals` or `changes`


class NonCopy(OfTenant, Base):
    """An image that a person has declared not to be a copy of a work.

    Who, when and why stands in the record of changes, where a revoking stands as well.
    """

    __tablename__ = "non_copies"

    id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), index=True)
    image_sha256: Mapped[str] = mapped_column(String(64))
    image_phash: Mapped[str] = mapped_column(String(16))
    until: Mapped[datetime | None]  # none: it has no end

    declared: Mapped[Change] = relationship(lazy="raise")
    artwork: Mapped[Artwork] = relationship(lazy="raise")

    @property
    def revoked(self) -> Change | None:
        """The change that has revoked it."""
        return self.declared.undone_by

    @property
    def state(self) -> NonCopyState:
        """Where it stands now."""
        if self.revoked:
            return NonCopyState.REVOKED
        is_over = self.until is not None and self.until <= now()
        return NonCopyState.OVER if is_over else NonCopyState.IN_FORCE


class AuditEntry(Base):
    """Who did what, and when. Entries are only ever added; each one's digest goes on from the last.

    Their parts are committed to by salt, so that the actor can be forgotten (`chain.erase`). The
    chain is the deployment's: whoever reads a tenant's entries asks for them by its name.
    """

    __tablename__ = "audit_entries"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(String(40), server_default=DEFAULT)
    at: Mapped[datetime]
    actor: Mapped[str]
    action: Mapped[str] = mapped_column(String(32))
    object: Mapped[str | None] = mapped_column(String(64), index=True)  # "attribution:UUID"
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seal: Mapped[dict[str, Any]] = mapped_column(default=dict)  # `commitments.Seal`
    digest: Mapped[str] = mapped_column(String(64))  # of the chain up to here

    __table_args__ = (
        Index(None, "tenant", "sequence"),
        Index(None, "action", "tenant", "sequence"),
        Index(None, "actor", "tenant", "sequence"),
        Index(None, "tenant", "at"),
    )


class AuditHead(Base):
    """How far the chain goes. Whoever adds to it holds this row until the transaction ends."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    digest: Mapped[str] = mapped_column(String(64))
    # The entry up to which `reconcile` has verified; 0: it begins again.
    checked: Mapped[int] = mapped_column(BigInteger, default=0)
    # What it vouches for; entries `begin` say since when.
    kinds: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
