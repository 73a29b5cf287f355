"""Long lists, a few items at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def chunks(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield `items` in slices of `size`; the last one may be shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
