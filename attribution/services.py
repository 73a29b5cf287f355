"""The composition root: settings become one frozen bundle of parts, built once and closed once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from attribution.arithmetic import voting
from attribution.collection import (
    Collection,
    check_index,
    collection_of,
    open_collection,
    open_stores,
)
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.generation.generators import load_generator
from attribution.generation.seal import load_seal
from attribution.generation.studio import Studio
from attribution.lookup.attributor import Attributor
from attribution.voters.trained import TrainedVoter


@dataclass(frozen=True)
class Services(Collection):
    """The collection that is searched, with everything else that a door or a job needs."""

    encoders: EncoderSet
    attributor: Attributor
    studio: Studio


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open everything.

    Raises IndexLocked, IndexLost, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """
    with open_stores(settings) as stores:
        encoders = load_encoders(settings)
        with open_collection(stores, collection_of(stores, encoders)) as collection:
            check_index(collection)
            attributor = Attributor(collection, encoders, trained=_trained(collection))
            yield Services(
                **vars(collection),
                encoders=encoders,
                attributor=attributor,
                studio=Studio(
                    load_generator(settings),
                    attributor,
                    collection.sessions,
                    collection.limits,
                    withholds_copies=settings.withhold_copies,
                    load_seal=partial(load_seal, settings),
                ),
            )


def _trained(collection: Collection) -> TrainedVoter | None:
    """Return the third voter where the settings name it."""
    settings = collection.settings
    if voting.TRAINED not in settings.voters:
        return None
    return TrainedVoter(collection.sessions, collection.row.fingerprint, settings.trained)
