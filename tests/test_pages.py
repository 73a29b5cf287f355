"""Cursors of lists: what comes back as one was ours, or is refused."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable

import pytest

from attribution.catalogue.queries.pages import moment_key, number_key, text_key
from attribution.errors import BadInput

ID = "00000000-0000-0000-0000-000000000000"


def cursor(*parts: object) -> str:
    """Return a cursor with any content."""
    return urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (moment_key, cursor("0001-01-01T00:00:00+23:59", ID)),
        (moment_key, cursor("9999-12-31T23:59:59-23:59", ID)),
        (moment_key, cursor("2026-01-01T00:00:00", ID)),
        (text_key, cursor("\ud800")),
        (text_key, cursor("a\0")),
        (text_key, urlsafe_b64encode(b"[" * 100_000).decode()),
        (number_key, cursor("1" * 5_000)),
    ],
)
def test_a_forged_cursor_is_refused(read: Callable[[str], object], text: str) -> None:
    """Times that no calendar has and texts that no database keeps are bad input, no defect."""
    with pytest.raises(BadInput, match="not a cursor for this list"):
        read(text)
