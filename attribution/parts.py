"""Points of the parts of works, compared with the catalogue and made again from kept vectors.

Memory: a page of works or points, and sixteen bytes for every work that differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.collection import Stores
from attribution.index.vector_index import VectorIndex
from attribution.types import Part

PAGE = 1_000  # works, or points
WORKS_AT_ONCE = 16  # with MOST_TILES parts each they are a page of points


def wrong_parts(stores: Stores, index: VectorIndex) -> list[UUID]:
    """Return the works of whose parts the index has not just the points that it should have."""
    return sorted({*_lacking(stores, index), *_surplus(stores, index)})


def rewrite_parts(stores: Stores, index: VectorIndex, works: Sequence[UUID]) -> None:
    """Write the points of the parts of these works as they are kept, and leave no others."""
    for start in range(0, len(works), PAGE):
        index.parts.delete(works[start : start + PAGE])
        write_parts(stores, index, works[start : start + PAGE])


def write_parts(stores: Stores, index: VectorIndex, works: Collection[UUID]) -> None:
    """Write the points of the parts of at most PAGE works from their kept vectors."""
    with stores.sessions() as session:
        fingerprint = queries.collection_by_name(session, index.name).fingerprint
        having = list(queries.numbers_of_parts(session, fingerprint, among=works))
    for start in range(0, len(having), WORKS_AT_ONCE):
        few = having[start : start + WORKS_AT_ONCE]
        with stores.sessions() as session:
            index.parts.upsert(queries.kept_part_vectors(session, fingerprint, few))
        with stores.sessions() as session:  # one may have been withdrawn meanwhile
            left = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        index.parts.delete([work for work in few if work not in left])


def _lacking(stores: Stores, index: VectorIndex) -> Iterator[UUID]:
    """Yield the works that lack a point of a part."""
    after: UUID | None = None
    while True:
        with stores.sessions() as session:
            fingerprint = queries.collection_by_name(session, index.name).fingerprint
            numbers = queries.numbers_of_parts(
                session, fingerprint, after=after, limit=WORKS_AT_ONCE
            )
        if not numbers:
            return
        parts = _parts(numbers)
        yield from {part.work for part in parts - index.parts.held(parts)}
        after = max(numbers)


def _surplus(stores: Stores, index: VectorIndex) -> Iterator[UUID]:
    """Yield the works of which there is a point of a part that they do not have."""
    after: Part | None = None
    while held := index.parts.entries(after=after, limit=PAGE):
        works = {part.work for part in held}
        with stores.sessions() as session:
            fingerprint = queries.collection_by_name(session, index.name).fingerprint
            known = _parts(queries.numbers_of_parts(session, fingerprint, among=works))
            are_coming = queries.unfinished_jobs(session) > 0
            rows = queries.artworks_by_id(session, works, status=ArtworkStatus.PENDING)
        yield from works & {part.work for part in set(held) - known} - (
            rows.keys() if are_coming else set()
        )
        after = held[-1]


def _parts(numbers: dict[UUID, int]) -> set[Part]:
    return {Part(work, number) for work, count in numbers.items() for number in range(1, count + 1)}
