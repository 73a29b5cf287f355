"""The history of the tables, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from attribution.catalog import schema
from attribution.catalog.database import Database, connect
from attribution.catalog.models import Base
from attribution.errors import SchemaMismatch


def test_upgrade_makes_the_tables_of_the_models(empty_database: Database) -> None:
    """After an upgrade nothing is left for a next revision to do."""
    empty_database.upgrade()

    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_are_those_of_the_models(database: Database) -> None:
    """Checks, which Alembic does not compare, exist under the names that the models give."""
    found = inspect(database.engine)
    for name, table in Base.metadata.tables.items():
        wanted = {str(one.name) for one in table.constraints if str(one.name).startswith("ck_")}

        assert {one["name"] for one in found.get_check_constraints(name)} == wanted


def test_downgrade_takes_everything_back(database: Database) -> None:
    """Down to nothing and up again works."""
    with database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "base")

    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert database.current_revision() is None
    database.upgrade()
    database.check_schema()


def test_upgrade_again_changes_nothing(database: Database) -> None:
    """An upgraded database is left alone."""
    database.upgrade()

    assert database.current_revision() == schema.head_revision()


def test_upgrades_at_the_same_time_wait(database_url: str) -> None:
    """Two processes that start together on an empty database both come up."""
    databases = [connect(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.upgrade, databases))

    for one in databases:
        one.check_schema()
        one.dispose()


def test_newer_database_is_refused(database: Database) -> None:
    """The error names both revisions and the way out, on upgrade and on check."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '29990101_future'"))

    for use in (database.upgrade, database.check_schema):
        with pytest.raises(SchemaMismatch, match="29990101_future") as caught:
            use()
        assert schema.head_revision() in str(caught.value)
        assert "Upgrade lawful-diffusion" in str(caught.value)


def test_database_without_tables_fails_the_check(empty_database: Database) -> None:
    """A check does not create anything; it says what to do."""
    with pytest.raises(SchemaMismatch, match="needs 2026"):
        empty_database.check_schema()


def test_failed_upgrade_leaves_nothing_behind(empty_database: Database) -> None:
    """A revision runs as a whole or not at all."""

    def fail(connection: Connection) -> None:
        schema.upgrade(connection, "here")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), empty_database.migrating() as connection:
        fail(connection)

    assert inspect(empty_database.engine).get_table_names() == []


def test_alembic_check_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developers' `alembic upgrade head` and `alembic check` use the settings' database."""
    monkeypatch.setenv("LAWFUL_HOME", str(tmp_path / "new"))
    monkeypatch.delenv("LAWFUL_DATABASE_URL", raising=False)
    config = schema.configuration()

    command.upgrade(config, "head")
    command.check(config)  # raises where models and tables differ

    assert (tmp_path / "new" / "lawful.db").exists()
