"""Lists in pages: an opaque cursor holds the sort key of the last row shown.

Rows that arrive or go meanwhile neither repeat nor hide others, as they would with an offset.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

from attribution.errors import BadInput

LARGEST_PAGE = 500

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows, and the cursor of the next ones; None at the end."""

    items: tuple[Row, ...]
    next: str | None


def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], Sequence[object]]) -> Page[Row]:
    """Make a page of at most `limit` from one row more than that; `key` gives the sort key."""
    shown = tuple(rows[:limit])
    return Page(shown, _encode(key(shown[-1])) if len(rows) > limit else None)


def check_limit(limit: int) -> int:
    """Return how many rows to ask for: one more than a page has; raises BadInput."""
    if not 1 <= limit <= LARGEST_PAGE:
        raise BadInput(f"a page has 1 to {LARGEST_PAGE} entries, not {limit}")
    return limit + 1


def text_key(cursor: str) -> str:
    """Read the cursor of a list that is sorted by one text."""
    (text,) = _decode(cursor, 1)
    return text


def moment_key(cursor: str) -> tuple[datetime, UUID]:
    """Read the cursor of a list that is sorted by time and id."""
    moment, id_ = _decode(cursor, 2)
    try:
        when = datetime.fromisoformat(moment)
        if when.tzinfo is None:
            raise _wrong(cursor)
        return when.astimezone(UTC), UUID(id_)
    except (ValueError, OverflowError) as error:
        raise _wrong(cursor) from error


def id_key(cursor: str) -> UUID:
    """Read the cursor of a list that is sorted by id."""
    (text,) = _decode(cursor, 1)
    try:
        return UUID(text)
    except ValueError as error:
        raise _wrong(cursor) from error


def number_key(cursor: str) -> int:
    """Read the cursor of a list that is sorted by a number."""
    return numbers_key(cursor, 1)[0]


def numbers_key(cursor: str, parts: int) -> list[int]:
    """Read the cursor of a list that is sorted by some numbers."""
    texts = _decode(cursor, parts)
    if not all(text.isascii() and text.isdigit() and len(text) <= 18 for text in texts):
        raise _wrong(cursor)
    return [int(text) for text in texts]


def _encode(key: Sequence[object]) -> str:
    texts = [part.isoformat() if isinstance(part, datetime) else str(part) for part in key]
    return urlsafe_b64encode(json.dumps(texts).encode()).decode().rstrip("=")


def _decode(cursor: str, parts: int) -> list[str]:
    try:
        key = json.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError, RecursionError) as error:
        raise _wrong(cursor) from error
    if not (isinstance(key, list) and len(key) == parts and all(map(_is_key, key))):
        raise _wrong(cursor)
    return key


def _is_key(part: object) -> bool:
    """Whether it may come from us: slugs, numbers, ids and times are plain letters."""
    return isinstance(part, str) and part.isascii() and part.isprintable()


def _wrong(cursor: str) -> BadInput:
    return BadInput(f"{cursor[:60]!r} is not a cursor for this list; start again without one")
