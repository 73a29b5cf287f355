"""Ends that are given as a date: what holds until a day holds to the end of it, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time

DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def end_of(said: object) -> object:
    """Return the last moment of a day that is written as a date; anything else as it is."""
    if not isinstance(said, str) or not DAY.fullmatch(said):
        return said
    try:
        return datetime.combine(date.fromisoformat(said), time.max, UTC)
    except ValueError:
        return said
