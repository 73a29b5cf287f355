"""Watches: what the desk wants to see, copies of an artist's works or an image asked about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import Quarantine, Watch
from attribution.catalogue.queries import watches
from attribution.collection import Stores
from attribution.custody import Kept
from attribution.desk.people import stated
from attribution.errors import BadInput, Conflict, Hint, NotFound, Way
from attribution.lookup.wording import image_kept

WATCH = "watch"  # what the audit calls one
MOST = 1_000  # watches of a tenant that last


@dataclass(frozen=True)
class NewWatch:
    """What is watched: one of an artist (slug) and an image that was asked about."""

    why: str
    artist: str | None = None
    subject_id: UUID | None = None
    until: datetime | None = None  # none: until somebody ends it


def watch(stores: Stores, new: NewWatch) -> Watch:
    """Watch the copies of an artist's works, or an image that was asked about.

    Raises NotFound; BadInput unless one thing is named, for a time that is over and without a
    reason; Conflict for what is watched already, for an image that is not kept, for works by nobody
    in particular, and where MOST watches last.
    """
    if (new.artist is None) == (new.subject_id is None):
        raise BadInput("name one thing to watch: an artist or an image")
    if new.until is not None and new.until <= now():
        raise BadInput(f"the watch would be over at once: {new.until.isoformat()} is in the past")
    row = Watch(id=uuid4(), by=who().name, **(vars(new) | {"why": stated(new.why, "reason")}))
    with stores.sessions.begin() as session:
        if new.artist is not None:
            row.artist, known = _artist(session, new.artist)
        if new.subject_id is not None:
            known = _subject(session, new.subject_id)
            row.compare_at = now()
        if known is not None:
            raise Conflict(f"watch {known.id} by {known.by} lasts already; end that one first")
        if watches.count_watches(session) >= MOST:
            raise Conflict(f"{MOST} watches last already: end those that nobody needs")
        session.add(row)
    return row


def end_watch(stores: Stores, watch_id: UUID, why: str) -> Watch:
    """End a watch; raises NotFound, BadInput without a reason, Conflict for one that has ended."""
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        row = watches.watch_to_change(session, watch_id)
        if row.ended_at is not None:
            raise Conflict(f"watch {watch_id} ended on {row.ended_at:%Y-%m-%d}")
        row.ended_at, row.ended_by, row.ended_why = now(), who().name, why
        row.compare_at = None
        for one in watches.quarantined(session, [watch_id]).get(watch_id, ()):
            _release(one, "the watch has ended")
        note(session, "end-watch", f"{WATCH}:{watch_id}")
    return row


def release(stores: Stores, watch_id: UUID, artwork_id: UUID, why: str) -> Watch:
    """Have a work in quarantine open cases again, from now on.

    Raises NotFound for one that is not in quarantine, BadInput without a reason.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        row = watches.watch_to_change(session, watch_id)
        last = watches.last_quarantine(session, watch_id, artwork_id)
        if last is None or last.released_at is not None:
            raise NotFound(
                f"artwork {artwork_id} is not in quarantine", hint=Hint(Way.LIST_WATCHES)
            )
        _release(last, why)
        note(session, "release-artwork", f"artwork:{artwork_id}", watch=str(watch_id))
    return row


def _release(row: Quarantine, why: str) -> None:
    row.released_at, row.released_by, row.released_why = now(), who().name, why


def _artist(session: Session, slug: str) -> tuple[str, Watch | None]:
    artist = queries.artist_by_slug(session, slug)
    if artist.is_nobody:
        raise Conflict(f"{slug!r} stands for works by nobody in particular: it cannot be watched")
    return artist.slug, watches.watch_of_artist(session, artist.id)


def _subject(session: Session, subject_id: UUID) -> Watch | None:
    row = queries.subject_by_id(session, subject_id)
    if row.kept is Kept.NOTHING:
        raise Conflict(
            f"image {subject_id} cannot be asked about again: {image_kept(row, None)} Ask about it "
            f"once more with the image itself"
        )
    return watches.watch_of_subject(session, subject_id)
