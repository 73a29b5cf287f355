"""Edits on a condition: what they are about is still as the caller has read it.

A door says so (`only_while`), and whoever locks rows to change them asks (`check`). Nothing is
passed along, because every use case would have to.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import tenancy
from attribution.errors import PreconditionFailed


@dataclass(frozen=True)
class _Condition:
    about: UUID
    holds: Callable[[Session], bool]
    broken: PreconditionFailed


_condition: ContextVar[_Condition | None] = ContextVar("condition", default=None)


@contextmanager
def only_while(
    about: UUID, holds: Callable[[Session], bool], broken: PreconditionFailed
) -> Iterator[None]:
    """Have the edit within the block done only while something holds, else raise what is broken.

    It is asked once, in the transaction of the edit, when the row `about` is locked and nothing of
    it is changed yet: of two edits at once the second one is asked after the first has ended.
    """
    token = _condition.set(_Condition(about, holds, broken))
    try:
        yield
    finally:
        _condition.reset(token)


def check(session: Session, locked: Collection[UUID]) -> None:
    """Raise PreconditionFailed where rows are locked for an edit whose condition is broken."""
    condition = _condition.get()
    if condition is None or condition.about not in locked:
        return
    _condition.set(None)
    # In the same transaction, and not by what the session has read before it had the lock.
    with Session(session.connection()) as fresh:
        tenancy.watch(fresh)
        if not condition.holds(fresh):
            raise condition.broken
