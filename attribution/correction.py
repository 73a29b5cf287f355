"""Corrections: what is said of a work, whose it is, what an artist is called.

SQL first, in one transaction with the classifier's statistics and a record of the change: from then
on every answer has it. Then the index and the pictures follow, and the record is completed. Every
step may be repeated; what was interrupted is finished by asking again, or by `reconcile`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.models import Artist, Artwork, ArtworkStatus, Change
from attribution.catalog.names import tidy
from attribution.catalog.queries import Origin
from attribution.errors import BadInput, Conflict, NotAllowed
from attribution.images import forbidden_by, read_image, thumbnail
from attribution.index.vector_index import VectorIndex
from attribution.points import write_points
from attribution.services import Stores

AT_ONCE = 1_000  # changes of which the index follows together


def correct(
    stores: Stores, index: VectorIndex, artwork_id: UUID, said: Mapping[str, Any], origin: Origin
) -> Change | None:
    """Take over what is said of a work, columns by name; None where it says so already.

    Raises NotFound, Conflict for a work that is withdrawn or on its way in, NotAllowed where the
    file itself forbids it.
    """
    _check(said)
    with stores.sessions.begin() as session:
        work = _work(session, artwork_id)
        because = forbidden_by(work.facts, work.rights).get("train")
        if said.get("consent_train") and because:
            raise NotAllowed(f"artwork {artwork_id} may not train: its file says {because}")
        made = queries.correct_works(session, {artwork_id: said}, origin)
        waiting = queries.unfinished_changes(session, artworks=[artwork_id])
    finish(stores, index, waiting)
    return made[0] if made else None


def move(stores: Stores, index: VectorIndex, artwork_id: UUID, slug: str, origin: Origin) -> Change:
    """Give a work to another artist.

    Raises NotFound, Conflict for a work that is withdrawn, on its way in or already the artist's,
    and for an artist that has withdrawn.
    """
    with stores.sessions.begin() as session:
        work, artist = _work(session, artwork_id), _artist(session, slug)
        is_new = work.artist_id != artist.id
        made = [queries.move_work(session, work, artist.id, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artworks=[artwork_id])
    finish(stores, index, waiting)
    if not made:
        raise Conflict(f"artwork {artwork_id} is by {artist.slug!r} already; name another artist")
    return made[0]


def merge(stores: Stores, index: VectorIndex, slug: str, into: str, origin: Origin) -> Change:
    """Make one artist of two: the works, names and claims of `slug` become those of `into`.

    Raises NotFound, Conflict for an artist into itself, one that has withdrawn, and while works of
    the first are on their way in.
    """
    with stores.sessions.begin() as session:
        gone, kept = _artist(session, slug), _artist(session, into)
        is_new = gone.id != kept.id
        if is_new:
            _check_nothing_comes(session, gone)
        made = [queries.merge_artists(session, gone.id, kept.id, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artist_id=kept.id)
    finish(stores, index, waiting)
    if not made:
        raise Conflict(f"{slug!r} and {into!r} are one artist; name two")
    return made[0]


def rename(stores: Stores, index: VectorIndex, slug: str, name: str, origin: Origin) -> Change:
    """Call an artist by another name; slug and works stay, the old name becomes an alias.

    Raises NotFound, BadInput for what is no name, Conflict for the name of somebody else, for the
    present one, and for an artist that has withdrawn.
    """
    exact = tidy(name)
    with stores.sessions.begin() as session:
        artist = _artist(session, slug)
        is_new = artist.name != exact
        if is_new:
            queries.check_name(session, artist.id, exact)
        made = [queries.rename_artist(session, artist.id, exact, origin)] if is_new else []
        waiting = queries.unfinished_changes(session, artist_id=artist.id)
    finish(stores, index, waiting)
    if not made:
        raise Conflict(f"{artist.slug!r} is called {exact!r} already; give another name")
    return made[0]


def confirm_alias(stores: Stores, slug: str, name: str, origin: Origin) -> Change:
    """Note that an artist has another name: works that come under it are theirs.

    Raises NotFound, BadInput for what is no name, Conflict for a name that is somebody's already.
    """
    with stores.sessions.begin() as session:
        artist = _artist(session, slug)
        if not queries.add_alias(session, artist.id, name):
            raise Conflict(f"{tidy(name)!r} is a name of {artist.slug!r} already; give another one")
        return queries.record_alias(session, artist.id, tidy(name), origin)


def finish(stores: Stores, index: VectorIndex, changes: Sequence[Change]) -> None:
    """Have index and pictures follow some changes, then note that they do."""
    for start in range(0, len(changes), AT_ONCE):
        few = changes[start : start + AT_ONCE]
        with stores.sessions() as session:
            works = {work for change in few for work in queries.works_of(session, change)}
            shown = {one.artwork_id for one in few if one.artwork_id and _is_about_display(one)}
            rows = queries.artworks_by_id(session, shown)
        write_points(stores, index, works)
        for row in rows.values():
            _show_or_hide(stores, row)
        index.flush()
        with stores.sessions.begin() as session:
            queries.complete_changes(session, [change.id for change in few])


def _check(said: Mapping[str, Any]) -> None:
    if not said:
        raise BadInput("nothing to correct: say at least one thing about the work")
    if said.get("consent_index") is False:
        raise BadInput(
            "a work without the consent to be found leaves altogether: withdraw it, with a reason"
        )


def _work(session: Session, artwork_id: UUID) -> Artwork:
    """Return a work that may be changed, locked."""
    queries.artwork_by_id(session, artwork_id)
    work = queries.works_to_change(session, [artwork_id])[artwork_id]
    if work.status is ArtworkStatus.WITHDRAWN:
        raise Conflict(f"artwork {artwork_id} was withdrawn; only an ingest can reinstate it")
    if work.status is ArtworkStatus.PENDING:
        raise Conflict(f"artwork {artwork_id} is being ingested; try again when its job has ended")
    return work


def _artist(session: Session, slug: str) -> Artist:
    """Return an artist that may be changed."""
    artist = queries.artist_by_slug(session, slug)
    if artist.withdrawn_at is not None:
        raise Conflict(f"artist {slug!r} has withdrawn; only an ingest can reinstate them")
    return artist


def _check_nothing_comes(session: Session, artist: Artist) -> None:
    pending = queries.list_artworks(
        session, artist_id=artist.id, status=ArtworkStatus.PENDING, limit=1
    )
    if pending.items and queries.unfinished_jobs(session):
        raise Conflict(
            f"works of {artist.slug!r} are being ingested, such as {pending.items[0].id}; try "
            f"again when the jobs have ended"
        )


def _is_about_display(change: Change) -> bool:
    return "consent_display" in change.after


def _show_or_hide(stores: Stores, row: Artwork) -> None:
    """Delete the picture of a work that may not be shown; make that of one that may be again."""
    if not row.consent_display:
        stores.store.forget_thumbnail(row.sha256)
    elif not stores.store.has_thumbnail(row.sha256) and stores.store.has_original(row.sha256):
        image = read_image(stores.store.original(row.sha256), stores.limits)
        stores.store.put_thumbnail(row.sha256, thumbnail(image.rgb))
