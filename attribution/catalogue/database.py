"""Opening a database: SQLite file or PostgreSQL, with the manners each needs. No tables here.

Every session reads in a transaction; `sessions.begin()` opens one that writes. SQLite locks for
writing at its start (BEGIN IMMEDIATE), because a reader that turns writer midway is refused
without waiting. A database that does not answer becomes `BackendUnavailable` in one place.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry

from attribution.catalogue import chain, schema, tenancy
from attribution.catalogue.outages import FILE, Pool, check_file, file_id, mask, translate, vanished
from attribution.errors import BadInput
from attribution.private import make_private_file

if TYPE_CHECKING:
    import psycopg

LOCK_TIMEOUT_S = 30
CONNECT_TIMEOUT_S = 10

PRAGMAS = (
    f"PRAGMA busy_timeout={LOCK_TIMEOUT_S * 1000}",  # first: the others wait for locks too
    "PRAGMA journal_mode=WAL",  # readers do not wait for a writer
    "PRAGMA synchronous=NORMAL",  # safe with WAL: a power cut may lose the last commits, no more
    "PRAGMA secure_delete=ON",  # what is deleted is overwritten: a withdrawal leaves no free pages
)
MEMORY = ":memory:"  # SQLite's name for no file
LOG_TIMEOUT_S = 5  # to wait for readers of what the log still has


class Sessions(sessionmaker[Session]):
    """Makes sessions: calling it opens one for reading, `begin()` one that writes and commits."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self._writer = engine.execution_options(writes=True)
        tenancy.watch(self)
        chain.watch(self)

    def begin(self) -> AbstractContextManager[Session]:
        """Commit at the end of the block, roll back when it raises."""
        return self._begin()

    @contextmanager
    def _begin(self) -> Iterator[Session]:
        with self(bind=self._writer) as session, session.begin():
            yield session


@contextmanager
def snapshot(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """Open a session for reading in which every statement sees the same moment."""
    with sessions() as session:
        if session.get_bind().dialect.name == "postgresql":  # SQLite always reads so
            session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
        yield session


def empty_log(sessions: sessionmaker[Session]) -> bool:
    """Have SQLite move its write-ahead log into the file and empty it; whether that was done.

    Until then the log has pages as they were before something was deleted. False while somebody
    reads such a page. True on a server, whose log is not ours.
    """
    with sessions() as session:
        if session.get_bind().dialect.name != "sqlite":
            return True
        run = session.connection().exec_driver_sql  # begun, and nothing read: no lock of our own
        run(f"PRAGMA busy_timeout={LOG_TIMEOUT_S * 1000}")
        try:
            is_busy, _, _ = run("PRAGMA wal_checkpoint(TRUNCATE)").one()
        finally:
            run(f"PRAGMA busy_timeout={LOCK_TIMEOUT_S * 1000}")
    return not is_busy


@dataclass(frozen=True)
class Database:
    """An open database; `dispose()` closes its connections."""

    engine: Engine
    sessions: Sessions

    @property
    def masked_url(self) -> str:
        """The URL as it may be shown: without its password."""
        return mask(self.engine.url)

    @property
    def is_file(self) -> bool:
        """Whether it is a file that this program has to itself, and no server."""
        return self.engine.dialect.name == "sqlite"

    def upgrade(self) -> None:
        """Create or update the tables; raises SchemaMismatch for a newer program's database.

        Processes that do so at the same time wait for each other.
        """
        with self.migrating() as connection:
            schema.upgrade(connection, self.masked_url)

    def check_schema(self) -> None:
        """Raise SchemaMismatch unless the tables are those of this version."""
        with self.engine.connect() as connection:
            schema.check(connection, self.masked_url)

    def current_revision(self) -> str | None:
        """Return the revision of the tables; None for an empty database."""
        with self.engine.connect() as connection:
            return schema.current_revision(connection)

    def is_walled(self) -> bool:
        """Whether the database itself keeps tenants apart, for the role that is used."""
        if self.is_file:
            return False
        with self.engine.connect() as connection:
            return tenancy.is_walled(connection)

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Open the one transaction in which tables may change; others wait for it."""
        engine = self.engine.execution_options(writes=True)
        with engine.connect() as connection:
            _set_foreign_keys(connection, on=False)  # SQLite alters a table by replacing it
            try:
                with connection.begin():
                    schema.lock(connection)
                    tenancy.tell_all(connection)
                    yield connection
            finally:
                _set_foreign_keys(connection, on=True)

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def connect(url: str, *, pool: int = 5) -> Database:
    """Open `sqlite:///FILE` or `postgresql://USER:PASSWORD@HOST/NAME`.

    `pool` connections to a server are kept, as many again are opened when needed. Nothing is sent
    before the first use; from then on a database that does not answer raises BackendUnavailable,
    and one that cannot hold every name BadInput. Raises BadInput for any other URL.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        engine = create_engine(
            parsed, poolclass=Pool if parsed.database else None, json_serializer=_json
        )
        file = _File(parsed)
        event.listen(engine, "do_connect", file.check)
        event.listen(engine, "connect", file.prepare)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(
            parsed,
            poolclass=Pool,
            json_serializer=_json,
            pool_pre_ping=True,  # a server may have been restarted since
            pool_size=pool,
            max_overflow=pool,
            pool_timeout=LOCK_TIMEOUT_S,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "options": f"-c lock_timeout={LOCK_TIMEOUT_S}s -c timezone=UTC",
            },
        )
        # First, for SQLAlchemy asks at once for the version, and is answered in bytes
        event.listen(engine, "connect", _check_encoding, insert=True)
    event.listen(engine, "handle_error", translate)
    return Database(engine, Sessions(engine))


