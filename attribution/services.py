"""The composition root: settings become one frozen bundle of parts, built once and closed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from attribution.catalogue.models import Collection
from attribution.collection import (
    Stores,
    check_index,
    collection_of,
    open_collection,
    open_stores,
)
from attribution.config import Settings
from attribution.encoders.profiles import load_encoders
from attribution.generation.generators import load_generator
from attribution.generation.seal import load_seal
from attribution.generation.studio import Studio
from attribution.index.vector_index import VectorIndex
from attribution.lookup.attributor import Attributor
from attribution.ports import Encoder
from attribution.voters.panel import Panel
from attribution.voters.seating import spaces_that_vote, take_seats


@dataclass(frozen=True)
class Services(Stores):
    """Everything that a door or a job needs."""

    collection: Collection  # the one that is searched
    index: VectorIndex
    encoders: tuple[Encoder, ...]
    attributor: Attributor
    studio: Studio


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open everything.

    Raises IndexLocked, IndexLost, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """
    with open_stores(settings) as stores:
        encoders = load_encoders(settings.profile, device=settings.device)
        collection = collection_of(stores, encoders)
        with open_collection(stores, collection) as index:
            check_index(stores, index)
            attributor = Attributor(
                stores.sessions,
                encoders,
                index,
                profile=settings.profile,
                fingerprint=collection.fingerprint,
                panel=Panel(
                    stores.sessions,
                    collection.fingerprint,
                    take_seats(stores, collection),
                    spaces_that_vote(collection),
                ),
            )
            yield Services(
                **vars(stores),
                collection=collection,
                index=index,
                encoders=encoders,
                attributor=attributor,
                studio=Studio(
                    load_generator(settings),
                    attributor,
                    stores.sessions,
                    stores.limits,
                    withholds_copies=settings.withhold_copies,
                    load_seal=partial(load_seal, settings),
                ),
            )
