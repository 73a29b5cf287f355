"""The cells of a table as they stand there, before anybody says what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from attribution.errors import BadInput

MOST_ROWS = 2_000_000


class Unreadable(BadInput):
    """A table of which nothing can be believed."""


class Unrelated(Unreadable):
    """A table in which no column is known: it is about something else, or has no head.

    `texts` is what stands in it.
    """

    def __init__(self, message: str, texts: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.texts = texts


@dataclass(frozen=True)
class Raw:
    """A row as it stands there: its place, cells by header, and what is wrong with its shape."""

    where: str
    cells: Sequence[tuple[str, Any]]
    fault: str | None = None


Headers = Sequence[str]
Raws = Iterator[Raw]


def check_rows(number: int, shown: str) -> None:
    """Raise Unreadable for a row that is one too many."""
    if number > MOST_ROWS:
        raise Unreadable(f"{shown} has more than {MOST_ROWS} rows; split it")
