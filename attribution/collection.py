"""An open collection: catalogue, files, limits, its row, and the index next to them.

`Stores` is what is known and kept, enough to hand in work or to look at jobs; `open_collection`
adds the row and the index. The models come with `services`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy.orm import Session, sessionmaker

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.archive import read_from
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import KeptCollection
from attribution.config import Settings
from attribution.encoders.encoder import space_of_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.memory import keep_memory
from attribution.errors import (
    BadInput,
    Conflict,
    DatabaseLost,
    Hint,
    IndexLost,
    NotFound,
    ProfileChanged,
    ProfileMismatch,
    Way,
)
from attribution.files import Store
from attribution.images import Limits
from attribution.index import ServerOptions, open_index
from attribution.index import open_next_to as open_empty_index
from attribution.private import make_private_folder
from attribution.provenance import load_trust_anchors
from attribution.tracing import trace_statements

if TYPE_CHECKING:
    from attribution.index.vector_index import VectorIndex

log = logging.getLogger(__name__)

MAKE_A_KEY = (
    "`python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'` "
    "makes one"
)


@dataclass(frozen=True)
class Stores:
    """The catalogue, the files, and the limits on what comes in."""

    settings: Settings
    sessions: sessionmaker[Session]
    store: Store
    limits: Limits


@dataclass(frozen=True)
class Collection(Stores):
    """An open collection: the first argument of every use case that needs the index."""

    row: KeptCollection  # which encoders made it, as it was when it was opened
    index: VectorIndex


def image_limits(settings: Settings) -> Limits:
    """Return what one image may cost, and whose signature on it counts; raises BadInput."""
    return Limits(
        max_bytes=int(settings.max_image_mb * 2**20),
        max_pixels=int(settings.max_image_megapixels * 1_000_000),
        trust_anchors=load_trust_anchors(settings.trust_anchors, "LAWFUL_TRUST_ANCHORS"),
        timestamp_roots=load_trust_anchors(settings.timestamp_roots, "LAWFUL_TIMESTAMP_ROOTS"),
    )


def subject_cipher(settings: Settings) -> MultiFernet | None:
    """Return what encrypts and decrypts images that were asked about; None without a key.

    Raises BadInput for keys that are none, and where images are to be encrypted without one.
    """
    said = settings.subjects_key.get_secret_value() if settings.subjects_key else ""
    if not said:
        if settings.subjects == "encrypted":
            raise BadInput(f"LAWFUL_SUBJECTS=encrypted needs LAWFUL_SUBJECTS_KEY; {MAKE_A_KEY}")
        return None
    try:
        return MultiFernet([Fernet(one.strip()) for one in said.split(",")])
    except ValueError:
        raise BadInput(
            f"LAWFUL_SUBJECTS_KEY has a key that is not 32 bytes in URL-safe base64; {MAKE_A_KEY}"
        ) from None


def decrypted(settings: Settings, data: bytes, what: str) -> bytes:
    """Return what `subject_cipher` encrypted; raises Conflict without the key of then."""
    if (cipher := subject_cipher(settings)) is not None:
        with suppress(InvalidToken):
            return cipher.decrypt(data)
    raise Conflict(
        f"{what} was encrypted with a key that LAWFUL_SUBJECTS_KEY does not have; add that key "
        f"behind the others, after a comma"
    )


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database as it is; raises BadInput for a home that cannot be."""
    try:
        make_private_folder(settings.home)
    except OSError as error:
        raise BadInput(
            f"LAWFUL_HOME={settings.home} cannot be used: {error.strerror}; give a folder that "
            f"this user may write to"
        ) from None
    database = connect(settings.database_url, pool=settings.database_pool)
    if settings.traces:
        trace_statements(database.engine)
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
        subject_cipher(settings)
        stores = Stores(
            settings, database.sessions, Store(settings.storage_url), image_limits(settings)
        )
        read_from(stores.sessions, stores.store)
        check_tenants(stores, [settings.tenant])
        tenants.choose(settings.tenant)  # wherever no door says for whom this process acts
        yield stores


def check_tenants(stores: Stores, names: Iterable[str]) -> None:
    """Raise BadInput for a tenant that the settings name, and that there is not."""
    with stores.sessions() as session:
        for name in names:
            if not queries.has_tenant(session, tenants.check_name(name)):
                raise BadInput(
                    f"the settings name the tenant {name!r}, which there is not; `lawful tenants "
                    f"create {name}` makes it, `lawful tenants list` shows which there are"
                )


