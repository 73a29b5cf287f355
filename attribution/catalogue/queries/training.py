"""Statements about works that may train, and about artists whom a trained classifier may name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from attribution.catalogue.models import Artist, Artwork, ArtworkStatus
from attribution.catalogue.nobody import nobody


@dataclass(frozen=True)
class TrainingWork:
    """One work that may train."""

    id: UUID
    artist_id: UUID
    phash: str


def training_works(session: Session, *, after: UUID | None, limit: int) -> list[TrainingWork]:
    """Return a page of the indexed works whose consent grants training, by id; none of nobody."""
    wanted = (
        select(Artwork.id, Artwork.artist_id, Artwork.phash)
        .where(
            Artwork.status == ArtworkStatus.INDEXED,
            Artwork.consent_train,
            Artwork.artist_id != nobody(),
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
