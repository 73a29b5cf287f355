"""Outages of a database, named by their cause: full, locked, read-only, moved away, not there.

Waiting can help against each of these. Against a damaged file or a wrong statement it cannot, so
those stay what they are.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, ExceptionContext, QueuePool
from sqlalchemy.exc import DBAPIError, TimeoutError  # noqa: A004  the pool's
from sqlalchemy.pool import PoolProxiedConnection

from attribution.errors import BackendUnavailable, DatabaseDamaged
from attribution.outages import FULL, MAKE_ROOM, disk_full

FileId = tuple[int, int] | None
DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
SETTING = "LAWFUL_DATABASE_URL"
NO_ROOM = 2**20  # bytes; with less SQLite cannot make the files beside the database
FILE = "file"  # of a connection: path, device and number of the file that it has open

# Of SQLite the begin of an error's name, of PostgreSQL its SQLSTATE.
CAUSES = {
    "SQLITE_FULL": (FULL, MAKE_ROOM),
    "SQLITE_BUSY": ("locked by another process", "wait until that has ended"),
    "SQLITE_LOCKED": ("locked by another process", "wait until that has ended"),
    "SQLITE_READONLY": ("read-only", "let this user write to the file and to its folder"),
    "SQLITE_CANTOPEN": ("cannot be opened", "is its folder there, and may this user use it?"),
    "53100": (FULL, MAKE_ROOM),
    "55P03": ("locked by another process", "wait until that has ended"),
    "40P01": ("busy with changes that wait for each other", "ask again"),
    "25006": ("read-only", "is this the standby of another server?"),
    "": ("does not answer", "is it running and may this user reach it?"),
}
READ_ONLY_SERVER = "25006"  # which PostgreSQL does not count as an operational error


class Pool(QueuePool):
    """A pool that reports an outage when no connection gets free in time."""

    def connect(self) -> PoolProxiedConnection:
        """Return a connection; raises BackendUnavailable after the pool's timeout."""
        try:
            return super().connect()
        except TimeoutError as error:
            raise BackendUnavailable(
                f"all {self.size() + self.overflow()} connections to the database are busy; try "
                f"again, or raise LAWFUL_DATABASE_POOL"
            ) from error


def translate(context: ExceptionContext) -> None:
    """Raise BackendUnavailable in place of what a driver raises when its database is not there."""
    error, engine = context.original_exception, context.engine
    if engine is None or context.dialect.dbapi is None or not _is_outage(context):
        return
    if _name_of(error) in DAMAGED:
        raise DatabaseDamaged(
            f"the database {mask(engine.url)} is damaged, or no database: {error}; put a backup in "
            f"its place, or move it away and ingest again ({SETTING})"
        ) from error
    raise _outage(error, engine.url) from error


def check_file(connection: Connection) -> None:
    """Raise BackendUnavailable unless a connection's file is still the one of its name.

    SQLite would go on with a file that was deleted, and lose all that is written.
    """
    opened: tuple[str, FileId] | None = connection.info.get(FILE)
    if opened is None or file_id(opened[0]) == opened[1]:
        return
    connection.invalidate()  # the next use opens what is there then
    raise vanished(connection.engine.url)


def file_id(path: str | None) -> FileId:
    """Return device and number of a file; None when there is none."""
    try:
        found = Path(path or "").stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def vanished(url: URL) -> BackendUnavailable:
    """Return the error for a file that was there before."""
    return BackendUnavailable(
        f"the database {mask(url)} was moved, deleted or replaced; put it back ({SETTING})"
    )


def mask(url: URL) -> str:
    """Return a URL without password and parameters, which may hold one."""
    return url.set(query={}).render_as_string(hide_password=True)


def _outage(error: BaseException | None, url: URL) -> BackendUnavailable:
    name, where = _name_of(error), mask(url)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")) and _is_full(url):
        name = "SQLITE_FULL"
    if name == "SQLITE_READONLY_DBMOVED":
        return vanished(url)
    cause, way_out = next(said for prefix, said in CAUSES.items() if name.startswith(prefix))
    words = str(error).strip().splitlines()[0]
    if cause is FULL:
        return disk_full(f"the database {where}: {words}")
    return BackendUnavailable(f"the database {where} {_is(cause)}: {words}; {way_out} ({SETTING})")


def _is(cause: str) -> str:
    return cause if cause.startswith(("does", "cannot")) else f"is {cause}"


def _name_of(error: Any) -> str:
    return getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""


def _is_full(url: URL) -> bool:
    try:
        return shutil.disk_usage(Path(url.database or "").absolute().parent).free < NO_ROOM
    except OSError:
        return False


def _is_outage(context: ExceptionContext) -> bool:
    error = context.original_exception
    if isinstance(error, sqlite3.DatabaseError):
        code = getattr(error, "sqlite_errorname", "")
        # SQLITE_ERROR is a wrong statement; the rest of these is about the file.
        return not isinstance(error, sqlite3.IntegrityError) and code not in {"", "SQLITE_ERROR"}
    raised = context.sqlalchemy_exception
    is_operational = isinstance(raised, DBAPIError) and type(raised).__name__ == "OperationalError"
    return is_operational or _name_of(error) == READ_ONLY_SERVER
