"""Corrections: what is said of a work, whose it is, what an artist is called.

SQL first, in one transaction with the classifier's statistics and a record of the change: from then
on every answer has it. Then the index and the pictures follow, and the record is completed. Every
step may be repeated; what was interrupted is finished by asking again, or by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus, Change
from attribution.catalogue.names import resemble, tidy
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries import Origin
from attribution.chunks import chunks
from attribution.collection import Collection, Stores
from attribution.errors import BadInput, Conflict, Hint, NotAllowed, NotFound, Way
from attribution.images import forbidden_by, read_image, thumbnail
from attribution.points import write_points

AT_ONCE = 1_000  # changes, or works of one, that the index follows together


def correct(
    collection: Collection, artwork_id: UUID, said: Mapping[str, Any], origin: Origin
) -> Change | None:
    """Take over what is said of a work, columns by name; None where it says so already.

    Raises NotFound, Conflict for a work that is withdrawn or on its way in, NotAllowed where the
    file itself forbids it.
    """
    _check(said)
    with collection.sessions.begin() as session:
        work = work_to_change(session, artwork_id)
        check_file(work, said)
        made = queries.correct_works(session, {artwork_id: said}, origin)
        waiting = queries.unfinished_changes(session, artworks=[artwork_id])
    follow_up(collection, waiting)
    return made[0] if made else None


def move(collection: Collection, artwork_id: UUID, slug: str, origin: Origin) -> Change:
    """Give a work to another artist.

    Raises NotFound, Conflict for a work that is withdrawn, on its way in or already the artist's,
    and for an artist that has withdrawn.
    """
    with collection.sessions.begin() as session:
        work, artist = work_to_change(session, artwork_id), _artist(session, slug)
        is_new = work.artist_id != artist.id
        made = [queries.move_work(session, work, artist.id, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artworks=[artwork_id])
    follow_up(collection, waiting)
    if not made:
        raise Conflict(
            f"artwork {artwork_id} is already under {artist.slug!r}; name another artist"
        )
    return made[0]


@dataclass(frozen=True)
class Merging:
    """What a merge would do."""

    gone: str  # names
    kept: str
    works: int  # that can be found, and would come to the second artist
    is_likely: bool  # whether the names resemble each other

    def __str__(self) -> str:
        """Say it in a sentence."""
        few = "1 work" if self.works == 1 else f"{self.works} works"
        return f"{few} of {self.gone!r} would become works of {self.kept!r}"


def plan_merge(stores: Stores, slug: str, into: str) -> Merging:
    """Return what a merge would do, for a person to confirm; raises as `merge` does."""
    with stores.sessions() as session:
        return _merging(somebody(session, slug), somebody(session, into))


def merge(
    collection: Collection,
    slug: str,
    into: str,
    origin: Origin,
    *,
    is_confirmed: bool = False,
) -> Change:
    """Make one artist of two: the works, names and claims of `slug` become those of `into`.

    Raises NotFound, Conflict for an artist into itself, one that has withdrawn, for nobody, while
    works of the first are on their way in, and for names that do not resemble each other until it
    is confirmed.
    """
    with collection.sessions.begin() as session:
        gone, kept = somebody(session, slug), somebody(session, into)
        is_new = gone.id != kept.id
        if is_new:
            check_nothing_comes(session, gone)
            planned = _merging(gone, kept)
            if not (planned.is_likely or is_confirmed):
                raise Conflict(
                    f"the names do not resemble each other: {planned}",
                    hint=Hint(Way.CONFIRM_MERGE),
                )
        made = [queries.merge_artists(session, gone.id, kept.id, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artist_id=kept.id)
    follow_up(collection, waiting)
    if not made:
        raise Conflict(f"{slug!r} and {into!r} are one artist; name two")
    return made[0]


def split(
    collection: Collection,
    slug: str,
    works: Several[UUID],
    into: str,
    origin: Origin,
) -> Change:
    """Give some works of an artist to another one, known or new, by name or slug.

    Raises NotFound, BadInput for no work or what is no name, Conflict for works that are not the
    artist's, withdrawn or on their way in, and for a name of the artist's own.
    """
    ordered = sorted(set(works))
    if not ordered:
        raise BadInput("no works to split off: give the id of at least one")
    with collection.sessions.begin() as session:
        old, new = _artist(session, slug), _receiver(session, into)
        if old.id == new.id:
            raise Conflict(
                f"{into!r} is {old.slug!r} itself; give another name, or undo the change that made "
                f"it theirs",
                hint=Hint(Way.UNDO_FOR_WORKS, (old.slug,)),
            )
        for few in chunks(ordered, AT_ONCE):
            _check_theirs(session, few, old)
        made = queries.give_works(session, ordered, old.id, new.id, origin)
        waiting = queries.unfinished_changes(session, artist_id=new.id)
    follow_up(collection, waiting)
    return made


def rename(collection: Collection, slug: str, name: str, origin: Origin) -> Change:
    """Call an artist by another name; slug and works stay, the old name becomes an alias.

    Raises NotFound, BadInput for what is no name or means nobody, Conflict for the name of somebody
    else, for the present one, for an artist that has withdrawn, and for nobody.
    """
    exact = _name_of_somebody(name)
    with collection.sessions.begin() as session:
        queries.lock_names(session, [exact])
        artist = somebody(session, slug)
        queries.artists_to_change(session, [artist.id])  # nobody renames them meanwhile
        is_new = artist.name != exact
        if is_new:
            queries.check_name(session, artist.id, exact)
        made = [queries.rename_artist(session, artist.id, exact, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artist_id=artist.id)
    follow_up(collection, waiting)
    if not made:
        raise Conflict(f"{artist.slug!r} is called {exact!r} already; give another name")
    return made[0]


def confirm_alias(stores: Stores, slug: str, name: str, origin: Origin) -> Change:
    """Note that an artist has another name: works that come under it are theirs.

    Raises NotFound, BadInput for what is no name or means nobody, Conflict for a name that is
    somebody's already, and for nobody.
    """
    exact = _name_of_somebody(name)
    with stores.sessions.begin() as session:
        queries.lock_names(session, [exact])
        artist = somebody(session, slug)
        queries.artists_to_change(session, [artist.id])
        if not queries.add_alias(session, artist.id, exact):
            raise Conflict(f"{exact!r} is a name of {artist.slug!r} already; give another one")
        return queries.record_alias(session, artist.id, exact, origin)


def follow_up(collection: Collection, changes: Sequence[Change]) -> None:
    """Have index and pictures follow changes that were just made.

    Where there are workers, what concerns more than AT_ONCE works is left to them (`finish_all`):
    nobody waits for it, and it stays unfinished until then.
    """
    if collection.settings.broker_url:
        with collection.sessions() as session:
            changes = [one for one in changes[:AT_ONCE] if not _is_large(session, one)]
    finish(collection, changes)


def finish_all(collection: Collection) -> None:
    """Have index and pictures follow the tenant's unfinished changes; one process at a time."""
    with collection.sessions() as holder:
        if queries.take_turn(holder, f"changes {tenants.current()}"):
            finish(collection, queries.unfinished_changes(holder))


