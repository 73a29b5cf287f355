"""Opening a database: manners of each engine, and what a broken one says."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from attribution.catalogue import database as database_module
from attribution.catalogue import queries
from attribution.catalogue.database import Database, connect, empty_log
from attribution.catalogue.models import IngestJob
from attribution.errors import BackendUnavailable, BadInput, DatabaseDamaged
from tests.postgres import fresh_database, temporary_postgres


@pytest.fixture
def sqlite_file(tmp_path: Path) -> Path:
    """Where a database could be."""
    return tmp_path / "lawful.db"


def open_file(path: Path) -> Database:
    """Open an SQLite file with its tables."""
    database = connect(f"sqlite:///{path}")
    database.upgrade()
    return database


@pytest.mark.parametrize(
    "url", ["", "lawful.db", "mysql://me:secret@host/db", "postgresql+asyncpg://me:secret@h/d"]
)
def test_other_urls_are_refused(url: str) -> None:
    """The error says which URLs work, and repeats no password."""
    with pytest.raises(
        BadInput, match=r"sqlite:///FILE or postgresql://.*LAWFUL_DATABASE_URL"
    ) as e:
        connect(url)
    assert "secret" not in str(e.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_password_is_masked(scheme: str) -> None:
    """What is shown of a URL holds neither password nor parameters."""
    database = connect(f"{scheme}://me:secret@127.0.0.1:1/db?password=hidden")

    assert database.masked_url == "postgresql+psycopg://me:***@127.0.0.1:1/db"


def test_server_that_is_not_there() -> None:
    """The error names the server without its password, and the setting."""
    database = connect("postgresql://me:secret@127.0.0.1:1/db")

    with pytest.raises(BackendUnavailable, match=r"me:\*\*\*@127.0.0.1:1/db does not answer") as e:
        database.upgrade()
    assert "LAWFUL_DATABASE_URL" in str(e.value)
    assert "secret" not in str(e.value)


def test_database_that_is_not_there(postgres: URL) -> None:
    """The server's own words are part of the error."""
    database = connect(postgres.set(database="nowhere").render_as_string(hide_password=False))

    with pytest.raises(BackendUnavailable, match='database "nowhere" does not exist'):
        database.current_revision()


def test_a_database_that_cannot_hold_every_name(postgres: URL) -> None:
    """One that a server in the locale C made is refused, with the statement that makes another."""
    server = create_engine(postgres, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        encoding = "ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0"
        connection.execute(text(f"CREATE DATABASE ascii {encoding}"))
        database = connect(postgres.set(database="ascii").render_as_string(hide_password=False))
        try:
            with pytest.raises(
                BadInput, match=r"SQL_ASCII.* CREATE DATABASE ascii ENCODING 'UTF8'"
            ):
                database.upgrade()
        finally:
            database.dispose()
            connection.execute(text("DROP DATABASE ascii"))
    server.dispose()


def test_server_that_comes_back() -> None:
    """A connection that broke is an outage; the next use opens a new one."""
    with temporary_postgres() as server, fresh_database(server.url) as url:
        database = connect(url)
        database.upgrade()
        with pytest.raises(BackendUnavailable, match="terminat"), database.engine.connect() as one:
            one.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
        database.check_schema()
        database.dispose()


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(BackendUnavailable, match=r"nowhere/lawful.db.*unable to open"):
        connect(f"sqlite:///{tmp_path / 'nowhere' / 'lawful.db'}").upgrade()


def test_file_that_is_no_database(sqlite_file: Path) -> None:
    """Something else under this name is left as it is."""
    sqlite_file.write_bytes(b"a letter to grandmother" * 100)

    with pytest.raises(DatabaseDamaged, match="file is not a database"):
        connect(f"sqlite:///{sqlite_file}").upgrade()
    assert sqlite_file.read_bytes().startswith(b"a letter")


def test_wrong_statement_is_no_outage(database: Database) -> None:
    """A mistake in the program is not dressed up as a server that does not answer."""
    with (
        database.engine.connect() as connection,
        pytest.raises((OperationalError, ProgrammingError), match="no_such_table"),
    ):
        connection.execute(text("SELECT * FROM no_such_table"))


def test_file_name_may_be_odd(tmp_path: Path) -> None:
    """Spaces, percent signs and letters of any script in the path of the database."""
    folder = tmp_path / "100% größer 田"
    folder.mkdir()
    database = open_file(folder / "lawful.db")
    database.dispose()

    assert (folder / "lawful.db").exists()


def test_sqlite_manners(sqlite_file: Path) -> None:
    """References are checked, readers do not wait for a writer; also after an upgrade."""
    database = open_file(sqlite_file)
    with database.engine.connect() as connection:
        values = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "foreign_keys",
                "journal_mode",
                "synchronous",
                "busy_timeout",
                "secure_delete",
            )
        ]
    database.dispose()

    assert values == [1, "wal", 1, 30_000, 1]


def test_the_log_is_emptied(sqlite_file: Path) -> None:
    """What was deleted is in neither file once the log is empty; a reader is waited for in vain."""
    database = open_file(sqlite_file)
    with database.sessions.begin() as session:
        job = queries.create_job(session, source="needle " * 1_000)
    with database.sessions.begin() as session:
        session.delete(session.get_one(IngestJob, job.id))
    log = sqlite_file.with_name(f"{sqlite_file.name}-wal")
    assert b"needle" in log.read_bytes()

    assert empty_log(database.sessions)

    assert b"needle" not in sqlite_file.read_bytes() + log.read_bytes()
    with database.sessions() as reader:
        queries.unfinished_jobs(reader)
        with database.sessions.begin() as session:
            queries.create_job(session, source="x")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database_module, "LOG_TIMEOUT_S", 0)
            assert not empty_log(database.sessions)
    database.dispose()


