"""What tests do with databases: they write from several threads at once, and look at plans."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from sqlalchemy import event
from sqlalchemy.orm import Session

from attribution.catalogue.database import connect

Value = TypeVar("Value")
Answer = TypeVar("Answer")

Plan = list[str]
"""The steps in which SQLite answers a query."""


def at_once(call: Callable[[Value], Answer], values: Collection[Value]) -> list[Answer]:
    """Call a function with each of these values, in threads that begin at the same moment."""
    start = Barrier(len(values))

    def begin(value: Value) -> Answer:
        start.wait()
        return call(value)

    with ThreadPoolExecutor(len(values)) as threads:
        return list(threads.map(begin, values))


@contextmanager
def planned(folder: Path) -> Iterator[tuple[Session, list[Plan]]]:
    """Open an empty SQLite database; yields a session, and the plans of what it was asked."""
    database = connect(f"sqlite:///{folder / 'lawful.db'}")
    database.upgrade()
    plans: list[Plan] = []

    def explain(
        _connection: object,
        cursor: sqlite3.Cursor,
        statement: str,
        values: tuple[object],
        *_: object,
    ) -> None:
        if statement.startswith("SELECT"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans.append([row[3] for row in rows])

    event.listen(database.engine, "after_cursor_execute", explain)
    with database.sessions() as session:
        yield session, plans
    database.dispose()