def finish(collection: Collection, changes: Sequence[Change]) -> None:
    """Have index and pictures follow some changes, then note that they do."""
    for few in chunks(changes, AT_ONCE):
        alone = {change.artwork_id for change in few if change.artwork_id}
        write_points(collection, alone)
        for change in few:
            if change.artwork_id is None:
                _follow_artists(collection, change)
        shown = {one.artwork_id for one in few if one.artwork_id and _is_about_display(one)}
        with collection.sessions() as session:
            rows = queries.artworks_by_id(session, shown)
        for row in rows.values():
            _show_or_hide(collection, row)
        collection.index.flush()
        with collection.sessions.begin() as session:
            queries.complete_changes(session, [change.id for change in few])


def work_to_change(session: Session, artwork_id: UUID) -> Artwork:
    """Return a work, locked; raises Conflict for one that is withdrawn or on its way in."""
    queries.artwork_by_id(session, artwork_id)
    work = queries.works_to_change(session, [artwork_id])[artwork_id]
    _check_settled(work)
    return work


def check_nothing_comes(session: Session, artist: Artist) -> None:
    """Raise Conflict while works of an artist are on their way in."""
    pending = queries.list_artworks(
        session, artist_id=artist.id, status=ArtworkStatus.PENDING, limit=1
    )
    if pending.items and queries.unfinished_jobs(session):
        raise Conflict(
            f"works of {artist.slug!r} are being ingested, such as {pending.items[0].id}; try "
            f"again when the jobs have ended"
        )


