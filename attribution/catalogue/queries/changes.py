"""Statements that correct what is said of works and what artists are called; and the record.

Whose works are is in `transfers`.

Every change leaves a record in its own transaction, which stays unfinished until the index follows.
Locks are taken in one order by all: works, artists, statistics, each by id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, delete, select, tuple_, update
from sqlalchemy.orm import Session, joinedload

from attribution.catalogue import conditions
from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Change,
    ChangeKind,
    ChangeWork,
    IngestItem,
    Outcome,
)
from attribution.catalogue.names import fold, turned
from attribution.catalogue.queries.consents import (
    CONSENTS,
    Statement,
    add_consent,
    keep_consents,
    project,
)
from attribution.catalogue.queries.pages import Page, check_limit, cut, id_key, moment_key
from attribution.consents import Answer, ConsentPurpose, ConsentSource
from attribution.errors import Conflict, Hint, NotFound, Way

FOLLOWS = "consent follows what was said of the artist's portfolio"
JOB = "ingest job"  # the door of a source; its id follows


@dataclass(frozen=True)
class Origin:
    """Whose change it was, why, and who says so."""

    door: str  # the name of an actor, or the ingest job
    reason: str | None = None
    by: str | None = None  # as they call themselves

    @classmethod
    def of_job(cls, job_id: UUID) -> Origin:
        """Return the origin of what a source says."""
        return cls(f"{JOB} {job_id}")


@dataclass(frozen=True)
class ChangesWanted:
    """Which changes a list shows; what is None does not matter."""

    artist_id: UUID | None = None
    artwork_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None  # before then


EVERY_CHANGE = ChangesWanted()


def works_to_change(session: Session, ids: Collection[UUID]) -> dict[UUID, Artwork]:
    """Return works as they are now, and lock them; without those that do not exist."""
    wanted = select(Artwork).where(Artwork.id.in_(ids)).order_by(Artwork.id).with_for_update()
    rows = session.scalars(wanted.execution_options(populate_existing=True))
    found = {row.id: row for row in rows}
    conditions.check(session, found)
    return found


def artists_to_change(session: Session, ids: Collection[UUID]) -> dict[UUID, Artist]:
    """Return artists as they are now, and lock them; raises Conflict when one is just gone."""
    wanted = select(Artist).where(Artist.id.in_(ids)).order_by(Artist.id).with_for_update()
    rows = session.scalars(wanted.execution_options(populate_existing=True))
    found = {row.id: row for row in rows}
    if found.keys() != set(ids):
        raise just_merged()
    for artist in found.values():
        check_open(artist)
    conditions.check(session, found)
    return found


def just_merged() -> Conflict:
    """Return what is said of an artist that is gone since it was looked up."""
    return Conflict("the artist has just been merged into another; ask again")


def check_open(artist: Artist) -> None:
    """Raise Conflict for an artist that has withdrawn."""
    if artist.withdrawn_at is not None:
        raise Conflict(f"artist {artist.slug!r} has withdrawn; only an ingest can reinstate them")


def correct_works(
    session: Session,
    said: Mapping[UUID, Mapping[str, Any]],
    origin: Origin,
    *,
    consents: Sequence[Statement] | None = None,
) -> list[Change]:
    """Take over what is said of works, column by column; a change for each that it differs from.

    What is not said stays. What is said of consent becomes statements of whoever corrects it, but
    where the caller has them as `consents`; and consent follows all statements again, whatever is
    said. Withdrawn works are left out.
    """
    works = works_to_change(session, said.keys()).values()
    rows = [row for row in works if row.status is not ArtworkStatus.WITHDRAWN]
    plain = {row.id: {k: v for k, v in said[row.id].items() if k not in CONSENTS} for row in rows}
    if consents is None:
        for row in rows:
            for one in _of_person(row, said[row.id], origin):
                add_consent(session, one)
    else:
        keep_consents(session, consents)
    consented = {row.id: {name: getattr(row, name) for name in CONSENTS} for row in rows}
    allowed = project(session, rows)
    changes = []
    for row in rows:
        after = {name: new for name, new in plain[row.id].items() if getattr(row, name) != new}
        before = {name: getattr(row, name) for name in after}
        for name, new in after.items():
            setattr(row, name, new)
        before |= {name: consented[row.id][name] for name in allowed[row.id]}
        after |= allowed[row.id]
        if not after:
            continue
        change = new_change(ChangeKind.CORRECT, row.artist_id, origin, before, after)
        change.artwork_id, change.works = row.id, 1
        changes.append(change)
    session.add_all(changes)
    session.flush()
    return changes


def _of_person(row: Artwork, said: Mapping[str, Any], origin: Origin) -> Iterator[Statement]:
    """Yield what a correction says of consent otherwise than it stands."""
    for purpose in ConsentPurpose:
        name = f"consent_{purpose}"
        if name in said and said[name] != getattr(row, name):
            answer = Answer.ALLOW if said[name] else Answer.DENY
            yield Statement(purpose, answer, ConsentSource.PERSON, origin.door, artwork_id=row.id)


def rename_artist(
    session: Session, artist_id: UUID, name: str, origin: Origin, *, keeps_old: bool = True
) -> Change:
    """Call an artist by another name that is nobody else's; the old one may stay as an alias."""
    artist = artists_to_change(session, [artist_id])[artist_id]
    own = delete(Alias).where(Alias.name == name, Alias.artist_id == artist.id)
    was_alias = session.scalar(own.returning(Alias.name)) is not None
    before = {"name": artist.name} | ({"alias": name} if was_alias else {})
    after = {"name": name} | ({"alias": artist.name} if keeps_old else {})
    if keeps_old:
        session.add(Alias(name=artist.name, folded=artist.folded, artist_id=artist.id))
    change = new_change(ChangeKind.RENAME, artist.id, origin, before, after)
    session.add(change)
    artist.name, artist.folded, artist.turned = name, fold(name), turned(name)
    session.flush()
    return change


