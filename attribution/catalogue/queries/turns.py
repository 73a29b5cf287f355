"""The right to do what only one process may do at a time."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session


def take_turn(session: Session, what: str) -> bool:
    """Take the right to do something until the session ends; false when another process has it.

    A SQLite file belongs to one process, which does such things one after another.
    """
    if session.get_bind().dialect.name != "postgresql":
        return True
    return bool(session.scalar(select(func.pg_try_advisory_xact_lock(func.hashtext(what)))))
