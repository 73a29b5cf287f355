"""Fixtures that several test files share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import hypothesis
import pytest
import typer.main
import typer.testing
from fastapi.testclient import TestClient
from sqlalchemy import URL, make_url

from api.http.app import create_app
from api.servers.local_servers import running_redis
from attribution import tenants
from attribution.catalogue import schema
from attribution.catalogue.database import Database, connect
from attribution.config import Settings
from attribution.services import Services, open_services
from tests.apis import local_client, settings
from tests.contract import watched
from tests.homes import copy_ingested
from tests.portfolios import ingest, portfolio
from tests.postgres import fresh_database, temporary_postgres
from tests.routes import worked_out_once
from tests.statements import compiled_once
from tests.tables import KnownTables

hypothesis.settings.register_profile("unhurried", deadline=None)  # speed is measured in benchmarks/
hypothesis.settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def known_once() -> Iterator[None]:
    """Spare the tests to work out again what tables, statements, routes and commands there are."""
    with pytest.MonkeyPatch.context() as patch, compiled_once(), worked_out_once():
        patch.setattr(schema, "upgrade", KnownTables().upgrade)
        patch.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(autouse=True)
def nobody_chose_a_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin each test as a process begins, whoever those before it have acted for."""
    monkeypatch.setattr(tenants, "_chosen", tenants.DEFAULT)


@pytest.fixture(scope="session")
def ingested_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ingest three artists with four works each, from `p` into `home`; for copies only."""
    folder = tmp_path_factory.mktemp("ingested")
    home = Settings(home=folder / "home", profile="stub", keep_originals=True)
    with open_services(home) as opened:
        ingest(opened, portfolio(folder / "p"))
    return folder


@pytest.fixture
def ingested(ingested_once: Path, tmp_path: Path) -> Settings:
    """Give a collection of three artists with four works each; they came from `tmp_path / "p"`."""
    copy_ingested(ingested_once, tmp_path)
    return Settings(home=tmp_path / "home", profile="stub", keep_originals=True)


@pytest.fixture
def services(ingested: Settings) -> Iterator[Services]:
    """Open it."""
    with open_services(ingested) as opened:
        yield opened


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Open an application of its own, with low limits; its answers keep to its description."""
    app = create_app(settings(tmp_path / "home", max_image_mb=0.5, max_archive_mb=1))
    with local_client(app, raise_server_exceptions=False) as opened:
        yield watched(opened)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """Start one PostgreSQL server for the session; with xdist, for each of its processes."""
    with temporary_postgres() as server:
        yield make_url(server.url)


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start one Redis server for the session; with xdist, for each of its processes."""
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        yield server.url


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
