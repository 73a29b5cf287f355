"""Statements that correct: what is said of works, whose they are, what artists are called.

Every change leaves a record in its own transaction, which stays unfinished until the index follows.
Locks are taken in one order by all: works, artists, statistics, each by id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.orm import Session, aliased, joinedload

from attribution.catalog.columns import now
from attribution.catalog.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    ChangeKind,
    Claim,
    IngestItem,
    Outcome,
    Withdrawal,
)
from attribution.catalog.names import fold
from attribution.catalog.queries.artworks import count_along
from attribution.catalog.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalog.queries.statistics import join_statistics, move_vectors
from attribution.errors import Conflict

JOB = "ingest job"  # the door of a source; its id follows


@dataclass(frozen=True)
class Origin:
    """Through which door a change came, and why."""

    door: str  # "api", "command line", or the ingest job
    reason: str | None = None

    @classmethod
    def of_job(cls, job_id: UUID) -> Origin:
        """Return the origin of what a source says."""
        return cls(f"{JOB} {job_id}")


def works_to_change(session: Session, ids: Collection[UUID]) -> dict[UUID, Artwork]:
    """Return works as they are now, and lock them; without those that do not exist."""
    wanted = select(Artwork).where(Artwork.id.in_(ids)).order_by(Artwork.id).with_for_update()
    rows = session.scalars(wanted.execution_options(populate_existing=True))
    return {row.id: row for row in rows}


def artists_to_change(session: Session, ids: Collection[UUID]) -> dict[UUID, Artist]:
    """Return artists as they are now, and lock them; raises Conflict when one is just gone."""
    wanted = select(Artist).where(Artist.id.in_(ids)).order_by(Artist.id).with_for_update()
    rows = session.scalars(wanted.execution_options(populate_existing=True))
    found = {row.id: row for row in rows}
    if found.keys() != set(ids):
        raise Conflict("the artist has just been merged into another; ask again")
    return found


def correct_works(
    session: Session, said: Mapping[UUID, Mapping[str, Any]], origin: Origin
) -> list[Change]:
    """Take over what is said of works, column by column; a change for each that it differs from.

    What is not said stays. Withdrawn works are left out.
    """
    changes = []
    for row in works_to_change(session, said.keys()).values():
        after = {name: new for name, new in said[row.id].items() if getattr(row, name) != new}
        if row.status is ArtworkStatus.WITHDRAWN or not after:
            continue
        before = {name: getattr(row, name) for name in after}
        for name, new in after.items():
            setattr(row, name, new)
        changes.append(
            _change(ChangeKind.CORRECT, row.artist_id, origin, before, after, artwork_id=row.id)
        )
    session.add_all(changes)
    session.flush()
    return changes


def move_work(session: Session, work: Artwork, artist_id: UUID, origin: Origin) -> Change:
    """Give a locked work to another artist, whose claim to it is settled by that."""
    artists = artists_to_change(session, [work.artist_id, artist_id])
    old, new = artists[work.artist_id], artists[artist_id]
    move_vectors(session, [work.id], new.id)
    if work.status is ArtworkStatus.INDEXED:
        count_along(session, [old.id], -1)
        count_along(session, [new.id], 1)
    work.artist_id = new.id
    session.execute(delete(Claim).where(Claim.artwork_id == work.id, Claim.artist_id == new.id))
    change = _change(
        ChangeKind.MOVE, new.id, origin, {"artist": old.slug}, {"artist": new.slug}, work.id
    )
    session.add(change)
    session.flush()
    return change


def merge_artists(session: Session, gone_id: UUID, into_id: UUID, origin: Origin) -> Change:
    """Make one artist of two: works, names, claims, receipts and statistics go to the second.

    The first one's name becomes an alias, and its slug leads to the second from now on.
    """
    theirs = Artwork.artist_id == gone_id
    session.execute(select(Artwork.id).where(theirs).order_by(Artwork.id).with_for_update())
    artists = artists_to_change(session, [gone_id, into_id])
    gone, into = artists[gone_id], artists[into_id]
    moved = update(Artwork).where(theirs).values(artist_id=into.id).returning(Artwork.id)
    works = session.execute(moved).scalars().all()
    join_statistics(session, gone.id, into.id)
    into.works += gone.works
    into.identifiers = gone.identifiers | into.identifiers
    _join_claims(session, gone.id, into.id)
    for table in (Alias, Withdrawal, Change):
        session.execute(update(table).where(table.artist_id == gone.id).values(artist_id=into.id))
    session.flush()
    session.execute(delete(Artist).where(Artist.id == gone.id))
    before = {"slug": gone.slug, "name": gone.name, "works": [str(work) for work in sorted(works)]}
    change = _change(
        ChangeKind.MERGE, into.id, origin, before, {"slug": into.slug, "name": into.name}
    )
    change.merged_slug = gone.slug
    session.add_all([Alias(name=gone.name, artist_id=into.id), change])
    session.flush()
    return change


def rename_artist(session: Session, artist_id: UUID, name: str, origin: Origin) -> Change:
    """Call an artist by another name that is nobody else's; the old one stays as an alias."""
    artist = artists_to_change(session, [artist_id])[artist_id]
    session.execute(delete(Alias).where(Alias.name == name, Alias.artist_id == artist.id))
    change = _change(ChangeKind.RENAME, artist.id, origin, {"name": artist.name}, {"name": name})
    session.add_all([Alias(name=artist.name, artist_id=artist.id), change])
    artist.name, artist.folded = name, fold(name)
    session.flush()
    return change


