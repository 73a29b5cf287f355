"""Every no of a source, by the bytes that it is about, before the first of its files is taken in.

So it makes no difference where in the source the no stands, or in which batch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from attribution.images import Limits, file_sha256
from ingest.sources import SourceItem


class Denials:
    """Notes what the files of a source are denied while they are listed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sizes: Counter[int] = Counter()
        self._denied: list[tuple[int, Path, tuple[str, ...]]] = []

    def noting(self, items: Iterable[SourceItem]) -> Iterator[SourceItem]:
        """Yield the files of a source as they come."""
        for item in items:
            if not item.is_lost:
                with suppress(OSError, ValueError):  # whoever reads it says so
                    self._note(item, item.path.stat().st_size)
            yield item

    def by_hash(self) -> dict[str, set[str]]:
        """Return what is denied of the bytes that may come under several names, by their hash.

        Only files of one size can be the same: no other is read here, and each knows its own row.
        """
        denied: dict[str, set[str]] = defaultdict(set)
        for size, path, purposes in self._denied:
            if self._sizes[size] > 1 and (sha256 := file_sha256(path, self._limits)):
                denied[sha256].update(purposes)
        return denied

    def _note(self, item: SourceItem, size: int) -> None:
        self._sizes[size] += 1
        if item.denied:
            self._denied.append((size, item.path, item.denied))
