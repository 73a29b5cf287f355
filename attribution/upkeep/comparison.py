"""Catalogue and index, work by work: what differs, and how the index is made to follow.

Both are read in the order of their ids, a page at a time, like two sorted lists. What differs is
looked at a second time before it counts: works come and go meanwhile. Memory: a page of each side,
and sixteen bytes for every difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.chunks import chunks
from attribution.collection import Collection, Stores
from attribution.copies.description import untiled
from attribution.index.points import IndexEntry
from attribution.index.vector_index import VectorIndex
from attribution.parts import rewrite_parts, wrong_parts
from attribution.points import write_points

PAGE = 1_000


@dataclass
class Differences:
    """What was compared, and the works or points that differ."""

    works: int
    points: int
    missing: list[UUID]  # works without a point
    orphaned: list[UUID]  # points without a work
    stale: list[UUID]  # points that say something else than the catalogue
    wrong_parts: list[UUID]  # works of whose parts the index has too few points, or too many
    untiled: int = 0  # strips of an earlier version


def compare(collection: Collection) -> Differences:
    """Compare every indexed work with its point, and its parts with theirs."""
    found = Differences(0, 0, [], [], [], [])
    rows, entries = _rows(collection, found), _entries(collection.index)
    row, entry = next(rows, None), next(entries, None)
    while row or entry:
        if entry is None or (row and row.id < entry.id):
            assert row is not None  # noqa: S101  the loop's condition
            found.missing.append(row.id)
            found.works += 1
            row = next(rows, None)
        elif row is None or entry.id < row.id:
            found.orphaned.append(entry.id)
            found.points += 1
            entry = next(entries, None)
        else:
            if entry != _entry_of(row):
                found.stale.append(row.id)
            found.works, found.points = found.works + 1, found.points + 1
            row, entry = next(rows, None), next(entries, None)
    return replace(_looked_at_again(collection, found), wrong_parts=wrong_parts(collection))


def follow_catalogue(collection: Collection, found: Differences) -> list[UUID]:
    """Have the index say what the catalogue says, from the kept vectors.

    Returns the works that have none of this collection's encoders.
    """
    rewrite_parts(collection, found.wrong_parts)
    without = write_points(collection, [*found.missing, *found.stale])
    collection.index.delete(found.orphaned)
    return without


def indexed_pages(stores: Stores, size: int) -> Iterator[list[Artwork]]:
    """Yield all works that are to be found, a page at a time, in the order of their ids."""
    after: UUID | None = None
    while True:
        with stores.sessions() as session:
            page = queries.indexed_artworks(session, after=after, limit=size)
        if not page:
            return
        yield page
        after = page[-1].id


def _looked_at_again(collection: Collection, found: Differences) -> Differences:
    """Leave out what has come right by itself, and points of works that are just coming in."""
    with collection.sessions() as session:
        coming = queries.unfinished_jobs(session) > 0
    missing = []
    for few in chunks(found.missing, PAGE):
        with collection.sessions() as session:
            rows = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        there = collection.index.held(list(rows))
        missing += [one for one in few if one in rows and one not in there]
    orphaned = []
    for few in chunks(found.orphaned, PAGE):
        with collection.sessions() as session:
            rows = queries.artworks_by_id(session, few)
        fine = {ArtworkStatus.INDEXED} | ({ArtworkStatus.PENDING} if coming else set())
        orphaned += [one for one in few if one not in rows or rows[one].status not in fine]
    return replace(found, missing=missing, orphaned=orphaned)


def _rows(stores: Stores, found: Differences) -> Iterator[Artwork]:
    """Yield all works that are to be found, and count the strips without tiles on the way."""
    for page in indexed_pages(stores, PAGE):
        with stores.sessions() as session:
            found.untiled += len(untiled(session, page))
        yield from page


def _entries(index: VectorIndex) -> Iterator[IndexEntry]:
    after: UUID | None = None
    while page := index.entries(after=after, limit=PAGE):
        yield from page
        after = page[-1].id


def _entry_of(row: Artwork) -> IndexEntry:
    said = (row.licence_key, row.year, row.consent_of_point, row.tenant)
    return IndexEntry(row.id, row.artist_id, *said)
