"""How rows are written in bulk: what is new, and what nobody has in hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.catalogue.models import Base

T = TypeVar("T")

IN_SQL = {"synchronize_session": False}
"""How a statement changes rows that nobody has in hand: without looking for them in the session."""


def insert_new(
    session: Session,
    table: type[Base],
    rows: Sequence[Mapping[str, Any]],
    *,
    returning: InstrumentedAttribute[T] | None = None,
) -> list[T]:
    """Insert rows; leave out those that a unique constraint already has.

    A row that another transaction is just inserting is waited for, so that two processes may
    bring the same work at the same time. Returns a column of the rows that are new, if asked to.
    """
    if not rows:
        return []
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert if is_sqlite else postgresql.insert
    # Not the class: every row would be made ready for objects that nobody asks for.
    columns = cast("Table", table.__table__)
    new = insert(columns).on_conflict_do_nothing()
    values = [dict(row) for row in rows]
    if returning is None:
        session.execute(new, values)
        return []
    return list(session.scalars(new.returning(columns.c[returning.key]), values))
