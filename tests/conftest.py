"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from attribution.catalog.database import Database, connect
from tests.postgres import fresh_database, running_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """Start one PostgreSQL server for the session."""
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database, on each engine."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'lawful.db'}"
    else:
        with fresh_database(request.getfixturevalue("postgres")) as url:
            yield url


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    """Give a database without tables, on each engine."""
    database = connect(database_url)
    yield database
    database.dispose()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """Give a database with the tables of this version, on each engine."""
    empty_database.upgrade()
    return empty_database
