"""Points of the parts of works, compared with the catalogue and made again from kept vectors.

Memory: a page of works or points, and sixteen bytes for every work that differs.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Iterator, Sequence
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.chunks import chunks
from attribution.collection import Collection
from attribution.types import Part

PAGE = 1_000  # works, or points
WORKS_AT_ONCE = 16  # with MOST_TILES parts each they are a page of points


def wrong_parts(collection: Collection) -> list[UUID]:
    """Return the works of whose parts the index has not just the points that it should have."""
    return sorted({*_lacking(collection), *_surplus(collection)})


def rewrite_parts(collection: Collection, works: Sequence[UUID]) -> None:
    """Write the points of the parts of these works as they are kept, and leave no others."""
    for page in chunks(works, PAGE):
        collection.index.parts.delete(page)
        write_parts(collection, page)


def write_parts(collection: Collection, works: Several[UUID]) -> None:
    """Write the points of the parts of at most PAGE works from their kept vectors."""
    parts, fingerprint = collection.index.parts, collection.row.fingerprint
    with collection.sessions() as session:
        having = list(queries.numbers_of_parts(session, fingerprint, among=works))
    for few in chunks(having, WORKS_AT_ONCE):
        with collection.sessions() as session:
            vectors = queries.kept_part_vectors(session, fingerprint, few)
        parts.upsert(vectors)
        with collection.sessions() as session:  # one may have been withdrawn meanwhile
            left = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        parts.delete([work for work in few if work not in left])


def _lacking(collection: Collection) -> Iterator[UUID]:
    """Yield the works that lack a point of a part."""
    after: UUID | None = None
    while True:
        with collection.sessions() as session:
            numbers = queries.numbers_of_parts(
                session, collection.row.fingerprint, after=after, limit=WORKS_AT_ONCE
            )
        if not numbers:
            return
        parts = _parts(numbers)
        yield from {part.work for part in parts - collection.index.parts.held(parts)}
        after = max(numbers)


def _surplus(collection: Collection) -> Iterator[UUID]:
    """Yield the works of which there is a point of a part that they do not have."""
    after: Part | None = None
    while held := collection.index.parts.entries(after=after, limit=PAGE):
        works = {part.work for part in held}
        with collection.sessions() as session:
            numbers = queries.numbers_of_parts(session, collection.row.fingerprint, among=works)
            are_coming = queries.unfinished_jobs(session) > 0
            rows = queries.artworks_by_id(session, works, status=ArtworkStatus.PENDING)
        yield from works & {part.work for part in set(held) - _parts(numbers)} - (
            rows.keys() if are_coming else set()
        )
        after = held[-1]


def _parts(numbers: dict[UUID, int]) -> set[Part]:
    return {Part(work, number) for work, count in numbers.items() for number in range(1, count + 1)}
