"""Statements about calibrations: what they are made from, and the last one of some encoders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from attribution.catalog.models import (
    Artwork,
    ArtworkStatus,
    Embedding,
    KeptCalibration,
    Withdrawal,
)


def works_to_ask_for(session: Session, fingerprint: str, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (work, artist) of a sample of the works that have kept vectors of these encoders.

    The first by id: ids derive from hashes, so that these are as good as drawn by lot, and the
    same for as long as they are registered.
    """
    wanted = (
        select(Artwork.id, Artwork.artist_id)
        .join(Embedding, Embedding.artwork_id == Artwork.id)
        .where(Artwork.status == ArtworkStatus.INDEXED, Embedding.fingerprint == fingerprint)
        .order_by(Artwork.id)
        .limit(limit)
    )
    return [(work, artist) for work, artist in session.execute(wanted)]


def perceptual_hashes(session: Session, ids: Collection[UUID]) -> dict[UUID, str]:
    """Return the perceptual hashes of those of these works that are to be found."""
    wanted = select(Artwork.id, Artwork.phash).where(
        Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED
    )
    return dict(session.execute(wanted).all())


def calibration_of(session: Session, fingerprint: str) -> KeptCalibration | None:
    """Return the last calibration of these encoders."""
    return session.get(KeptCalibration, fingerprint)


def keep_calibration(session: Session, made: KeptCalibration) -> None:
    """Put a calibration in the place of the last one."""
    forget_calibration(session, made.fingerprint)
    session.add(made)
    session.flush()


def forget_calibration(session: Session, fingerprint: str) -> None:
    """Delete the calibration of these encoders."""
    session.execute(delete(KeptCalibration).where(KeptCalibration.fingerprint == fingerprint))


def withdrawn_since(session: Session, moment: datetime) -> bool:
    """Return whether anything was withdrawn at this moment or later."""
    return bool(session.scalar(select(exists().where(Withdrawal.requested_at >= moment))))
