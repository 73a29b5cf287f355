"""Works that came with vectors alone, once a file of theirs comes: what they get from it.

It is what a new work gets: hashes, facts, rights, what the file itself forbids, and its pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, Change
from attribution.catalogue.queries import Origin
from attribution.collection import Stores
from ingest.consents import statements_of_file
from ingest.picture import Picture
from ingest.reading import SETTLED, Prepared


@dataclass(frozen=True)
class Seen:
    """Works that were seen for the first time, and what follows from it, by work."""

    works: Mapping[UUID, Artwork] = field(default_factory=dict)
    changes: Mapping[UUID, Change] = field(default_factory=dict)  # of what may be done with them
    size: int = 0  # bytes of their files, which nobody has counted so far


def see(session: Session, job_id: UUID, files: Iterable[Prepared]) -> Seen:
    """Write into works what their files show; a work that was seen meanwhile stays as it is."""
    pictures = {done.known.id: done.seen for done in files if done.known and done.seen}
    if not pictures:
        return Seen()
    locked = queries.works_to_change(session, pictures)
    rows = {one: row for one, row in locked.items() if row.is_unseen and row.status in SETTLED}
    for work, row in rows.items():
        picture = pictures[work]
        row.pixel_sha256, row.phash = picture.pixel_sha256, picture.phash
        row.facts, row.rights = dict(picture.facts), dict(picture.rights)
        row.licence = row.licence or picture.rights.get("licence")
        row.thumbnail = picture.sha256 if picture.thumbnail else None
    session.flush()
    said = [one for work in rows for one in statements_of_file(pictures[work], job_id, work)]
    changes = queries.correct_works(
        session, {work: {} for work in rows}, Origin.of_job(job_id), consents=said
    )
    return Seen(
        rows,
        {change.artwork_id: change for change in changes if change.artwork_id},
        sum(pictures[work].bytes for work in rows),
    )


def keep_pictures(stores: Stores, files: Iterable[Prepared], seen: Seen) -> None:
    """Keep what the settings and the consents of works allow that were just seen."""
    for done in files:
        if done.known and done.seen and (row := seen.works.get(done.known.id)):
            keep_file(stores, done.seen, done.file.data, is_shown=row.consent_display)


def keep_file(stores: Stores, picture: Picture, data: bytes, *, is_shown: bool) -> None:
    """Keep the thumbnail of a work that may be shown, and its original where originals are kept."""
    if is_shown and picture.thumbnail is not None:
        stores.store.put_thumbnail(picture.sha256, picture.thumbnail)
    if stores.settings.keep_originals and data:
        stores.store.put_original(picture.sha256, data)
