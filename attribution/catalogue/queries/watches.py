"""Statements about watches, and about the alerts that they give."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    ScalarSelect,
    func,
    or_,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import (
    Alert,
    Artist,
    Artwork,
    Change,
    CitedWork,
    Quarantine,
    RecordedAttribution,
    SubjectUse,
    Watch,
    Workings,
)
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.errors import Hint, NotFound, Way


def lasts() -> ColumnElement[bool]:
    """Return the condition that a watch has not ended, and that its time is not over."""
    return Watch.ended_at.is_(None) & or_(Watch.until.is_(None), Watch.until > now())


def count_watches(session: Session) -> int:
    """Count the watches that last."""
    return session.scalar(select(func.count()).select_from(Watch).where(lasts())) or 0


def watch_of_artist(session: Session, artist_id: UUID | ScalarSelect[UUID]) -> Watch | None:
    """Return the watch of an artist that lasts, also of one who was merged into this one."""
    slugs: CompoundSelect[str | None] = union_all(
        select(Artist.slug).where(Artist.id == artist_id),
        select(Change.merged_slug).where(
            Change.artist_id == artist_id, Change.merged_slug.is_not(None)
        ),
    )
    wanted = select(Watch).where(Watch.artist.in_(slugs), lasts()).order_by(Watch.at, Watch.id)
    return session.scalar(wanted.limit(1))


def watch_of_subject(session: Session, subject_id: UUID) -> Watch | None:
    """Return the watch of an image that lasts."""
    return session.scalar(select(Watch).where(lasts(), Watch.subject_id == subject_id).limit(1))


def list_watches(session: Session, *, cursor: str | None = None, limit: int = 100) -> Page[Watch]:
    """Return a page of watches, the newest first; ended ones too."""
    wanted = select(Watch).order_by(Watch.at.desc(), Watch.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(Watch.at, Watch.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.at, row.id))


def watch_by_id(session: Session, watch_id: UUID) -> Watch:
    """Return a watch."""
    return session.scalars(select(Watch).where(Watch.id == watch_id)).one()


def watch_to_change(session: Session, watch_id: UUID) -> Watch:
    """Return a watch, locked; raises NotFound."""
    wanted = select(Watch).where(Watch.id == watch_id).with_for_update()
    row = session.scalar(wanted.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"no watch {watch_id}", hint=Hint(Way.LIST_WATCHES))
    return row


# ---- images --------------------------------------------------------------------------------------


def tenants_with_due_images(session: Session) -> Sequence[str]:
    """Return the tenants whose watched images are due to be compared, across tenants."""
    return session.scalars(select(Watch.tenant).where(Watch.compare_at <= now()).distinct()).all()


def due_images(session: Session, limit: int) -> Sequence[Watch]:
    """Return some watches of images that are due to be compared, the longest due first."""
    due = select(Watch).where(Watch.compare_at <= now()).order_by(Watch.compare_at)
    return session.scalars(due.limit(limit)).all()


def last_workings(
    session: Session, subject_id: UUID
) -> tuple[RecordedAttribution, Workings] | None:
    """Return the last answer about an image of which the workings are kept, with them."""
    wanted = (
        select(RecordedAttribution, Workings)
        .join(SubjectUse, SubjectUse.id == RecordedAttribution.id)
        .join(Workings, Workings.attribution_id == RecordedAttribution.id)
        .where(SubjectUse.subject_id == subject_id)
        .order_by(SubjectUse.at.desc())
        .limit(1)
    )
    found = session.execute(wanted).one_or_none()
    return (found[0], found[1]) if found else None


# ---- alerts --------------------------------------------------------------------------------------


def alert(session: Session, attribution_id: UUID, artwork_id: UUID) -> None:
    """Have the desk look at an answer that finds a copy of a work, if its artist is watched."""
    whose = select(Artwork.artist_id).where(Artwork.id == artwork_id).scalar_subquery()
    watch = watch_of_artist(session, whose)
    if watch is not None:
        session.add(Alert(attribution_id=attribution_id, artwork_id=artwork_id, watch_id=watch.id))


def alert_again(session: Session, watch_id: UUID, attribution_id: UUID, artwork_id: UUID) -> None:
    """Have the desk look at what came of a watched image, unless it does so already."""
    row = {"attribution_id": attribution_id, "watch_id": watch_id, "artwork_id": artwork_id}
    insert_new(session, Alert, [row])


def tenants_with_alerts(session: Session) -> Sequence[str]:
    """Return the tenants of whom alerts wait, across tenants."""
    return session.scalars(select(Alert.tenant).where(Alert.seen_at.is_(None)).distinct()).all()


def waiting_alerts(session: Session, limit: int) -> Sequence[Alert]:
    """Return some alerts that wait, the first one first."""
    waiting = select(Alert).where(Alert.seen_at.is_(None)).order_by(Alert.at, Alert.attribution_id)
    return session.scalars(waiting.limit(limit)).all()


def still_says(session: Session, alert: Alert) -> bool:
    """Whether the answer of an alert still names the work: not where that was withdrawn."""
    return session.get(CitedWork, (alert.artwork_id, alert.attribution_id)) is not None


def note_seen(session: Session, attribution_id: UUID, case_id: UUID | None) -> None:
    """Note that an alert waits no more, and the case that it got."""
    session.execute(
        update(Alert)
        .where(Alert.attribution_id == attribution_id)
        .values(seen_at=now(), case_id=case_id),
        execution_options=IN_SQL,
    )


def count_cases(session: Session, artwork_id: UUID, since: datetime, until: datetime) -> int:
    """Count the cases that alerts on a work got, by the time of the alerts."""
    mine = (Alert.artwork_id == artwork_id) & (Alert.at >= since) & (Alert.at < until)
    return session.scalar(select(func.count(Alert.case_id.distinct())).where(mine)) or 0


# ---- quarantines ---------------------------------------------------------------------------------


def last_quarantine(session: Session, watch_id: UUID, artwork_id: UUID) -> Quarantine | None:
    """Return the last quarantine of a work under a watch, released or not."""
    mine = (Quarantine.watch_id == watch_id) & (Quarantine.artwork_id == artwork_id)
    wanted = select(Quarantine).where(mine).order_by(Quarantine.at.desc())
    return session.scalar(wanted.limit(1))


def quarantined(session: Session, ids: Collection[UUID]) -> dict[UUID, list[Quarantine]]:
    """Return the works in quarantine under these watches, by watch."""
    found: dict[UUID, list[Quarantine]] = {}
    wanted = select(Quarantine).where(
        Quarantine.watch_id.in_(ids), Quarantine.released_at.is_(None)
    )
    for row in session.scalars(wanted.order_by(Quarantine.at, Quarantine.id)):
        found.setdefault(row.watch_id, []).append(row)
    return found
