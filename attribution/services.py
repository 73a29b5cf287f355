"""The composition root: settings become one frozen bundle of parts, built once and closed once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.collection import (
    Collection,
    Stores,
    check_index,
    collection_of,
    open_collection,
    open_stores,
)
from attribution.config import Settings
from attribution.encoders.batches import SharedBatches
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.profiles import load_encoders
from attribution.generation.generators import load_generator
from attribution.generation.seal import load_seal
from attribution.generation.studio import Studio
from attribution.generation.watermarks import load_watermarker
from attribution.lookup.attributor import Attributor
from attribution.voters.panel import Panel
from attribution.voters.seating import take_seats

SETTINGS = "settings"  # what the audit calls them
PANELS = 64  # tenants whose solved classifiers stay in memory: megabytes each


@dataclass(frozen=True)
class Services(Collection):
    """The collection that is searched, with everything else that a door or a job needs."""

    encoders: EncoderSet
    attributor: Attributor
    studio: Studio


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open everything.

    Raises IndexLocked, IndexLost, DatabaseLost, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """
    with open_stores(settings) as stores:
        encoders = load_encoders(settings)
        with open_collection(stores, collection_of(stores, encoders)) as collection:
            check_index(collection)
            note_settings(collection)
            together = encoders.sharing(SharedBatches())
            attributor = Attributor(collection, together, panel_of=_panels(collection))
            yield Services(
                **vars(collection),
                encoders=encoders,
                attributor=attributor,
                studio=Studio(
                    load_generator(settings),
                    attributor,
                    stores,
                    withholds_copies=settings.withhold_copies,
                    load_seal=partial(load_seal, settings),
                    watermarker=load_watermarker(settings),
                ),
            )


def _panels(collection: Collection) -> Callable[[str], Panel]:
    """Return what gives each tenant its own voters: what they say comes from its works."""
    row = collection.row

    @lru_cache(maxsize=PANELS)
    def panel_of(tenant: str) -> Panel:
        with tenants.within(tenant):
            seats = take_seats(collection)
        return Panel(collection.sessions, row.fingerprint, seats, list(row.voting))

    return panel_of


def note_settings(stores: Stores) -> None:
    """Record which settings were chosen, where they are others than at the last opening.

    Secrets are left out, and what may be one in a URL: before the @, and behind the ?.
    """
    chosen = stores.settings.model_dump(mode="json", exclude_unset=True)
    said = {name: _without_secrets(str(value)) for name, value in sorted(chosen.items())}
    with stores.sessions() as session:
        last = queries.last_entry(session, SETTINGS)
        if last is not None and last.details == {"chosen": said}:
            return
    with stores.sessions.begin() as session:
        note(session, SETTINGS, chosen=said)


def _without_secrets(value: str) -> str:
    scheme, is_url, rest = value.partition("://")
    if not is_url:
        return value
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
