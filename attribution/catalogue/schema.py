"""The version of the tables: which one a database has, which one this program needs.

Revisions of one generation only add: a program runs on tables that a newer one of its generation
has made, so that servers and workers are replaced one after the other. A revision that takes away
or alters begins a generation, `g1_…`, and those behind it belong to it; the first ones have none.

The names of their files say which revisions there are: Alembic is loaded only where tables change.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

import migrations
from attribution.errors import SchemaMismatch

if TYPE_CHECKING:
    from alembic.config import Config

VERSIONS = "alembic_version"  # the table of which revision the others are
LOCK_KEY = 0x1A3F01  # any number, the same in every process
GENERATION = re.compile(r"g(\d+)_")  # at the beginning of a revision


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration, built from the installed package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _folder() -> Path:
    return Path(migrations.__file__ or "").parent


@cache
def revisions() -> tuple[str, ...]:
    """Return all revisions, by generation and date, the newest last."""
    names = (path.stem for path in (_folder() / "versions").glob("*.py"))
    return tuple(sorted(names, key=lambda name: (generation(name), name)))


def head_revision() -> str:
    """Return the revision that this program needs."""
    return revisions()[-1]


def current_revision(connection: Connection) -> str | None:
    """Return the revision of a database; None for an empty one."""
    if not inspect(connection).has_table(VERSIONS):
        return None
    return connection.execute(text(f"SELECT version_num FROM {VERSIONS}")).scalar()  # noqa: S608


def lock(connection: Connection) -> None:
    """Wait until no other process changes tables; given back with the transaction.

    SQLite needs none: its write transaction is exclusive.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def upgrade(connection: Connection, where: str) -> None:
    """Bring the tables up to this version within the caller's transaction.

    Raises SchemaMismatch when a newer program made them.
    """
    current = current_revision(connection)
    if current == head_revision() or _is_newer(current, where):
        return
    from alembic import command

    command.upgrade(configuration(connection), "head")


def check(connection: Connection, where: str) -> None:
    """Raise SchemaMismatch unless the tables are those of this version, or of a newer one alike."""
    current, head = current_revision(connection), head_revision()
    if current != head and not _is_newer(current, where):
        raise SchemaMismatch(
            f"the database {where} is at revision {current or 'none'}, this program needs {head}; "
            f"run `lawful migrate` first"
        )


def generation(revision: str) -> int:
    """Return which generation a revision belongs to."""
    found = GENERATION.match(revision)
    return int(found[1]) if found else 0


def _is_newer(current: str | None, where: str) -> bool:
    """Tell whether a newer program of this generation made the tables; refuses other newer ones."""
    if current is None or current in revisions():
        return False
    if generation(current) != generation(head_revision()):
        raise SchemaMismatch(
            f"the database {where} is at revision {current}, which this program does not know "
            f"(its newest is {head_revision()}): a newer version wrote it. "
            f"Upgrade lawful-diffusion, or restore a backup made before the newer version"
        )
    return True
