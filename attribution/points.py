"""Points of the index, made again from the rows and kept vectors of their works."""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Sequence
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.collection import Stores
from attribution.index.vector_index import VectorIndex
from attribution.parts import write_parts
from attribution.projection import point_of

PAGE = 1_000


def write_points(stores: Stores, index: VectorIndex, ids: Several[UUID]) -> list[UUID]:
    """Write the points of these works from their kept vectors; returns the works that have none."""
    ordered, without = sorted(ids), []
    for start in range(0, len(ordered), PAGE):
        without += _write(stores, index, ordered[start : start + PAGE])
    return without


def write_again(stores: Stores, index: VectorIndex, ids: Several[UUID]) -> None:
    """Write the points of works whose points were just written, and are not there.

    Another collection may have taken the place of the one that got them, before the catalogue said
    that these works are to be found.
    """
    write_points(stores, index, set(ids) - index.held(list(ids)))


def follow(stores: Stores, index: VectorIndex, written: Sequence[Artwork]) -> None:
    """Look whether works are still as their points were written, and mend those that are not.

    Whoever writes a point looks afterwards: so the last writer of two finds what the other has
    changed, and no point stays that says something old.
    """
    with stores.sessions() as session:
        rows = queries.artworks_by_id(
            session, [row.id for row in written], status=ArtworkStatus.INDEXED
        )
    index.delete([row.id for row in written if row.id not in rows])
    changed = [
        row.id
        for row in written
        if row.id in rows and point_of(rows[row.id], {}) != point_of(row, {})
    ]
    write_points(stores, index, changed)


def _write(stores: Stores, index: VectorIndex, few: Sequence[UUID]) -> list[UUID]:
    with stores.sessions() as session:
        collection = queries.collection_by_name(session, index.name)
        rows = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        kept = queries.kept_vectors(session, collection.fingerprint, few, collection.dims)
    written = [row for row in rows.values() if row.id in kept]
    index.upsert([point_of(row, kept[row.id]) for row in written])
    write_parts(stores, index, [row.id for row in written])
    follow(stores, index, written)
    return [one for one in rows if one not in kept]