def record_alias(session: Session, artist_id: UUID, name: str, origin: Origin) -> Change:
    """Record that an alias was confirmed, or joined by its fold; the index holds none."""
    change = new_change(ChangeKind.ALIAS, artist_id, origin, {}, {"alias": name})
    change.completed_at = now()
    session.add(change)
    session.flush()
    return change


def remove_alias(session: Session, artist_id: UUID, name: str, origin: Origin) -> Change:
    """Take an alias back; raises Conflict when the artist does not have it any more."""
    artists_to_change(session, [artist_id])
    own = delete(Alias).where(Alias.name == name, Alias.artist_id == artist_id)
    if session.scalar(own.returning(Alias.name)) is None:
        raise Conflict(f"{name!r} is not an alias of this artist any more; nothing to undo")
    change = new_change(ChangeKind.ALIAS, artist_id, origin, {"alias": name}, {})
    change.completed_at = now()
    session.add(change)
    session.flush()
    return change


def spoken_for(session: Session, job_id: UUID, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works of which an earlier file of a job has spoken."""
    spoke = (Outcome.ADDED, Outcome.KNOWN, Outcome.CORRECTED)
    # Of a work there are few; told the job as well, SQLite reads all that it has done so far.
    wanted = select(IngestItem.artwork_id, IngestItem.job_id, IngestItem.outcome).where(
        IngestItem.artwork_id.in_(ids)
    )
    return {
        work
        for work, job, outcome in session.execute(wanted)
        if work and job == job_id and outcome in spoke
    }


def corrected_by_hand(session: Session, ids: Collection[UUID]) -> dict[UUID, set[str]]:
    """Return the columns of these works that a person has corrected, through whatever door.

    A person's correction that was undone does not count; a person's undo of what a source said
    does.
    """
    wanted = select(Change).where(
        Change.artwork_id.in_(ids), Change.kind.in_((ChangeKind.CORRECT, ChangeKind.UNDO))
    )
    made = {change.id: change for change in session.scalars(wanted)}
    undone = {change.undoes_id for change in made.values()}
    columns: dict[UUID, set[str]] = defaultdict(set)
    for change in made.values():
        chain = [change]
        while chain[-1].undoes_id in made:
            chain.append(made[chain[-1].undoes_id])
        by_hand = [not one.origin.startswith(f"{JOB} ") for one in chain]
        stands = len(chain) % 2 == 1 or not by_hand[-1]  # undone twice, it is done
        if change.id not in undone and any(by_hand) and stands and change.artwork_id:
            columns[change.artwork_id] |= change.after.keys()
    return columns


def placed_by_hand(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works that a person has given to an artist, or to nobody."""
    wanted = (
        select(ChangeWork.artwork_id)
        .join(Change, Change.id == ChangeWork.change_id)
        .where(
            ChangeWork.artwork_id.in_(ids),
            Change.kind.in_((ChangeKind.MOVE, ChangeKind.SPLIT, ChangeKind.UNDO)),
            ~Change.origin.startswith(f"{JOB} "),
        )
    )
    return set(session.scalars(wanted))


def change_by_id(session: Session, change_id: UUID) -> Change:
    """Return a change with its artist and what has undone it; raises NotFound."""
    change = session.scalar(_with_artist().where(Change.id == change_id))
    if change is None:
        raise NotFound(f"no change {change_id}", hint=Hint(Way.LIST_CHANGES))
    return change


def root_kind(session: Session, change: Change) -> ChangeKind:
    """Return what kind of change an undo, or an undo of an undo, goes back to."""
    while change.undoes_id is not None:
        change = session.get_one(Change, change.undoes_id)
    return change.kind


def check_not_undone(session: Session, change: Change) -> None:
    """Raise Conflict for a change that was undone; call it when what it is about is locked."""
    undo = session.scalar(select(Change.id).where(Change.undoes_id == change.id))
    if undo is not None:
        raise already_undone(change.id, undo)


def already_undone(change_id: UUID, undo_id: UUID) -> Conflict:
    """Return what is said of a change that was undone."""
    return Conflict(
        f"change {change_id} was undone by change {undo_id} already; undo that one to redo it"
    )


def mark_undo(session: Session, change: Change, undone: Change) -> None:
    """Record that a change undoes another; raises Conflict when that was undone meanwhile."""
    check_not_undone(session, undone)
    change.kind, change.undoes_id = ChangeKind.UNDO, undone.id
    session.flush()


def unfinished_changes(
    session: Session,
    *,
    artworks: Collection[UUID] = (),
    artist_id: UUID | None = None,
    changes: Collection[UUID] = (),
) -> list[Change]:
    """Return the changes that the index does not follow yet: of works, an artist, these, or all."""
    wanted = select(Change).where(Change.completed_at.is_(None)).order_by(Change.made_at)
    if artworks:
        wanted = wanted.where(Change.artwork_id.in_(artworks))
    if artist_id is not None:
        wanted = wanted.where(Change.artist_id == artist_id)
    if changes:
        wanted = wanted.where(Change.id.in_(changes))
    return list(session.scalars(wanted))


def changes_since(session: Session, moment: datetime) -> list[Change]:
    """Return the changes that were made since then, the oldest first."""
    wanted = select(Change).where(Change.made_at >= moment).order_by(Change.made_at)
    return list(session.scalars(wanted))


def works_to_follow(
    session: Session, change: Change, *, after: UUID | None, limit: int
) -> list[UUID]:
    """Return works that the index holds otherwise since a change of artists, by id."""
    if root_kind(session, change) is ChangeKind.RENAME:
        wanted, key = select(Artwork.id).where(Artwork.artist_id == change.artist_id), Artwork.id
    else:
        key = ChangeWork.artwork_id
        wanted = select(key).where(ChangeWork.change_id == change.id)
    if after is not None:
        wanted = wanted.where(key > after)
    return list(session.scalars(wanted.order_by(key).limit(limit)))


def complete_changes(session: Session, ids: Collection[UUID]) -> None:
    """Note that the index follows."""
    session.execute(update(Change).where(Change.id.in_(ids)).values(completed_at=now()))


def list_changes(
    session: Session,
    which: ChangesWanted = EVERY_CHANGE,
    *,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Change]:
    """Return a page of changes with their artists, the newest first: of an artist, of a work, all.

    Those of an artist are also the ones that took works from them, or from whoever is merged into
    them.
    """
    wanted = _with_artist()
    if which.artist_id is not None:
        merged = select(Change.from_artist_id).where(
            Change.artist_id == which.artist_id, Change.merged_slug.is_not(None)
        )
        came = select(Change.id).where(Change.artist_id == which.artist_id)
        went = select(Change.id).where(Change.from_artist_id == which.artist_id)
        theirs = select(Change.id).where(Change.from_artist_id.in_(merged))
        wanted = wanted.where(Change.id.in_(came.union(went, theirs)))
    if which.artwork_id is not None:
        alone = select(Change.id).where(Change.artwork_id == which.artwork_id)
        among = select(ChangeWork.change_id).where(ChangeWork.artwork_id == which.artwork_id)
        wanted = wanted.where(Change.id.in_(alone.union(among)))
    if which.since is not None:
        wanted = wanted.where(Change.made_at >= which.since)
    if which.until is not None:
        wanted = wanted.where(Change.made_at < which.until)
    if cursor is not None:
        wanted = wanted.where(tuple_(Change.made_at, Change.id) < moment_key(cursor))
    wanted = wanted.order_by(Change.made_at.desc(), Change.id.desc())
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.made_at, row.id))


