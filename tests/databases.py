"""What tests do with databases: they write from several threads at once, and look at plans."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any, TypeVar

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from attribution.catalogue.database import Database

Value = TypeVar("Value")
Answer = TypeVar("Answer")

Plan = list[str]
"""The steps in which a database answers a query."""


def at_once(call: Callable[[Value], Answer], values: Collection[Value]) -> list[Answer]:
    """Call a function with each of these values, in threads that begin at the same moment."""
    start = Barrier(len(values))

    def begin(value: Value) -> Answer:
        start.wait()
        return call(value)

    with ThreadPoolExecutor(len(values)) as threads:
        return list(threads.map(begin, values))


@contextmanager
def planned(database: Database) -> Iterator[tuple[Session, list[Plan]]]:
    """Yield a session, and the plans of what it asks; nothing is scanned that has an index."""
    explaining, column = ("EXPLAIN QUERY PLAN", 3) if database.is_file else ("EXPLAIN", 0)
    plans: list[Plan] = []

    def explain(
        _connection: object, cursor: Any, statement: str, values: object, *_: object
    ) -> None:
        if statement.startswith(("SELECT", "WITH")):
            rows = cursor.connection.execute(f"{explaining} {statement}", values)
            plans.append([row[column] for row in rows.fetchall()])

    with database.sessions() as session:
        if not database.is_file:  # tables this small would be read as a whole
            session.execute(text("SET enable_seqscan = off"))
        event.listen(database.engine, "after_cursor_execute", explain)
        try:
            yield session, plans
        finally:
            event.remove(database.engine, "after_cursor_execute", explain)
