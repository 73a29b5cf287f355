"""Statements about works that may train, and about artists whom a trained classifier may name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from attribution.catalogue.models import Artist, Artwork, ArtworkStatus, Consent
from attribution.catalogue.nobody import nobody
from attribution.consents import Answer, ConsentPurpose


@dataclass(frozen=True)
class TrainingWork:
    """One work that may train."""

    id: UUID
    artist_id: UUID
    phash: str


def training_works(session: Session, *, after: UUID | None, limit: int) -> list[TrainingWork]:
    """Return a page of the indexed works whose consent grants training, by id; none of nobody.

    None either that came with vectors alone: nobody has seen a picture.
    """
    wanted = (
        select(Artwork.id, Artwork.artist_id, Artwork.phash)
        .where(
            Artwork.status == ArtworkStatus.INDEXED,
            Artwork.consent_train,
            Artwork.artist_id != nobody(),
            Artwork.phash != "",
        )
        .order_by(Artwork.id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(Artwork.id > after)
    return [TrainingWork(*row) for row in session.execute(wanted)]


def refusing_works(session: Session) -> int:
    """Return how many indexed works do not grant training."""
    wanted = select(func.count()).where(
        Artwork.status == ArtworkStatus.INDEXED, ~Artwork.consent_train
    )
    return session.scalar(wanted) or 0


def nobodys_works(session: Session) -> int:
    """Return how many indexed works that grant training are by nobody in particular."""
    wanted = select(func.count()).where(
        Artwork.artist_id == nobody(),
        Artwork.status == ArtworkStatus.INDEXED,
        Artwork.consent_train,
    )
    return session.scalar(wanted) or 0


def artists_with_works(session: Session) -> dict[UUID, str]:
    """Return the names of the artists who have indexed works and are not withdrawn."""
    wanted = select(Artist.id, Artist.name).where(
        Artist.works > 0, Artist.withdrawn_at.is_(None), Artist.id != nobody()
    )
    return dict(session.execute(wanted).all())


@dataclass(frozen=True)
class Licensed:
    """Works under one licence; None: theirs is not known."""

    licence: str | None
    works: int
    may_train: int  # whose consent grants training


@dataclass(frozen=True)
class Registered:
    """All indexed works."""

    works: int
    artists: int
    may_train: int
    first_year: int | None  # that a work was made in, as its source says
    last_year: int | None
    first_at: datetime | None  # when a work came in
    last_at: datetime | None


def registered(session: Session) -> Registered:
    """Count the indexed works."""
    wanted = select(
        func.count(),
        func.count(Artwork.artist_id.distinct()),
        func.coalesce(func.sum(cast(Artwork.consent_train, Integer)), 0),
        func.min(Artwork.year),
        func.max(Artwork.year),
        func.min(Artwork.created_at),
        func.max(Artwork.created_at),
    ).where(Artwork.status == ArtworkStatus.INDEXED)
    return Registered(*session.execute(wanted).one())


def works_by_licence(session: Session) -> list[Licensed]:
    """Count the indexed works by licence, the most frequent first."""
    works = func.count()
    wanted = (
        select(Artwork.licence_id, works, func.sum(cast(Artwork.consent_train, Integer)))
        .where(Artwork.status == ArtworkStatus.INDEXED)
        .group_by(Artwork.licence_id)
        .order_by(works.desc(), Artwork.licence_id)
    )
    return [Licensed(*row) for row in session.execute(wanted)]


def training_denials(session: Session) -> dict[str, int]:
    """Count the statements that deny training and were not ended, by where they were made."""
    wanted = (
        select(Consent.source, func.count())
        .where(
            Consent.purpose == ConsentPurpose.TRAIN,
            Consent.answer == Answer.DENY,
            Consent.ended_at.is_(None),
        )
        .group_by(Consent.source)
        .order_by(Consent.source)
    )
    return {source.value: count for source, count in session.execute(wanted)}


def withdrawn_works(session: Session) -> int:
    """Count the works that were withdrawn."""
    wanted = select(func.count()).where(Artwork.status == ArtworkStatus.WITHDRAWN)
    return session.scalar(wanted) or 0
