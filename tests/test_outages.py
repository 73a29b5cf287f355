"""Servers that are wrong, away or strange: a clear error with the setting to look at, no secret."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import URL

from attribution.catalogue.database import connect
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput, LawfulError, SchemaMismatch
from attribution.services import open_services
from ingest.work.application import make_app
from ingest.work.jobs import BrokerQueue
from tests.postgres import fresh_database

SECRET = "pass" + "word-of-mine"


def error_of(action: Callable[[], object], kind: type[LawfulError]) -> str:
    """Return what an action says when it fails so."""
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


def check_broker(home: Path, url: str) -> None:
    """Ask whether jobs could be run."""
    with open_stores(Settings(home=home, broker_url=url)) as stores:
        BrokerQueue(stores).check()


def test_a_broker_that_answers(tmp_path: Path, redis_url: str) -> None:
    """A real one passes."""
    check_broker(tmp_path, redis_url)


def test_a_wrong_password_of_the_broker(tmp_path: Path, redis_url: str) -> None:
    """It is said, and not repeated."""
    host = redis_url.rpartition("@")[2]
    said = error_of(lambda: check_broker(tmp_path, f"redis://:{SECRET}@{host}"), BackendUnavailable)

    assert "LAWFUL_BROKER_URL" in said
    assert SECRET not in said


def test_a_broker_that_is_away(tmp_path: Path) -> None:
    """The address and the setting are named."""
    said = error_of(lambda: check_broker(tmp_path, "redis://127.0.0.1:1/0"), BackendUnavailable)

    assert "127.0.0.1:1" in said
    assert "LAWFUL_BROKER_URL" in said


@pytest.mark.parametrize("url", ["nonsense://x", "not a url", "amqp://guest@127.0.0.1//"])
def test_a_broker_that_is_no_redis(url: str) -> None:
    """It is refused before anything is sent."""
    said = error_of(lambda: make_app(Settings(broker_url=url)), BadInput)

    assert "redis://" in said


def test_a_wrong_password_of_the_database(postgres: URL) -> None:
    """It is said, and not repeated."""
    url = postgres.set(password=SECRET).render_as_string(hide_password=False)
    said = error_of(lambda: connect(url).check_schema(), BackendUnavailable)

    assert "password authentication failed" in said
    assert "LAWFUL_DATABASE_URL" in said
    assert SECRET not in said


def test_a_server_is_not_upgraded_on_the_way(postgres: URL, tmp_path: Path) -> None:
    """An empty database of a server is refused until `lawful migrate` has run."""
    with fresh_database(postgres) as url:
        settings = Settings(home=tmp_path, database_url=url, profile="stub")

        def use() -> None:
            with open_services(settings):
                pass

        assert "lawful migrate" in error_of(use, SchemaMismatch)
        database = connect(url)
        database.upgrade()
        database.dispose()
        use()


def test_a_qdrant_server_that_is_away(tmp_path: Path) -> None:
    """The address and the setting are named."""

    def use() -> None:
        with open_services(
            Settings(home=tmp_path, profile="stub", qdrant_url="http://127.0.0.1:1")
        ):
            pass

    said = error_of(use, BackendUnavailable)

    assert "127.0.0.1:1" in said
    assert "LAWFUL_QDRANT_URL" in said