def works_of_change(
    session: Session, change: Change, *, cursor: str | None = None, limit: int = 100
) -> Page[Artwork]:
    """Return a page of the works that a change corrected or gave to its artist, by id."""
    moved = select(ChangeWork.artwork_id).where(ChangeWork.change_id == change.id)
    alone = select(Artwork.id).where(Artwork.id == change.artwork_id)
    wanted = (
        select(Artwork)
        .where(Artwork.id.in_(moved.union(alone)))
        .options(joinedload(Artwork.artist, innerjoin=True))
        .order_by(Artwork.id)
    )
    if cursor is not None:
        wanted = wanted.where(Artwork.id > id_key(cursor))
    return cut(
        session.scalars(wanted.limit(check_limit(limit))).all(), limit, lambda row: (row.id,)
    )


def new_change(
    kind: ChangeKind,
    artist_id: UUID,
    origin: Origin,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> Change:
    """Return the record of a change, to be added in the transaction that makes it."""
    return Change(
        kind=kind,
        artist_id=artist_id,
        origin=origin.door,
        by=origin.by,
        reason=origin.reason,
        before=dict(before),
        after=dict(after),
    )


def _with_artist() -> Select[Change]:
    return select(Change).options(
        joinedload(Change.artist, innerjoin=True), joinedload(Change.undone_by)
    )


def changes_of_works(session: Session, works: Collection[UUID]) -> Sequence[Change]:
    """Return the changes of which works are the object, or part of it, the oldest first."""
    among = select(ChangeWork.change_id).where(ChangeWork.artwork_id.in_(works))
    about = Change.artwork_id.in_(works) | Change.id.in_(among)
    return session.scalars(select(Change).where(about).order_by(Change.made_at, Change.id)).all()
