"""Points of the parts of works, compared with the catalogue and made again from kept vectors.

Memory: a page of works or points, and sixteen bytes for every work that differs.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Sequence
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.chunks import chunks
from attribution.collection import Collection
from attribution.types import Part

PAGE = 1_000  # works, or points
WORKS_AT_ONCE = 16  # with MOST_TILES parts each they are a page of points


def rewrite_parts(collection: Collection, works: Sequence[UUID]) -> None:
    """Write the points of the parts of these works as they are kept, and leave no others."""
    for page in chunks(works, PAGE):
        collection.index.parts.delete(page)
        write_parts(collection, page)


def write_parts(collection: Collection, works: Several[UUID]) -> None:
    """Write the points of the parts of at most PAGE works from their kept vectors."""
    parts, fingerprint = collection.index.parts, collection.row.fingerprint
    with collection.sessions() as session:
        having = sorted(queries.numbers_of_parts(session, fingerprint, works))
    for few in chunks(having, WORKS_AT_ONCE):
        with collection.sessions() as session:
            vectors = queries.kept_part_vectors(session, fingerprint, few)
        parts.upsert(vectors)
        with collection.sessions() as session:  # one may have been withdrawn meanwhile
            left = queries.artworks_by_id(session, few, status=ArtworkStatus.INDEXED)
        parts.delete([work for work in few if work not in left])


def lacking_parts(collection: Collection, works: Several[UUID]) -> list[UUID]:
    """Return those of at most PAGE works that lack a point of a part."""
    with collection.sessions() as session:
        numbers = queries.numbers_of_parts(session, collection.row.fingerprint, works)
    lacking: set[UUID] = set()
    for few in chunks(sorted(numbers), WORKS_AT_ONCE):
        parts = _parts({work: numbers[work] for work in few})
        lacking |= {part.work for part in parts - collection.index.parts.held(parts)}
    return sorted(lacking)


def surplus_parts(collection: Collection, after: Part | None) -> tuple[list[UUID], Part | None]:
    """Return the works with a point of a part that they do not have, by the next PAGE points.

    Points come in an order of their own. A work is told of once, with its first such point, and
    not where it lacks points too, which `lacking_parts` tells. Returns as well the last point, for
    the next ones; None where none are left.
    """
    held = collection.index.parts.entries(after=after, limit=PAGE)
    if not held:
        return [], None
    works = {part.work for part in held}
    with collection.sessions() as session:
        numbers = queries.numbers_of_parts(session, collection.row.fingerprint, works)
        are_coming = queries.unfinished_jobs(session) > 0
        rows = queries.artworks_by_id(session, works, status=ArtworkStatus.PENDING)
    kept, told = _parts(numbers), set(held)
    surplus = {part.work for part in told - kept} - (rows.keys() if are_coming else set())
    first: dict[UUID, Part] = {}
    for part in collection.index.parts.of(surplus):
        if part not in kept:
            first.setdefault(part.work, part)
    here = {work for work, part in first.items() if part in told}
    return sorted(here.difference(lacking_parts(collection, here))), held[-1]


def _parts(numbers: dict[UUID, int]) -> set[Part]:
    return {Part(work, number) for work, count in numbers.items() for number in range(1, count + 1)}