def record_alias(session: Session, artist_id: UUID, name: str, origin: Origin) -> Change:
    """Record that a person has confirmed an alias; the index holds none."""
    change = _change(ChangeKind.ALIAS, artist_id, origin, {}, {"alias": name})
    change.completed_at = now()
    session.add(change)
    session.flush()
    return change


def spoken_for(session: Session, job_id: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works of which an earlier file of a job has spoken."""
    spoke = (Outcome.ADDED, Outcome.KNOWN, Outcome.CORRECTED)
    wanted = select(IngestItem.artwork_id).where(
        IngestItem.artwork_id.in_(ids), IngestItem.job_id == job_id, IngestItem.outcome.in_(spoke)
    )
    return {work for work in session.scalars(wanted) if work}


def corrected_by_hand(session: Session, ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Return the columns of these works that a person has corrected, through whatever door."""
    wanted = select(Change.artwork_id, Change.after).where(
        Change.artwork_id.in_(ids),
        Change.kind == ChangeKind.CORRECT,
        Change.origin.not_like(f"{JOB} %"),
    )
    columns: dict[UUID, set[str]] = defaultdict(set)
    for work, after in session.execute(wanted):
        columns[work] |= after.keys()
    return columns


def unfinished_changes(
    session: Session, *, artworks: Collection[UUID] = (), artist_id: UUID | None = None
) -> list[Change]:
    """Return the changes that the index does not follow yet: of works, of an artist, or all."""
    wanted = select(Change).where(Change.completed_at.is_(None)).order_by(Change.made_at)
    if artworks:
        wanted = wanted.where(Change.artwork_id.in_(artworks))
    if artist_id is not None:
        wanted = wanted.where(Change.artist_id == artist_id)
    return list(session.scalars(wanted))


def works_of(session: Session, change: Change) -> list[UUID]:
    """Return the works that the index holds otherwise since a change."""
    if change.artwork_id is not None:
        return [change.artwork_id]
    if change.kind is ChangeKind.MERGE:
        return [UUID(work) for work in change.before["works"]]
    return list(session.scalars(select(Artwork.id).where(Artwork.artist_id == change.artist_id)))


def complete_changes(session: Session, ids: Collection[UUID]) -> None:
    """Note that the index follows."""
    session.execute(update(Change).where(Change.id.in_(ids)).values(completed_at=now()))


def list_changes(session: Session, *, cursor: str | None = None, limit: int = 100) -> Page[Change]:
    """Return a page of changes with their artists, the newest first."""
    wanted = select(Change).options(joinedload(Change.artist, innerjoin=True))
    if cursor is not None:
        wanted = wanted.where(tuple_(Change.made_at, Change.id) < moment_key(cursor))
    wanted = wanted.order_by(Change.made_at.desc(), Change.id.desc())
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.made_at, row.id))


def _join_claims(session: Session, gone_id: UUID, into_id: UUID) -> None:
    """Drop what an artist would claim from itself, or twice; the rest is the second one's."""
    own = select(Artwork.id).where(Artwork.artist_id == into_id)
    session.execute(
        delete(Claim).where(Claim.artwork_id.in_(own), Claim.artist_id.in_([gone_id, into_id]))
    )
    other = aliased(Claim)
    twice = select(other.artwork_id).where(other.artist_id == into_id)
    session.execute(delete(Claim).where(Claim.artist_id == gone_id, Claim.artwork_id.in_(twice)))
    session.execute(update(Claim).where(Claim.artist_id == gone_id).values(artist_id=into_id))


def _change(
    kind: ChangeKind,
    artist_id: UUID,
    origin: Origin,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    artwork_id: UUID | None = None,
) -> Change:
    return Change(
        kind=kind,
        artist_id=artist_id,
        artwork_id=artwork_id,
        origin=origin.door,
        reason=origin.reason,
        before=dict(before),
        after=dict(after),
    )
