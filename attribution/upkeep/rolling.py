"""Stored vectors against the kept ones, a sample a run, which moves on from run to run."""

from __future__ import annotations

from uuid import UUID

from attribution.catalogue import queries
from attribution.collection import Collection

SAMPLE = 2_000  # works compared in one run
AT_ONCE = 500


def differing_vectors(collection: Collection, *, repair: bool) -> list[UUID]:
    """Return those of the next SAMPLE works whose vectors are stored otherwise than they are kept.

    The next run goes on behind them, and begins again behind the last; where works differ and are
    not repaired, the same ones are compared again. Memory: AT_ONCE works.
    """
    with collection.sessions() as session:
        row = queries.collection_by_name(session, collection.row.name)  # as it is by now
        after = row.compared_to
    different: list[UUID] = []
    for _ in range(SAMPLE // AT_ONCE):
        with collection.sessions() as session:
            works = queries.indexed_artworks(session, after=after, limit=AT_ONCE)
            ids = [work.id for work in works]
            kept = queries.kept_vectors(session, row.fingerprint, ids, row.dims)
        different += collection.index.differing(kept)
        after = ids[-1] if len(ids) == AT_ONCE else None
        if after is None:
            break
    if repair or not different:
        with collection.sessions.begin() as session:
            queries.note_compared(session, row.name, after)
    return different
