"""Alembic's entry: migrates the connection that the program hands over, or the settings' database.

`lawful` hands over its own; the command `alembic` uses LAWFUL_DATABASE_URL or LAWFUL_HOME.
"""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection

from attribution.catalogue.database import connect
from attribution.catalogue.models import Base
from attribution.config import Settings


def migrate(connection: Connection) -> None:
    """Run what was asked for, within the transaction that is open."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_as_batch=connection.dialect.name == "sqlite",
        compare_server_default=True,
    )
    context.run_migrations()


def migrate_settings() -> None:
    """Open the settings' database for the command line of Alembic."""
    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    database = connect(settings.database_url)
    try:
        with database.migrating() as connection:
            migrate(connection)
    finally:
        database.dispose()


if (given := context.config.attributes.get("connection")) is not None:
    migrate(given)
else:
    migrate_settings()
