"""Vectors that a collection lacks: encoded from kept originals, or told apart.

*Not encoded*: the work has vectors of other encoders, or an original that cannot be encoded here.
It stays registered, and an ingest of its file encodes it. *Lost*: nothing is left of its vectors.
"""

from __future__ import annotations

import logging
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.models import ArtworkStatus, KeptCollection
from attribution.chunks import chunks
from attribution.collection import Collection, Stores
from attribution.copies.description import encode_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.errors import BadImage, BadInput, ModelUnavailable, NotFound
from attribution.images import CheckedImage, read_image
from attribution.points import write_points
from attribution.types import Matrix

log = logging.getLogger(__name__)

LOST = "its vectors are lost; ingest it again"


@dataclass(frozen=True)
class Recovered:
    """What became of works that had no vectors."""

    encoded: int = 0
    unencoded: int = 0  # left alone, to be ingested again
    lost: int = 0  # marked as failed, to be ingested again


def recover(collection: Collection, works: Sequence[UUID]) -> Recovered:
    """Encode those of these works whose originals are kept, and write their points.

    The others are left alone, but for those of which no vectors are left at all: they are marked as
    failed. Where this machine cannot load the collection's encoders nothing is encoded.
    """
    if not works:
        return Recovered()
    encoders = _encoders_of(collection)
    without: list[UUID] = []
    for few in chunks(works, collection.settings.batch_size):
        lacking = encode_originals(collection, collection.row, encoders, few) if encoders else few
        without += lacking
        write_points(collection, set(few) - set(lacking))
    with collection.sessions.begin() as session:
        others = queries.with_any_vectors(session, without)
        rows = queries.artworks_by_id(session, without, status=ArtworkStatus.INDEXED)
        kept = {work for work, row in rows.items() if collection.store.has_original(row.sha256)}
        lost = rows.keys() - others - (kept if encoders is None else set())
        lifecycle.become_lost(session, lost, LOST)
    return Recovered(len(works) - len(without), len(rows) - len(lost), len(lost))


def encode_originals(
    stores: Stores, row: KeptCollection, encoders: EncoderSet, works: Several[UUID]
) -> list[UUID]:
    """Encode the kept originals of works, and keep the vectors.

    Those that have the collection's vectors already cost nothing. Returns the works whose original
    was not kept or cannot be read.
    """
    without: list[UUID] = []
    images: dict[UUID, CheckedImage] = {}
    with stores.sessions() as session:
        known = queries.kept_vectors(session, row.fingerprint, works, row.dims)
        rows = queries.artworks_by_id(session, works, status=ArtworkStatus.INDEXED)
    for work in rows.values():
        if work.id not in known:
            try:
                original = stores.store.original(work.sha256)
                images[work.id] = read_image(original, stores.limits)
            except (BadImage, NotFound):
                without.append(work.id)
    if images:
        vectors = encoders.encode_each({work: image.rgb for work, image in images.items()})
        parts = _encode_parts(encoders, images)
        with stores.sessions.begin() as session:
            queries.keep_vectors(session, row.fingerprint, vectors)
            queries.keep_part_vectors(session, row.fingerprint, parts)
    return without


def _encoders_of(collection: Collection) -> EncoderSet | None:
    """Return the encoders that made a collection; None where this machine has them not."""
    row = collection.row
    try:
        encoders = load_encoders(collection.settings, row.profile)
        if encoders.fingerprint == row.fingerprint:
            return encoders
        said = "it means other encoders here"
    except (BadInput, ModelUnavailable) as error:
        said = str(error)
    log.warning("works cannot be encoded with profile %r: %s", row.profile, said)
    return None


def _encode_parts(encoders: EncoderSet, images: Mapping[UUID, CheckedImage]) -> dict[UUID, Matrix]:
    encoded = {one: encode_parts(encoders, image) for one, image in images.items()}
    return {one: rows for one, rows in encoded.items() if rows is not None}
