"""Make a collection anew: from the kept vectors, or with other encoders from the kept originals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import KeptCollection
from attribution.collection import (
    Collection,
    Stores,
    live_collection,
    open_collection,
    open_next_to,
)
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.errors import BadInput, Conflict
from attribution.points import write_points
from attribution.upkeep.comparison import compare, follow_catalogue, indexed_pages
from attribution.upkeep.correction import finish as finish_changes
from attribution.upkeep.rebuilding import mend, rebuild_sums
from attribution.upkeep.recovery import Recovered, encode_originals, recover
from attribution.upkeep.tenants import for_each

PAGE = 1_000
CLOCKS = timedelta(minutes=5)  # by which those of several machines may differ
LEFT_OUT = "its original was not kept when the collection was encoded anew with profile"
ALIAS = "artworks"  # what other programs call the live collection

Progress = Callable[[int, int], None]
"""Called with (works done, works in all)."""


def make_anew(stores: Stores, *, progress: Progress) -> tuple[int, int]:
    """Make the live collection anew from the kept vectors, next to it, then put it in its place.

    Until then every process finds the old one, which need not be readable; from then on the new
    one, by itself. What comes, goes or changes meanwhile is followed. Killed before, nothing has
    changed, and the next run deletes what was begun. Returns how many points it has, and how many
    works have to be ingested again. Raises NotFound before anything was ingested, Conflict while
    another process is at it.
    """
    row, began = live_collection(stores), now()
    with stores.sessions() as holder:
        if not queries.take_turn(holder, f"reindex {row.name}"):
            raise Conflict(f"another process makes {row.name} anew; wait for it")
        with open_next_to(stores, row) as collection:
            rebuild(collection, progress=progress)
            for_each(stores, lambda: follow_catalogue(collection, compare(collection)))
            collection.index.take_over()
            recovered = for_each(stores, lambda: _follow_up(collection, began))
            with tenants.across():
                points = collection.index.points()
            return points, sum(one.unencoded + one.lost for one in recovered)


def rebuild(collection: Collection, *, progress: Progress) -> None:
    """Write a point for every indexed work that has kept vectors of the collection's encoders.

    The classifier's statistics are compared with the same vectors, and mended.
    """
    done, total = 0, _total(collection)

    def write() -> None:
        nonlocal done
        for page in indexed_pages(collection, PAGE):
            write_points(collection, [work.id for work in page])
            done += len(page)
            progress(done, total)
        mend(collection, rebuild_sums(collection, collection.row))

    for_each(collection, write)
    collection.index.flush()


def change_profile(
    stores: Stores, profile: str, *, partial: bool, keep_old: bool, progress: Progress
) -> KeptCollection:
    """Build the collection of other encoders next to the live one, then put it in its place.

    Works that have vectors of these encoders already cost nothing, so an interrupted run goes on.
    The old one is dropped at the end unless `keep_old`. Raises Conflict when works have no kept
    original, unless `partial` leaves these out, or when works came in meanwhile, and BadInput when
    nothing would change.
    """
    encoders, began = load_encoders(stores.settings, profile), now()
    with stores.sessions.begin() as session:
        old = queries.live_collection(session)
        new = queries.add_collection(
            session,
            profile=profile,
            fingerprint=encoders.fingerprint,
            dims=encoders.dims,
            lanes=encoders.lanes,
            live=False,
        )
    if old is None or new.name == old.name:
        raise BadInput(f"the collection has the encoders of profile {profile!r} already")
    without = _embed(stores, new, encoders, progress=progress)
    lacking = [work for works in without.values() for work in works]
    if lacking and not partial:
        raise Conflict(
            f"{len(lacking)} works have no kept original to encode, such as {lacking[0]}; ingest "
            f"them again with LAWFUL_KEEP_ORIGINALS=true, or leave them out with --partial"
        )
    with open_collection(stores, new) as collection:
        rebuild(collection, progress=progress)
        with stores.sessions.begin() as session:
            _go_live(session, new, without)
        collection.index.publish(ALIAS)
        for_each(stores, lambda: _follow_up(collection, began))
    if not keep_old:
        drop_collections(stores)
    return new


def _go_live(session: Session, new: KeptCollection, left_out: Mapping[str, Sequence[UUID]]) -> None:
    """Have a collection searched from now on, without the works that are left out, by tenant.

    Raises Conflict where works came in meanwhile.
    """
    queries.go_live(session, new.name)  # waits for those who write with the old encoders
    for tenant, works in left_out.items():
        with tenants.within(tenant):
            lifecycle.become_lost(session, works, f"{LEFT_OUT} {new.profile!r}; ingest it again")
    with tenants.across():
        late = queries.count_without_vectors(session, new.fingerprint)
    if late:
        raise Conflict(
            f"{late} works came in meanwhile that the new encoders have not seen; run the same "
            f"command again, what is done costs nothing"
        )


def _follow_up(collection: Collection, began: datetime) -> Recovered:
    """Have a collection that is live now follow what was written into the one before until then."""
    recovered = recover(collection, follow_catalogue(collection, compare(collection)))
    with collection.sessions() as session:
        changes = queries.changes_since(session, began - CLOCKS)
    finish_changes(collection, changes)
    collection.index.flush()
    return recovered


def _embed(
    stores: Stores, row: KeptCollection, encoders: EncoderSet, *, progress: Progress
) -> dict[str, list[UUID]]:
    """Encode the kept originals of all indexed works.

    Returns those that have none to be read, by tenant.
    """
    without: dict[str, list[UUID]] = {}
    done, total = 0, _total(stores)

    def encode() -> None:
        nonlocal done
        lacking = without.setdefault(tenants.current(), [])
        for page in indexed_pages(stores, stores.settings.batch_size):
            lacking += encode_originals(stores, row, encoders, [work.id for work in page])
            done += len(page)
            progress(done, total)

    for_each(stores, encode)
    return without


def drop_collections(stores: Stores) -> int:
    """Delete every collection that is not live, and its vectors; returns how many."""
    with stores.sessions() as session:
        old = [one for one in queries.collections(session) if not one.live]
    for row in old:
        with open_collection(stores, row) as collection:
            collection.index.drop()
        with stores.sessions.begin() as session:
            with tenants.across():
                queries.forget_encoders(session, row.fingerprint)
            queries.drop_collection(session, row.name)
    return len(old)


def _total(stores: Stores) -> int:
    with tenants.across(), stores.sessions() as session:
        return queries.findable(session)
