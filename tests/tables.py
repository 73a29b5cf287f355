"""Tables for an empty database at once.

The migrations take a second to make them, and the tests open hundreds of empty databases. So what
the first migration of each engine has left is kept, and made at once in the others. What the
migrations themselves do is stated in `test_migrations.py`, which always runs them.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, event

from attribution.catalogue import schema

migrate = schema.upgrade

Statement = tuple[str, Any]


class KnownTables:
    """Stands in for `schema.upgrade`."""

    def __init__(self) -> None:
        self._statements: dict[str, list[Statement]] = {}  # by the name of the engine

    def upgrade(self, connection: Connection, where: str) -> None:
        """Bring the tables up to this version."""
        engine = connection.dialect.name
        if schema.current_revision(connection) is not None:
            migrate(connection, where)
        elif engine in self._statements:
            for statement, values in self._statements[engine]:
                connection.exec_driver_sql(statement, values or None)
        elif engine == "sqlite":
            migrate(connection, where)
            self._statements[engine] = _dumped(connection)
        else:
            self._statements[engine] = _heard(connection, where)


def _dumped(connection: Connection) -> list[Statement]:
    """Return what makes the tables of SQLite as they are now: a fifth of all that was said."""
    raw: Any = connection.connection.dbapi_connection
    begin, *statements, commit = raw.iterdump()
    assert (begin, commit) == ("BEGIN TRANSACTION;", "COMMIT;")
    return [(statement, None) for statement in statements]


def _heard(connection: Connection, where: str) -> list[Statement]:
    """Migrate, and return the statements that changed something."""
    said: list[Statement] = []

    def hear(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        if not statement.lstrip().startswith(("SELECT", "PRAGMA")):
            said.append((statement, values))

    event.listen(connection, "before_cursor_execute", hear)
    try:
        migrate(connection, where)
    finally:
        event.remove(connection, "before_cursor_execute", hear)
    return said
