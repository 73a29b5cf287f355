"""The composition root: settings become frozen bundles of parts, built once and closed once.

`Stores` is what is known and kept, enough to hand in work or to look at jobs; `Services` adds the
index and the models.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session, sessionmaker

from attribution import voting
from attribution.attributor import Attributor
from attribution.catalog import queries
from attribution.catalog.database import Database, connect
from attribution.catalog.models import Collection
from attribution.config import Settings
from attribution.encoders.memory import keep_memory
from attribution.encoders.profiles import fingerprint, load_encoders
from attribution.errors import BadInput, IndexLost, NotFound, ProfileMismatch
from attribution.generation.generators import load_generator
from attribution.generation.seal import load_seal
from attribution.generation.studio import Studio
from attribution.images import Limits
from attribution.index import ServerOptions, open_index
from attribution.index.vector_index import VectorIndex
from attribution.ports import Encoder
from attribution.provenance import load_trust_anchors
from attribution.storage import Store
from attribution.trained import TrainedVoter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stores:
    """The catalogue, the files, and the limits on what comes in."""

    settings: Settings
    sessions: sessionmaker[Session]
    store: Store
    limits: Limits


@dataclass(frozen=True)
class Services(Stores):
    """Everything that a door or a job needs."""

    collection: Collection  # the one that is searched
    index: VectorIndex
    encoders: tuple[Encoder, ...]
    attributor: Attributor
    studio: Studio


def image_limits(settings: Settings) -> Limits:
    """Return what one image may cost, and whose signature on it counts; raises BadInput."""
    return Limits(
        max_bytes=int(settings.max_image_mb * 2**20),
        max_pixels=int(settings.max_image_megapixels * 1_000_000),
        trust_anchors=load_trust_anchors(settings.trust_anchors),
    )


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database as it is; raises BadInput for a home that cannot be."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"LAWFUL_HOME={settings.home} cannot be used: {error.strerror}; give a folder that "
            f"this user may write to"
        ) from None
    database = connect(settings.database_url, pool=settings.database_pool)
    try:
        yield database
    finally:
        database.dispose()


@contextmanager
def open_stores(settings: Settings) -> Iterator[Stores]:
    """Open what is known and kept; nothing heavy is loaded. Raises SchemaMismatch.

    A database file is upgraded on the way; a server's, which others use too, only by
    `lawful migrate`.
    """
    if settings.keep_memory:
        keep_memory()  # here, as whoever opens them may run models next
    with open_database(settings) as database:
        if database.is_file:
            database.upgrade()
        else:
            database.check_schema()
        yield Stores(
            settings, database.sessions, Store(settings.storage_url), image_limits(settings)
        )


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open everything.

    Raises IndexLocked, IndexLost, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """
    with open_stores(settings) as stores:
        encoders = load_encoders(settings.profile, device=settings.device)
        collection = _collection(stores, encoders)
        with open_collection(stores, collection) as index:
            _check_index(stores, index)
            attributor = Attributor(
                stores.sessions,
                encoders,
                index,
                profile=settings.profile,
                fingerprint=collection.fingerprint,
                voters=settings.voters,
                trained=_trained(stores, collection),
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


@contextmanager
def open_collection(stores: Stores, collection: Collection | None = None) -> Iterator[VectorIndex]:
    """Open the index of a collection, of the live one by default, without its encoders.

    Raises NotFound before anything was ingested, IndexLocked, BackendUnavailable.
    """
    if collection is None:
        with stores.sessions() as session:
            collection = queries.live_collection(session)
    if collection is None:
        raise NotFound("there is no collection yet; begin with `lawful ingest FOLDER`")
    index = open_index(
        stores.settings.qdrant_url,
        dims=collection.dims,
        collection=collection.name,
        server=server_options(stores.settings),
    )
    try:
        yield index
    finally:
        index.close()


def server_options(settings: Settings) -> ServerOptions:
    """Return what the settings say about a Qdrant server."""
    key = settings.qdrant_api_key
    return ServerOptions(
        api_key=key.get_secret_value() if key else None,
        timeout_s=settings.qdrant_timeout_s,
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
    )


def dims_of(encoders: tuple[Encoder, ...]) -> dict[str, int]:
    """Return the width of every named vector."""
    return {name: width for one in encoders for name, width in one.info.vectors.items()}


def _collection(stores: Stores, encoders: tuple[Encoder, ...]) -> Collection:
    """Remember the collection's encoders, or refuse others: their vectors cannot be compared."""
    settings, print_of = stores.settings, fingerprint(encoders)
    with stores.sessions.begin() as session:
        known = queries.live_collection(session)
        if known is not None and known.fingerprint == print_of:
            return known
        _, works = queries.searchable(session)
        if known is None or works == 0:  # an empty collection is nobody's yet
            new = queries.add_collection(
                session,
                profile=settings.profile,
                fingerprint=print_of,
                dims=dims_of(encoders),
                live=True,
            )
            queries.go_live(session, new.name)
            return new
    raise ProfileMismatch(
        f"the collection was made with profile {known.profile!r} "
        f"({known.fingerprint[:12]}), the settings ask for {settings.profile!r} "
        f"({print_of[:12]}); set LAWFUL_PROFILE={known.profile}, rebuild the collection "
        f"with `lawful reindex --profile {settings.profile}`, or use another LAWFUL_HOME"
    )


def _trained(stores: Stores, collection: Collection) -> TrainedVoter | None:
    """Return the third voter where the settings name it."""
    if voting.TRAINED not in stores.settings.voters:
        return None
    return TrainedVoter(stores.sessions, collection.fingerprint, stores.settings.trained)


def _check_index(stores: Stores, index: VectorIndex) -> None:
    """Refuse to answer from an index that was lost; warn about one that has gaps."""
    with stores.sessions() as session:
        _, works = queries.searchable(session)
    points = index.count()
    if works and not points:
        raise IndexLost(
            f"the index {stores.settings.qdrant_url} is empty, the catalogue has {works} works; "
            f"run `lawful reindex` to rebuild it"
        )
    if points < works:
        log.warning("the index has %d of %d works; run `lawful reconcile --repair`", points, works)
