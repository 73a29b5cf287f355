"""Databases for tests: a PostgreSQL of one's own, an empty database of a server."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import URL, create_engine, make_url, text

from api.servers.local_servers import running_postgres
from api.servers.programs import Program

OWNER = "lawful"


@contextmanager
def temporary_postgres() -> Iterator[Program]:
    """Run a server in a folder that is removed; right under /tmp, where its own user can enter."""
    with (
        tempfile.TemporaryDirectory(prefix="lawful-", ignore_cleanup_errors=True) as folder,
        running_postgres(Path(folder)) as server,
    ):
        yield server


@contextmanager
def fresh_database(server: URL | str) -> Iterator[str]:
    """Create an empty database; yield its URL, drop it afterwards.

    The URL is that of its owner, who is no superuser: row-level security binds them, as it should
    bind those who run this program.
    """
    name = f"test_{uuid4().hex}"
    url = make_url(server).set(database=name, username=OWNER)
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        known = text("SELECT 1 FROM pg_roles WHERE rolname = :name")
        if not connection.scalar(known, {"name": OWNER}):
            connection.execute(text(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{url.password}'"))
        connection.execute(text(f"CREATE DATABASE {name} OWNER {OWNER}"))
        try:
            yield url.render_as_string(hide_password=False)
        finally:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()