def test_reader_sees_one_state_while_others_write(database: Database) -> None:
    """A session reads while another writes, and a writer waits for a writer."""
    with database.sessions.begin() as session:
        queries.get_or_create_artist(session, "First")
    with database.sessions() as reader:
        assert len(queries.all_artists(reader)) == 1
        with database.sessions.begin() as writer:
            queries.get_or_create_artist(writer, "Second")
            with database.sessions() as other:
                assert len(queries.all_artists(other)) == 1
    with database.sessions() as reader:
        assert len(queries.all_artists(reader)) == 2


def test_read_then_write_from_many_threads(database: Database) -> None:
    """Sessions that first read and then write wait for their turn; none is refused as locked."""

    def count_up(number: int) -> None:
        for step in range(5):
            with database.sessions.begin() as session:
                queries.all_artists(session)
                queries.get_or_create_artist(session, f"Artist {number} {step}")

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(count_up, range(6)))

    with database.sessions() as session:
        assert len(queries.all_artists(session)) == 30


def test_locked_file_is_an_outage(sqlite_file: Path) -> None:
    """A writer that never ends is reported as something that may be tried again."""
    database = open_file(sqlite_file)
    other = sqlite3.connect(sqlite_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with database.sessions() as session:
        session.connection().exec_driver_sql("PRAGMA busy_timeout=10")
    with (
        pytest.raises(BackendUnavailable, match="database is locked"),
        database.sessions.begin() as session,
    ):
        queries.create_job(session, source="x")
    other.close()
    database.dispose()


@pytest.mark.parametrize(
    ("pragma", "said"),
    [
        ("max_page_count=1", r"^the disk is full \(the database .*lawful.db: .*; make room"),
        ("query_only=ON", r"lawful.db is read-only: .*; let this user write"),
    ],
)
def test_the_cause_is_named(sqlite_file: Path, pragma: str, said: str) -> None:
    """A full disk is not taken for a server that is not running."""
    database = open_file(sqlite_file)

    def write() -> None:
        with database.sessions.begin() as session:
            session.connection().exec_driver_sql(f"PRAGMA {pragma}")
            for _ in range(100):
                queries.create_job(session, source="x" * 1000)

    with pytest.raises(BackendUnavailable, match=said) as caught:
        write()
    assert "is it running" not in str(caught.value)
    database.dispose()


def test_a_file_that_vanishes_and_comes_back(sqlite_file: Path) -> None:
    """Nothing is written into a file that nobody will find, and no empty one is made."""
    database = open_file(sqlite_file)
    aside = sqlite_file.with_name("aside.db")
    sqlite_file.rename(aside)
    for _ in range(2):
        with (
            pytest.raises(BackendUnavailable, match="was moved, deleted or replaced"),
            database.sessions.begin() as session,
        ):
            queries.create_job(session, source="x")
    assert not sqlite_file.exists()
    aside.rename(sqlite_file)
    with database.sessions.begin() as session:
        queries.create_job(session, source="x")
    with database.sessions() as session:
        assert len(queries.list_jobs(session).items) == 1
    database.dispose()


def test_a_file_that_is_replaced(sqlite_file: Path, tmp_path: Path) -> None:
    """A backup that is put in its place is used from the next transaction but one."""
    database, backup = open_file(sqlite_file), tmp_path / "backup.db"
    with sqlite3.connect(sqlite_file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    source.close()
    target.close()
    with database.sessions.begin() as session:
        queries.create_job(session, source="after the backup")
    backup.replace(sqlite_file)
    for suffix in ("-wal", "-shm"):
        sqlite_file.with_name(f"{sqlite_file.name}{suffix}").unlink(missing_ok=True)

    with pytest.raises(BackendUnavailable, match="replaced"), database.sessions() as session:
        queries.list_jobs(session)
    with database.sessions() as session:
        assert not queries.list_jobs(session).items
    database.dispose()


def test_a_pool_without_a_free_connection(postgres: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an outage that may be over soon, and the setting is named."""
    monkeypatch.setattr(database_module, "LOCK_TIMEOUT_S", 1)
    with fresh_database(postgres) as url:
        database = connect(url, pool=1)
        with (
            database.engine.connect(),
            database.engine.connect(),
            pytest.raises(BackendUnavailable, match=r"2 connections .* LAWFUL_DATABASE_POOL"),
        ):
            database.engine.connect()
        database.dispose()


def test_a_standby_is_read_only(postgres: URL) -> None:
    """What PostgreSQL calls an internal error is over when the right server is back."""
    with fresh_database(postgres) as url:
        database = connect(url)
        database.upgrade()
        with database.sessions.begin() as session:
            session.execute(text("SET TRANSACTION READ ONLY"))
            with pytest.raises(BackendUnavailable, match=r"is read-only: .*standby"):
                queries.create_job(session, source="x")
            session.rollback()
        database.dispose()


def test_sessions_close_what_they_open(database: Database) -> None:
    """No connection is kept by a session that has ended, well or badly."""

    def fail(session: Session) -> None:
        queries.all_artists(session)
        raise ZeroDivisionError

    for open_session in (database.sessions, database.sessions.begin):
        with pytest.raises(ZeroDivisionError), open_session() as session:
            fail(session)

    assert database.engine.pool.status().endswith("Current Checked out connections: 0")
