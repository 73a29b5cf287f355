"""Statements about what answers were computed from."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import (
    Artwork,
    CitedWork,
    RecordedAttribution,
    UsedCalibration,
    Workings,
)

JUST_USED = timedelta(hours=1)  # the answer that rests on it may not be recorded yet
NOTED = timedelta(minutes=30)  # that it is used is written no more often


def keep_workings(
    session: Session, attribution_id: UUID, data: bytes, *, calibration: str | None, until: datetime
) -> None:
    """Keep what an answer was computed from, until then."""
    session.add(
        Workings(attribution_id=attribution_id, data=data, calibration=calibration, until=until)
    )


def keep_used_calibration(
    session: Session, digest: str, voices: Collection[str], numbers: Mapping[str, Any]
) -> None:
    """Keep the numbers that an answer rests on, unless they are kept already."""
    mine = UsedCalibration.digest == digest
    used_at = session.scalar(select(UsedCalibration.used_at).where(mine))
    if used_at is None:
        row = {"digest": digest, "voices": list(voices), "numbers": dict(numbers)}
        insert_new(session, UsedCalibration, [row])
    elif used_at < now() - NOTED:
        session.execute(update(UsedCalibration).where(mine).values(used_at=now()))


def workings_of(session: Session, attribution_id: UUID) -> Workings | None:
    """Return what an answer was computed from; None where it is not kept, or not any more."""
    return session.get(Workings, attribution_id)


def used_calibration(session: Session, digest: str) -> UsedCalibration | None:
    """Return the numbers of a calibration by their digest, where they are kept."""
    return session.scalar(select(UsedCalibration).where(UsedCalibration.digest == digest))


def forget_workings_about(session: Session, hashes: Collection[str]) -> int:
    """Delete what answers about these images were computed from; returns of how many."""
    about = select(RecordedAttribution.id).where(RecordedAttribution.image_sha256.in_(hashes))
    return _forget(session, Workings.attribution_id.in_(about))


def workings_about(session: Session, hashes: Collection[str]) -> int:
    """Count what is kept that answers about these images were computed from."""
    about = RecordedAttribution.image_sha256.in_(hashes)
    wanted = select(func.count()).select_from(Workings)
    return session.scalar(wanted.join(RecordedAttribution).where(about)) or 0


def bury_workings(session: Session, works: Collection[UUID]) -> int:
    """Delete what answers about images of these works, and copies, were computed from.

    Of every answer about such an image. Before the answers lose what they cite.
    """
    own = select(Artwork.sha256).where(Artwork.id.in_(works))
    copies = (
        select(RecordedAttribution.image_sha256)
        .join(CitedWork, CitedWork.attribution_id == RecordedAttribution.id)
        .where(CitedWork.artwork_id.in_(works), CitedWork.is_original)
    )
    about = RecordedAttribution.image_sha256.in_(own.union(copies))
    return _forget(
        session, Workings.attribution_id.in_(select(RecordedAttribution.id).where(about))
    )


def forget_expired_workings(session: Session, limit: int) -> int:
    """Delete some workings whose time is over; returns how many."""
    over = select(Workings.attribution_id).where(Workings.until <= now()).order_by(Workings.until)
    return _forget(session, Workings.attribution_id.in_(over.limit(limit)))


def forget_unused_calibrations(session: Session) -> None:
    """Delete the numbers that no answer rests on any more of which that is kept."""
    is_used = exists().where(Workings.calibration == UsedCalibration.digest)
    is_old = UsedCalibration.used_at < now() - JUST_USED
    session.execute(delete(UsedCalibration).where(is_old, ~is_used), execution_options=IN_SQL)


def _forget(session: Session, which: Any) -> int:
    gone = delete(Workings).where(which).returning(Workings.attribution_id)
    return len(session.scalars(gone, execution_options=IN_SQL).all())