@contextmanager
def open_collection(stores: Stores, row: KeptCollection | None = None) -> Iterator[Collection]:
    """Open a collection, the live one by default, without its encoders.

    Raises NotFound before anything was ingested, IndexLocked, BackendUnavailable.
    """
    if row is None:
        row = live_collection(stores)
    with closing(open_index(**_place(stores, row))) as index:
        if not row.says_tenants:
            index.give_to(tenants.DEFAULT)
            with stores.sessions.begin() as session:
                queries.note_says_tenants(session, row.name)
        yield _collection(stores, row, index)


@contextmanager
def open_next_to(stores: Stores, row: KeptCollection) -> Iterator[Collection]:
    """Begin a collection with an empty index, which is to take the place of the row's own.

    Raises IndexLocked, BackendUnavailable.
    """
    with closing(open_empty_index(**_place(stores, row))) as index:
        yield _collection(stores, row, index)


def live_collection(stores: Stores) -> KeptCollection:
    """Return the collection that is searched; raises NotFound before anything was ingested."""
    with stores.sessions() as session:
        row = queries.live_collection(session)
    if row is None:
        raise NotFound("there is no collection yet", hint=Hint(Way.INGEST))
    return row


def _collection(stores: Stores, row: KeptCollection, index: VectorIndex) -> Collection:
    return Collection(
        stores.settings, stores.sessions, stores.store, stores.limits, row=row, index=index
    )


def _place(stores: Stores, row: KeptCollection) -> dict[str, Any]:
    return {
        "url": stores.settings.qdrant_url,
        "dims": row.dims,
        "parts": space_of_parts(row.lanes),
        "collection": row.name,
        "server": server_options(stores.settings),
    }


def check_encoders(session: Session, row: KeptCollection) -> None:
    """Raise ProfileChanged unless this collection is live; it stays so until the session ends."""
    if queries.hold_live(session) == row.fingerprint:
        return
    live = queries.live_collection(session)
    now = f"profile {live.profile!r}" if live else "another profile"
    raise ProfileChanged(
        f"the collection has {now} now, this process encodes with {row.profile!r}: restart "
        f"it with the LAWFUL_PROFILE that `lawful reindex` was given; what it had in hand waits"
    )


def server_options(settings: Settings) -> ServerOptions:
    """Return what the settings say about a Qdrant server."""
    key = settings.qdrant_api_key
    return ServerOptions(
        api_key=key.get_secret_value() if key else None,
        timeout_s=settings.qdrant_timeout_s,
        grpc_port=settings.qdrant_grpc_port,
        shards=settings.qdrant_shards,
        replicas=settings.qdrant_replicas,
    )


def collection_of(stores: Stores, encoders: EncoderSet) -> KeptCollection:
    """Remember the collection's encoders, or refuse others: their vectors cannot be compared."""
    settings, print_of = stores.settings, encoders.fingerprint
    with stores.sessions.begin() as session:
        known = queries.live_collection(session)
        if known is not None and known.fingerprint == print_of:
            known.profile = settings.profile  # the same encoders may have another name now
            return known
        with tenants.across():
            works = queries.findable(session)
        if known is None or works == 0:  # an empty collection is nobody's yet
            new = queries.add_collection(
                session,
                profile=settings.profile,
                fingerprint=print_of,
                dims=encoders.dims,
                lanes=encoders.lanes,
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


def check_database(collection: Collection) -> None:
    """Raise DatabaseLost where the index is full and not a work was ever registered.

    To compare the two would delete the index, the last that is left. A work has a row before it
    has a point, and keeps it when it is withdrawn.
    """
    with tenants.across():
        points = collection.index.points()
        with collection.sessions() as session:
            is_other = points > 0 and not queries.has_artworks(session)
    if is_other:
        raise DatabaseLost(
            f"the index {collection.settings.qdrant_url} has {points} works, the database has "
            f"none: it was emptied, or is not the one that belongs to this index; restore it or "
            f"set LAWFUL_DATABASE_URL to the right one, or set LAWFUL_QDRANT_URL to an empty index "
            f"to begin again"
        )


def check_index(collection: Collection) -> None:
    """Refuse to answer from an index that was lost; warn about one that has gaps.

    Raises IndexLost, DatabaseLost.
    """
    check_database(collection)
    with tenants.across():
        with collection.sessions() as session:
            works = queries.findable(session)
        points = collection.index.points()
    if works and not points:
        raise IndexLost(
            f"the index {collection.settings.qdrant_url} is empty, the catalogue has {works} "
            f"works; run `lawful reindex` to rebuild it"
        )
    if points < works:
        log.warning("the index has %d of %d works; run `lawful reconcile --repair`", points, works)
