"""Points of the index, made again from the rows and kept vectors of their works."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Sequence
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.chunks import chunks
from attribution.collection import Collection
from attribution.parts import write_parts
from attribution.projection import point_of

PAGE = 1_000


def write_points(collection: Collection, ids: Several[UUID]) -> list[UUID]:
    """Write the points of these works from their kept vectors; returns the works that have none."""
    ordered, without = sorted(ids), []
    for page in chunks(ordered, PAGE):
        without += _write(collection, page)
    return without


def write_again(collection: Collection, ids: Several[UUID]) -> None:
    """Write the points of works whose points were just written, and are not there.

    Another collection may have taken the place of the one that got them, before the catalogue said
    that these works are to be found.
    """
    write_points(collection, set(ids) - collection.index.held(list(ids)))


def follow(collection: Collection, written: Sequence[Artwork]) -> None:
    """Look whether works are still as their points were written, and mend those that are not.

    Whoever writes a point looks afterwards: so the last writer of two finds what the other has
    changed, and no point stays that says something old.
    """
    with collection.sessions() as session:
        now = queries.said_by_points(session, [row.id for row in written])
    collection.index.delete([row.id for row in written if row.id not in now])
    changed = [
        row.id for row in written if row.id in now and now[row.id] != queries.said_by_point(row)
    ]
    write_points(collection, changed)


def _write(collection: Collection, few: Sequence[UUID]) -> list[UUID]:
    row = collection.row
    with collection.sessions() as session:
        rows = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        kept = queries.kept_vectors(session, row.fingerprint, few, row.dims)
    written = [work for work in rows.values() if work.id in kept]
    collection.index.upsert([point_of(work, kept[work.id]) for work in written])
    write_parts(collection, [work.id for work in written])
    follow(collection, written)
    return [one for one in rows if one not in kept]
