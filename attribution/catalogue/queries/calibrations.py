"""Statements about calibrations: what they are made from, and the last one of some encoders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import (
    Artwork,
    ArtworkStatus,
    Embedding,
    KeptCalibration,
    Withdrawal,
)
from attribution.catalogue.nobody import nobody


def works_to_ask_for(session: Session, fingerprint: str, limit: int) -> list[tuple[UUID, UUID]]:
    """Return (work, artist) of a sample of the works that have kept vectors of these encoders.

    The first by id: ids derive from hashes, so that these are as good as drawn by lot, and the
    same for as long as they are registered. None is by nobody in particular.
    """
    wanted = (
        select(Artwork.id, Artwork.artist_id)
        .join(Embedding, Embedding.artwork_id == Artwork.id)
        .where(
            Artwork.status == ArtworkStatus.INDEXED,
            Artwork.artist_id != nobody(),
            Embedding.fingerprint == fingerprint,
        )
        .order_by(Artwork.id)
        .limit(limit)
    )
    return [(work, artist) for work, artist in session.execute(wanted)]


def hands_and_hashes(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[UUID, str]]:
    """Return artist and perceptual hash of those of these works that an artist is ranked by."""
    wanted = select(Artwork.id, Artwork.artist_id, Artwork.phash).where(
        Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED, Artwork.artist_id != nobody()
    )
    return {work: (artist, phash) for work, artist, phash in session.execute(wanted)}


def calibration_of(session: Session, fingerprint: str) -> KeptCalibration | None:
    """Return the last calibration of these encoders."""
    wanted = select(KeptCalibration).where(KeptCalibration.fingerprint == fingerprint)
    return session.scalar(wanted)


def when_calibrated(session: Session, fingerprint: str) -> tuple[datetime, int, int, int] | None:
    """Return when that calibration was made, on how many works and artists, and how many asked."""
    made = select(
        KeptCalibration.made_at,
        KeptCalibration.works,
        KeptCalibration.artists,
        KeptCalibration.asked,
    )
    row = session.execute(made.where(KeptCalibration.fingerprint == fingerprint)).one_or_none()
    return None if row is None else (row.made_at, row.works, row.artists, row.asked)


def keep_calibration(session: Session, made: KeptCalibration) -> None:
    """Put a calibration in the place of the last one, unless that began later."""
    columns = [one.key for one in KeptCalibration.__table__.columns if one.key != "tenant"]
    values = {column: getattr(made, column) for column in columns}
    insert_new(session, KeptCalibration, [values])
    session.execute(
        update(KeptCalibration)
        .where(
            KeptCalibration.fingerprint == made.fingerprint,
            KeptCalibration.made_at <= made.made_at,
        )
        .values(values)
    )


def forget_calibration(session: Session, fingerprint: str) -> None:
    """Delete the calibration of these encoders."""
    session.execute(delete(KeptCalibration).where(KeptCalibration.fingerprint == fingerprint))


def withdrawn_since(session: Session, moment: datetime) -> bool:
    """Return whether anything was withdrawn at this moment or later, or is being withdrawn."""
    later = or_(
        Withdrawal.requested_at >= moment,
        Withdrawal.completed_at >= moment,
        Withdrawal.completed_at.is_(None),
    )
    return bool(session.scalar(select(exists().select_from(Withdrawal).where(later))))
