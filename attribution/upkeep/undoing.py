"""Undoing: a change is put back as far as it still stands, by another change that says so.

An undo can be undone itself, which is a redo. What has changed since is never overwritten: it is a
Conflict, and nothing is half done. Interrupted, it is finished by asking again, or by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Change, ChangeKind
from attribution.catalogue.queries import Origin
from attribution.collection import Collection
from attribution.errors import BadInput, Conflict, Hint, Way
from attribution.upkeep.correction import check_file, follow_up, work_to_change


def undo(
    collection: Collection,
    change_id: UUID,
    origin: Origin,
    *,
    works: Sequence[UUID] = (),
) -> Change:
    """Put back what a change did, or of a merge or split what it did to these works only.

    Works that were moved on since, and works that came since, stay where they are: the answer's
    `after` says how many. Raises NotFound, BadInput for works of another kind of change, Conflict
    for what was undone already or has changed since.
    """
    with collection.sessions.begin() as session:
        change = queries.change_by_id(session, change_id)
        earlier = change.undone_by
        try:
            made = earlier or put_back(session, change, works, origin)
        except Conflict:
            queries.check_not_undone(session, change)  # somebody was faster, and that is why
            raise
        if earlier is None:
            queries.mark_undo(session, made, change)
        waiting = queries.unfinished_changes(session, changes=[change.id, made.id])
        # Of both portfolios consent may follow other statements now.
        for artist_id in filter(None, (made.artist_id, made.from_artist_id)):
            waiting += queries.unfinished_changes(session, artist_id=artist_id)
    follow_up(collection, waiting)
    if earlier is not None:
        raise queries.already_undone(change.id, earlier.id)
    return made


def put_back(session: Session, change: Change, works: Sequence[UUID], origin: Origin) -> Change:
    """Make the change that takes another one back; raises as `undo` does."""
    kind = queries.root_kind(session, change)
    is_joined = change.merged_slug is not None
    if works and not (kind is ChangeKind.SPLIT or is_joined):
        raise BadInput(
            f"change {change.id} cannot be undone for some works only: that is for merges and "
            f"splits; leave the works out"
        )
    match kind:
        case ChangeKind.CORRECT:
            return _correct_back(session, change, origin)
        case ChangeKind.MOVE | ChangeKind.SPLIT:
            if change.artwork_id is not None:
                work_to_change(session, change.artwork_id)
            return queries.take_back(session, change, works, origin)
        case ChangeKind.MERGE if is_joined:
            return queries.part_artists(session, change, works, origin)
        case ChangeKind.MERGE:
            return queries.join_again(session, change, origin)
        case ChangeKind.RENAME:
            return _rename_back(session, change, origin)
        case ChangeKind.DECLARE:
            raise _of_declarations(change)
        case _:
            return _alias_back(session, change, origin)


def _of_declarations(change: Change) -> BadInput:
    """Return what is said of a declared non-copy, which needs a name and a reason to be revoked."""
    if change.kind is ChangeKind.DECLARE:
        way, hint = "revoke it", Hint(Way.REVOKE_NON_COPY, (change.id,))
    else:
        way, hint = "declare it again", Hint(Way.DECLARE_NON_COPY)
    return BadInput(
        f"change {change.id} is about a declared non-copy; to undo it, {way}", hint=hint
    )


def _correct_back(session: Session, change: Change, origin: Origin) -> Change:
    assert change.artwork_id is not None  # noqa: S101  a correction is of one work
    work = work_to_change(session, change.artwork_id)
    if not change.after:
        raise Conflict(
            f"what change {change.id} said was wiped when artwork {work.id} was withdrawn; "
            f"nothing to undo"
        )
    if other := [name for name, said in change.after.items() if getattr(work, name) != said]:
        raise Conflict(
            f"{', '.join(other)} of artwork {work.id} changed again since change {change.id}; "
            f"undo later changes first",
            hint=Hint(Way.LIST_CHANGES_OF_WORK, (work.id,)),
        )
    check_file(work, change.before)
    (made,) = queries.correct_works(session, {work.id: change.before}, origin)
    return made


def _rename_back(session: Session, change: Change, origin: Origin) -> Change:
    name = change.before["name"]
    queries.lock_names(session, [name])
    artist = _locked(session, change)
    if artist.name != change.after["name"]:
        raise Conflict(
            f"{artist.slug!r} is called {artist.name!r} by now; undo later changes first",
            hint=Hint(Way.LIST_CHANGES_OF_ARTIST, (artist.slug,)),
        )
    queries.check_name(session, artist.id, name)
    keeps_old = "alias" in change.before
    return queries.rename_artist(session, artist.id, name, origin, keeps_old=keeps_old)


def _alias_back(session: Session, change: Change, origin: Origin) -> Change:
    if "alias" in change.after:
        return queries.remove_alias(session, change.artist_id, change.after["alias"], origin)
    name = change.before["alias"]
    queries.lock_names(session, [name])
    artist = _locked(session, change)
    if not queries.add_alias(session, change.artist_id, name):
        raise Conflict(f"{name!r} is a name of {artist.slug!r} again; nothing to undo")
    return queries.record_alias(session, change.artist_id, name, origin)


def _locked(session: Session, change: Change) -> Artist:
    """Return the artist of a change as it is now; whoever changes it next waits."""
    return queries.artists_to_change(session, [change.artist_id])[change.artist_id]