def _json(value: Any) -> str:
    """Return a value as it is kept; what is no number is kept nowhere."""
    return json.dumps(value, allow_nan=False)


def _parse(url: str) -> URL:
    wanted = "use sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME in LAWFUL_DATABASE_URL"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # The text itself may hold a password, so it is not repeated.
        raise BadInput(f"the database URL cannot be read; {wanted}") from error
    match parsed.drivername:
        case "sqlite" | "sqlite+pysqlite" | "postgresql+psycopg":
            return parsed
        case "postgresql" | "postgres":
            return parsed.set(drivername="postgresql+psycopg")
        case other:
            raise BadInput(f"{other!r} is not a supported database; {wanted}")


def _check_encoding(connection: psycopg.Connection, _: ConnectionPoolEntry) -> None:
    """Raise BadInput unless the database keeps UTF-8; initdb in the locale C makes SQL_ASCII."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        name = connection.info.dbname
        raise BadInput(
            f"the database {name!r} has the encoding {encoding}, in which not every name can be "
            f"written; make it with CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"
        )


class _File:
    """The file of a database: once it was there, no connection makes an empty one in its place."""

    def __init__(self, url: URL) -> None:
        self._url, self._was_there = url, False

    def check(self, *_: object) -> None:
        """Raise BackendUnavailable when the file has vanished; called before each connection."""
        if self._was_there and file_id(self._url.database) is None:
            raise vanished(self._url)
        name = self._url.database or MEMORY
        if not self._was_there and name != MEMORY:  # SQLite gives its log the same permissions
            make_private_file(Path(name))

    def prepare(self, connection: sqlite3.Connection, record: ConnectionPoolEntry) -> None:
        """Give a new connection our manners, and remember the file that it has opened."""
        connection.isolation_level = None  # transactions are begun below, not by the driver
        for pragma in (*PRAGMAS, "PRAGMA foreign_keys=ON"):
            connection.execute(pragma)
        _, _, path = connection.execute("PRAGMA database_list").fetchone()
        if path:
            record.info[FILE] = path, file_id(path)
            self._was_there = True


def _begin_sqlite(connection: Connection) -> None:
    check_file(connection)
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _set_foreign_keys(connection: Connection, *, on: bool) -> None:
    raw: Any = connection.connection.dbapi_connection
    if isinstance(raw, sqlite3.Connection):  # only outside a transaction, so not through SQLAlchemy
        raw.execute(f"PRAGMA foreign_keys={'ON' if on else 'OFF'}")
