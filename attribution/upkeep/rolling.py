"""Stored vectors against the kept ones, a sample a run, which moves on from run to run."""

from __future__ import annotations

from uuid import UUID

from attribution.catalogue import queries
from attribution.collection import Stores
from attribution.index.vector_index import VectorIndex

SAMPLE = 2_000  # works compared in one run
AT_ONCE = 500


def differing_vectors(stores: Stores, index: VectorIndex, *, repair: bool) -> list[UUID]:
    """Return those of the next SAMPLE works whose vectors are stored otherwise than they are kept.

    The next run goes on behind them, and begins again behind the last; where works differ and are
    not repaired, the same ones are compared again. Memory: AT_ONCE works.
    """
    with stores.sessions() as session:
        collection = queries.collection_by_name(session, index.name)
        after = collection.compared_to
    different: list[UUID] = []
    for _ in range(SAMPLE // AT_ONCE):
        with stores.sessions() as session:
            rows = queries.indexed_artworks(session, after=after, limit=AT_ONCE)
            ids = [row.id for row in rows]
            kept = queries.kept_vectors(session, collection.fingerprint, ids, collection.dims)
        different += index.differing(kept)
        after = ids[-1] if len(ids) == AT_ONCE else None
        if after is None:
            break
    if repair or not different:
        with stores.sessions.begin() as session:
            queries.note_compared(session, collection.name, after)
    return different
