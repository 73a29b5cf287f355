"""Column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, String, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: aware on the way in, UTC on the way out. SQLite itself forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive time: nobody could say which moment it is."""
        del dialect
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the moment in UTC."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class CleanText(TypeDecorator[str]):
    """Text from outside. PostgreSQL refuses NUL, and no database encodes half a surrogate pair."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Drop NUL; spell out what UTF-8 cannot hold, such as odd bytes of a file's name."""
        del dialect
        return None if value is None else clean(value)


class CleanJson(TypeDecorator[Any]):
    """A JSON value whose texts are cleaned like `CleanText`."""

    impl = JSON().with_variant(JSONB(), "postgresql")
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        """Clean every text in the value."""
        del dialect
        return clean(value)


SLUG = String(80).with_variant(String(80, collation="C"), "postgresql")
"""Sorted byte by byte on both, so that pages come in the same order and prefixes use the index."""


def clean(value: Any) -> Any:
    """Return a JSON value without the characters that a database cannot keep."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {clean(key): clean(item) for key, item in value.items()}
        case list() | tuple():
            return [clean(item) for item in value]
        case _:
            return value


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)