def check_file(work: Artwork, said: Mapping[str, Any]) -> None:
    """Raise NotAllowed where consent is given that the file itself forbids."""
    because = forbidden_by(work.facts, work.rights).get("train")
    if said.get("consent_train") and because:
        raise NotAllowed(f"artwork {work.id} may not train: its file says {because}")


def _is_large(session: Session, change: Change) -> bool:
    """Whether the index has to follow a change of artists in more than AT_ONCE works."""
    if change.artwork_id is not None:
        return False
    works = queries.works_to_follow(session, change, after=None, limit=AT_ONCE + 1)
    return len(works) > AT_ONCE


def _follow_artists(collection: Collection, change: Change) -> None:
    """Write the points of the works that have another artist, or one of another name."""
    after = None
    while True:
        with collection.sessions() as session:
            works = queries.works_to_follow(session, change, after=after, limit=AT_ONCE)
        if not works:
            return
        write_points(collection, works)
        after = works[-1]


def _check(said: Mapping[str, Any]) -> None:
    if not said:
        raise BadInput("nothing to correct: say at least one thing about the work")
    if said.get("consent_index") is False:
        raise BadInput(
            "a work without the consent to be found leaves altogether: withdraw it, with a reason"
        )


def _check_settled(work: Artwork) -> None:
    if work.status is ArtworkStatus.WITHDRAWN:
        raise Conflict(f"artwork {work.id} was withdrawn; only an ingest can reinstate it")
    if work.status is ArtworkStatus.PENDING:
        raise Conflict(f"artwork {work.id} is being ingested; try again when its job has ended")


def _check_theirs(session: Session, few: Sequence[UUID], artist: Artist) -> None:
    """Lock works; raise unless all of them are this artist's, and may be changed."""
    rows = queries.works_to_change(session, few)
    for one in few:
        if one not in rows:
            raise NotFound(f"no artwork {one}", hint=Hint(Way.LIST_WORKS))
        if rows[one].artist_id != artist.id:
            raise Conflict(f"artwork {one} is not by {artist.slug!r}; leave it out")
        _check_settled(rows[one])


def _artist(session: Session, slug: str) -> Artist:
    """Return an artist that may be changed."""
    artist = queries.artist_by_slug(session, slug)
    queries.check_open(artist)
    return artist


def somebody(session: Session, slug: str) -> Artist:
    """Return an artist that may be changed; raises Conflict for the row that stands for nobody."""
    artist = _artist(session, slug)
    if artist.is_nobody:
        raise Conflict(
            f"{artist.slug!r} is not an artist: it stands for works by nobody in particular",
            hint=Hint(Way.GIVE_WORKS),
        )
    return artist


def _name_of_somebody(name: str) -> str:
    """Return a name as it is kept; raises BadInput for one that means nobody."""
    exact = tidy(name)
    if is_nobody(exact):
        raise BadInput(
            f"{exact!r} means nobody in particular, and works under it are never ranked; give a "
            f"name that means one person"
        )
    return exact


def _receiver(session: Session, name: str) -> Artist:
    """Return the artist of a name or slug, or a new one of this name."""
    exact = tidy(name)
    if exact not in queries.kept_names(session, [exact]):
        with suppress(NotFound):
            return _artist(session, exact)
    artist = queries.get_or_create_artist(session, exact)
    queries.check_open(artist)
    return artist


def _merging(gone: Artist, kept: Artist) -> Merging:
    return Merging(gone.name, kept.name, gone.works, resemble(gone.name, kept.name))


def _is_about_display(change: Change) -> bool:
    return "consent_display" in change.after


def _show_or_hide(stores: Stores, row: Artwork) -> None:
    """Delete the picture of a work that may not be shown; make that of one that may be again."""
    if not row.consent_display:
        stores.store.forget_thumbnail(row.sha256)
    elif not stores.store.has_thumbnail(row.sha256) and stores.store.has_original(row.sha256):
        image = read_image(stores.store.original(row.sha256), stores.limits)
        stores.store.put_thumbnail(row.sha256, thumbnail(image.rgb))
