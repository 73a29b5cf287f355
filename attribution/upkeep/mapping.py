"""Laying out the map of a catalogue, and putting new works on it.

Needs no model and no index: the vectors are kept. A map is laid out next to the one that is shown,
and then takes its place; new works are put between those they are nearest to, and move nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

import numpy as np

from attribution import tenants
from attribution.arithmetic.layout import LANDMARKS, Floats, between, deal, lay_out
from attribution.catalogue import queries
from attribution.catalogue.models import CatalogueMap
from attribution.chunks import chunks
from attribution.collection import Collection
from attribution.encoders.encoder import space_of_parts
from attribution.errors import BadInput
from attribution.types import Matrix

log = logging.getLogger(__name__)

CHANGED = 0.1  # part of the works that come or go before it is laid out anew
PAGE = 500  # works at a time


def build_map(
    collection: Collection, *, stopping: Callable[[], bool] = lambda: False
) -> CatalogueMap | None:
    """Lay out the map of a collection anew, and show it.

    None where no work can be found, and once `stopping()` is true; then nothing has changed.
    Raises BadInput for a profile without a space of content.
    """
    space, started = space_of_parts(collection.row.lanes), time.monotonic()
    if space is None:
        raise BadInput(
            f"profile {collection.row.profile!r} has no space of content, by which works could be "
            f"laid out"
        )
    with collection.sessions.begin() as session:
        made = queries.begin_map(session, collection.row.fingerprint, space)
        first = queries.works_to_place(session, made, after=None, limit=LANDMARKS)
    ids, vectors = _vectors(collection, space, first)
    works = 0
    if ids and not stopping():
        works = _place(collection, made, (vectors, lay_out(vectors, stopping=stopping)), stopping)
    is_made = works > 0 and not stopping()
    with collection.sessions.begin() as session:
        if is_made:
            queries.show_map(session, made, works)
        old = queries.other_maps(session, made) if is_made else [made.id]
    for one in old:
        while not _is_dropped(collection, one):
            pass
    log.info("laid out %d works in %.1f s", works, time.monotonic() - started)
    return made if is_made else None


def update_map(collection: Collection, *, stopping: Callable[[], bool] = lambda: False) -> None:
    """Put new works on the map; lay it out anew where a part of CHANGED came or went.

    Nothing happens for a collection that is not live, or while another process is at it.
    """
    row = collection.row
    with collection.sessions() as holder:
        live = queries.live_collection(holder)
        if live is None or live.name != row.name or space_of_parts(row.lanes) is None:
            return
        if not queries.take_turn(holder, f"map {row.fingerprint} {tenants.current()}"):
            return
        made, (_, works) = queries.map_of(holder, row.fingerprint), queries.searchable(holder)
        if made is None or abs(works - made.works) >= CHANGED * made.works:
            build_map(collection, stopping=stopping)
            return
        reference = queries.first_placed(holder, made.id, LANDMARKS)
        ids, vectors = _vectors(collection, made.space, [one.id for one in reference])
        by_id = {one.id: (one.x, one.y) for one in reference}
        places = np.array([by_id[one] for one in ids]).reshape(-1, 2)
        if ids:
            _place(collection, made, (vectors, places), stopping)


def _place(
    collection: Collection,
    made: CatalogueMap,
    landmarks: tuple[Matrix, Floats],
    stopping: Callable[[], bool],
) -> int:
    """Put every work on a map that has no place there yet; returns how many."""
    vectors, places = landmarks
    with collection.sessions() as session:
        full = queries.works_by_tile(session, made.id)
    placed = 0
    for page in _pages(collection, made):
        ids, rows = _vectors(collection, made.space, page)
        if stopping():
            break
        if not ids:
            continue
        found = between(rows @ vectors.T, places)
        kept = {
            one: {"x": x, "y": y, "tile": tile}
            for one, (x, y), tile in zip(ids, found.tolist(), deal(found, full), strict=True)
        }
        with collection.sessions.begin() as session:
            queries.keep_places(session, made.id, kept)
        placed += len(ids)
    return placed


def _pages(collection: Collection, made: CatalogueMap) -> Iterator[Sequence[UUID]]:
    after: UUID | None = None
    while True:
        with collection.sessions() as session:
            page = queries.works_to_place(session, made, after=after, limit=PAGE)
        if not page:
            return
        yield page
        after = page[-1]


def _vectors(collection: Collection, space: str, ids: Sequence[UUID]) -> tuple[list[UUID], Matrix]:
    """Return those of these works that have kept vectors, and these, a row for each."""
    found: dict[UUID, dict[str, Matrix]] = {}
    dims = collection.row.dims
    for few in chunks(ids, PAGE):
        with collection.sessions() as session:
            found |= queries.kept_vectors(session, collection.row.fingerprint, few, dims)
    here = [one for one in ids if one in found]
    return here, np.array([found[one][space] for one in here], np.float32)


def _is_dropped(collection: Collection, map_id: UUID) -> bool:
    with collection.sessions.begin() as session:
        return queries.drop_map(session, map_id, PAGE)
