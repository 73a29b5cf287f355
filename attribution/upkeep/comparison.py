"""Catalogue and index, work by work: what differs, and how the index is made to follow.

Both are read in the order of their ids, a range at a time, like two sorted lists. What differs is
looked at a second time before it counts: works come and go meanwhile. Memory: a range of each side,
and sixteen bytes for every difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.chunks import chunks
from attribution.collection import Collection, Stores
from attribution.copies.description import untiled
from attribution.index.points import IndexEntry
from attribution.parts import lacking_parts, rewrite_parts, surplus_parts
from attribution.points import write_points

PAGE = 1_000


@dataclass
class Differences:
    """What was compared, and the works or points that differ."""

    works: int = 0
    points: int = 0
    missing: list[UUID] = field(default_factory=list)  # works without a point
    orphaned: list[UUID] = field(default_factory=list)  # points without a work
    stale: list[UUID] = field(default_factory=list)  # points that say something old
    wrong_parts: list[UUID] = field(default_factory=list)  # works with too few, or too many points
    unsketched: list[UUID] = field(default_factory=list)  # works whose copies are not recognised
    untiled: int = 0  # strips of an earlier version

    def __iadd__(self, other: Differences) -> Self:
        """Add what was found elsewhere."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self


def compare(collection: Collection) -> Differences:
    """Compare every indexed work with its point, and its parts with theirs."""
    found, after, behind = Differences(), None, None
    while True:
        some, after = compare_range(collection, after)
        found += some
        if after is None:
            break
    while True:
        works, behind = surplus_parts(collection, behind)
        found.wrong_parts = sorted({*found.wrong_parts, *works})
        if behind is None:
            return found


def compare_range(collection: Collection, after: UUID | None) -> tuple[Differences, UUID | None]:
    """Compare the next works and points behind an id, PAGE of each at most.

    Returns as well up to where, for the next range; None where nothing is left.
    """
    with collection.sessions() as session:
        works = queries.indexed_artworks(session, after=after, limit=PAGE)
    points = collection.index.entries(after=after, limit=PAGE)
    # What is not read yet on one side says nothing about the other.
    end = min((page[-1].id for page in (works, points) if len(page) == PAGE), default=None)
    rows = {row.id: row for row in works if end is None or row.id <= end}
    entries = {entry.id: entry for entry in points if end is None or entry.id <= end}
    with collection.sessions() as session:
        tileless = untiled(session, rows.values())
        unsketched = queries.without_sketch(session, rows)
    found = Differences(
        works=len(rows),
        points=len(entries),
        missing=_missing(collection, sorted(rows.keys() - entries)),
        orphaned=_orphaned(collection, sorted(entries.keys() - rows)),
        stale=[
            one for one in sorted(rows.keys() & entries) if entries[one] != _entry_of(rows[one])
        ],
        wrong_parts=lacking_parts(collection, rows),
        unsketched=sorted(unsketched),
        untiled=len(tileless),
    )
    return found, end


def follow_catalogue(collection: Collection, found: Differences) -> list[UUID]:
    """Have the index say what the catalogue says, from the kept vectors.

    Returns the works that have none of this collection's encoders.
    """
    rewrite_parts(collection, found.wrong_parts)
    without = write_points(collection, [*found.missing, *found.stale])
    for few in chunks(found.orphaned, PAGE):
        collection.index.delete(few)
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


def _missing(collection: Collection, works: Sequence[UUID]) -> list[UUID]:
    """Return those of these works that still lack a point."""
    if not works:
        return []
    with collection.sessions() as session:
        rows = queries.artworks_by_id(session, works, status=ArtworkStatus.INDEXED)
    there = collection.index.held(list(rows))
    return [one for one in works if one in rows and one not in there]


def _orphaned(collection: Collection, points: Sequence[UUID]) -> list[UUID]:
    """Return those of these points that still lack a work; not those of works just coming in."""
    if not points:
        return []
    with collection.sessions() as session:
        coming = queries.unfinished_jobs(session) > 0
        rows = queries.artworks_by_id(session, points)
    fine = {ArtworkStatus.INDEXED} | ({ArtworkStatus.PENDING} if coming else set())
    return [one for one in points if one not in rows or rows[one].status not in fine]


def _entry_of(row: Artwork) -> IndexEntry:
    said = (row.licence_key, row.year, row.consent_of_point, row.tenant)
    return IndexEntry(row.id, row.artist_id, *said)
