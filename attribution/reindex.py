"""Make a collection anew: from the kept vectors, or with other encoders from the kept originals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from attribution.audit import audit, mend
from attribution.catalog import queries
from attribution.catalog.columns import now
from attribution.catalog.models import Collection
from attribution.comparison import compare, follow_catalogue, indexed_pages
from attribution.copies.description import encode_parts
from attribution.correction import finish as finish_changes
from attribution.encoders.profiles import fingerprint, load_encoders
from attribution.errors import BadImage, BadInput, Conflict, NotFound
from attribution.images import CheckedImage, read_image
from attribution.index.vector_index import VectorIndex
from attribution.points import write_points
from attribution.ports import Encoder
from attribution.services import (
    Stores,
    dims_of,
    live_collection,
    open_collection,
    open_next_to,
)
from attribution.types import Matrix, Vector

PAGE = 1_000
CLOCKS = timedelta(minutes=5)  # by which those of several machines may differ
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
    collection, began = live_collection(stores), now()
    with stores.sessions() as holder:
        if not queries.take_turn(holder, f"reindex {collection.name}"):
            raise Conflict(f"another process makes {collection.name} anew; wait for it")
        with open_next_to(stores, collection) as index:
            lost = rebuild(stores, index, collection, progress=progress)
            lost += follow_catalogue(stores, index, compare(stores, index))
            index.take_over()
            # Who asked just before has written to the old one, and into the catalogue by now.
            lost += follow_catalogue(stores, index, compare(stores, index))
            with stores.sessions() as session:
                changes = queries.changes_since(session, began - CLOCKS)
            finish_changes(stores, index, changes)
            index.flush()
            return index.count(), lost


def rebuild(
    stores: Stores, index: VectorIndex, collection: Collection, *, progress: Progress
) -> int:
    """Write a point for every indexed work from its kept vectors; returns how many have none.

    The classifier's statistics are compared with the same vectors, and mended.
    """
    lost, done, total = 0, 0, _total(stores)
    for page in indexed_pages(stores, PAGE):
        lost += write_points(stores, index, [row.id for row in page])
        done += len(page)
        progress(done, total)
    index.flush()
    mend(stores, audit(stores, collection))
    return lost


def embed(
    stores: Stores, encoders: Sequence[Encoder], collection: Collection, *, progress: Progress
) -> list[UUID]:
    """Encode the kept originals of all indexed works for a collection of these encoders.

    Works that have its vectors already cost nothing, so an interrupted run goes on. Returns the
    works whose original was not kept or cannot be read.
    """
    without: list[UUID] = []
    done, total = 0, _total(stores)
    for page in indexed_pages(stores, stores.settings.batch_size):
        ids = [row.id for row in page]
        with stores.sessions() as session:
            known = queries.kept_vectors(session, collection.fingerprint, ids, collection.dims)
        images: dict[UUID, CheckedImage] = {}
        for row in page:
            if row.id not in known:
                try:
                    original = stores.store.original(row.sha256)
                    images[row.id] = read_image(original, stores.limits)
                except (BadImage, NotFound):
                    without.append(row.id)
        if images:
            vectors, parts = _encode(encoders, images), _encode_parts(encoders, images)
            with stores.sessions.begin() as session:
                queries.keep_vectors(session, collection.fingerprint, vectors)
                queries.keep_part_vectors(session, collection.fingerprint, parts)
        done += len(page)
        progress(done, total)
    return without


def change_profile(
    stores: Stores, profile: str, *, partial: bool, keep_old: bool, progress: Progress
) -> Collection:
    """Build the collection of other encoders beside the live one, count it, put it in its place.

    The old one is dropped at the end unless `keep_old`. Raises Conflict when works have no kept
    original, unless `partial` leaves these out, and BadInput when nothing would change.
    """
    encoders = load_encoders(profile, device=stores.settings.device)
    with stores.sessions.begin() as session:
        old = queries.live_collection(session)
        new = queries.add_collection(
            session,
            profile=profile,
            fingerprint=fingerprint(encoders),
            dims=dims_of(encoders),
            live=False,
        )
    if old is None or new.name == old.name:
        raise BadInput(f"the collection has the encoders of profile {profile!r} already")
    without = embed(stores, encoders, new, progress=progress)
    if without and not partial:
        raise Conflict(
            f"{len(without)} works have no kept original to encode, such as {without[0]}; ingest "
            f"them again with LAWFUL_KEEP_ORIGINALS=true, or leave them out with --partial"
        )
    with open_collection(stores, new) as index:
        rebuild(stores, index, new, progress=progress)
        points, works = index.count(), _total(stores)
        if points != works:
            raise Conflict(
                f"the new collection has {points} points for {works} works, as works came in "
                f"meanwhile; run the same command again, what is done costs nothing"
            )
        with stores.sessions.begin() as session:
            queries.go_live(session, new.name)
        index.publish(ALIAS)
    if not keep_old:
        drop_collections(stores)
    return new


def drop_collections(stores: Stores) -> int:
    """Delete every collection that is not live, and its vectors; returns how many."""
    with stores.sessions() as session:
        old = [one for one in queries.collections(session) if not one.live]
    for collection in old:
        with open_collection(stores, collection) as index:
            index.drop()
        with stores.sessions.begin() as session:
            queries.forget_encoders(session, collection.fingerprint)
            queries.drop_collection(session, collection.name)
    return len(old)


def _total(stores: Stores) -> int:
    with stores.sessions() as session:
        return queries.searchable(session)[1]


def _encode(
    encoders: Sequence[Encoder], images: Mapping[UUID, CheckedImage]
) -> dict[UUID, dict[str, Vector]]:
    vectors: dict[UUID, dict[str, Vector]] = {one: {} for one in images}
    for encoder in encoders:
        for name, rows in encoder.encode([image.rgb for image in images.values()]).items():
            for one, row in zip(images, rows, strict=True):
                vectors[one][name] = row
    return vectors


def _encode_parts(
    encoders: Sequence[Encoder], images: Mapping[UUID, CheckedImage]
) -> dict[UUID, Matrix]:
    encoded = {one: encode_parts(encoders, image) for one, image in images.items()}
    return {one: rows for one, rows in encoded.items() if rows is not None}
