"""The composition root: settings become one frozen bundle of parts, built once and closed once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session, sessionmaker

from attribution.attributor import Attributor
from attribution.catalog import queries
from attribution.catalog.database import Database, connect
from attribution.config import Settings
from attribution.encoders.profiles import fingerprint, load_encoders
from attribution.errors import ProfileMismatch
from attribution.images import Limits
from attribution.index import open_index
from attribution.index.vector_index import VectorIndex
from attribution.ports import Encoder
from attribution.thumbnails import ThumbnailStore

log = logging.getLogger(__name__)

COLLECTION = "artworks"


@dataclass(frozen=True)
class Services:
    """Everything that a door or a job needs."""

    settings: Settings
    sessions: sessionmaker[Session]
    encoders: tuple[Encoder, ...]
    index: VectorIndex
    attributor: Attributor
    thumbnails: ThumbnailStore
    limits: Limits


def image_limits(settings: Settings) -> Limits:
    """Return what one image may cost."""
    return Limits(
        max_bytes=int(settings.max_image_mb * 2**20),
        max_pixels=int(settings.max_image_megapixels * 1_000_000),
    )


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Database]:
    """Open the database alone, upgraded to this version; nothing heavy is loaded."""
    settings.home.mkdir(parents=True, exist_ok=True)
    database = connect(settings.database_url)
    try:
        database.upgrade()
        yield database
    finally:
        database.dispose()


@contextmanager
def open_services(settings: Settings) -> Iterator[Services]:
    """Open everything; raises IndexLocked, ProfileMismatch, SchemaMismatch, ModelUnavailable."""
    with open_catalog(settings) as database:
        encoders = load_encoders(settings.profile, device=settings.device)
        widths = {name: width for one in encoders for name, width in one.info.vectors.items()}
        print_of = fingerprint(encoders)
        with database.sessions.begin() as session:
            _check_profile(session, settings, print_of, widths)
        index = open_index(settings.qdrant_url, dims=widths, collection=COLLECTION)
        try:
            yield Services(
                settings=settings,
                sessions=database.sessions,
                encoders=encoders,
                index=index,
                attributor=Attributor(
                    database.sessions,
                    encoders,
                    index,
                    profile=settings.profile,
                    fingerprint=print_of,
                ),
                thumbnails=ThumbnailStore(settings.thumbnails_path),
                limits=image_limits(settings),
            )
        finally:
            index.close()


def _check_profile(
    session: Session, settings: Settings, print_of: str, widths: dict[str, int]
) -> None:
    """Remember the collection's encoders, or refuse others: their vectors cannot be compared."""
    known = queries.collection(session, COLLECTION)
    if known is None:
        queries.create_collection(
            session, COLLECTION, profile=settings.profile, fingerprint=print_of, dims=widths
        )
    elif known.fingerprint != print_of:
        raise ProfileMismatch(
            f"the collection was made with profile {known.profile!r} "
            f"({known.fingerprint[:12]}), the settings ask for {settings.profile!r} "
            f"({print_of[:12]}); set LAWFUL_PROFILE={known.profile}, or use another LAWFUL_HOME "
            f"and ingest again"
        )
