"""A work on its way in that nobody looks at any more: its file was looked at, or never was."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from attribution.errors import BadImage
from attribution.images import Limits
from attribution.index.schema import UNIT_TOLERANCE
from attribution.types import Matrix, Vector
from ingest.loading import Loaded
from ingest.picture import Looked
from ingest.sources import SourceItem

AT_ONCE = 1_000  # rows that are written together


@dataclass(frozen=True)
class Row:
    """One file of a source with all that was made of it."""

    item: SourceItem
    sha256: str | None = None  # of its bytes; None where they could not be read
    looked: Looked | None = None
    fault: str | None = None  # why there is nothing to see in it
    vectors: Mapping[str, Vector] = field(default_factory=dict)
    parts: Matrix | None = None
    original: bytes = b""  # its file, where originals are kept


class Given(Protocol):
    """A source of rows, which was checked as a whole before the first one is taken."""

    total: int
    remarks: Sequence[str]

    @property
    def denied(self) -> Mapping[str, set[str]]:
        """The purposes that any row denies of a file, by its hash."""
        ...

    def batches(self) -> Iterator[list[Row]]:
        """Yield the rows in their order, some at a time; raises BadInput."""
        ...


@dataclass(frozen=True)
class LookedAt(Loaded):
    """A file that was looked at elsewhere."""

    looked: Looked | None = None

    @classmethod
    def of(cls, row: Row) -> LookedAt:
        """Return the file of a row."""
        error = BadImage("given", row.fault) if row.fault else None
        return cls(row.original, row.sha256, error, row.looked)

    def look(self, limits: Limits) -> Looked:
        """Return what was seen; raises BadImage where nothing was."""
        del limits  # whoever has looked kept to them
        if self.error is not None or self.looked is None:
            raise self.error or BadImage("given", "nothing is known of its file")
        return self.looked


def denied_of(rows: Iterable[tuple[str | None, SourceItem]]) -> dict[str, set[str]]:
    """Return which purposes a source denies of files, by their hash."""
    denied: dict[str, set[str]] = {}
    for sha256, item in rows:
        if sha256 and item.denied:
            denied.setdefault(sha256, set()).update(item.denied)
    return denied


def unit_rows(rows: npt.NDArray[np.floating], space: str) -> tuple[Matrix, dict[int, str]]:
    """Return vectors of length 1, and by row why one cannot be used.

    Those that have it already are left as they are, bit by bit.
    """
    matrix = np.ascontiguousarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(matrix.astype(np.float64), axis=1)
    faults = {
        int(row): f"its vector {space!r} is zero, or has numbers that are not finite"
        for row in np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)))
    }
    others = np.flatnonzero(np.abs(lengths - 1) >= UNIT_TOLERANCE / 2)
    scaled = [row for row in others.tolist() if row not in faults]
    if scaled:
        matrix = matrix.copy()
        matrix[scaled] = matrix[scaled] / lengths[scaled, None]
    return matrix, faults
