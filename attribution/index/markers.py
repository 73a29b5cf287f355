"""Ids looked for in files as the engine writes them: sixteen bytes in lists, text in requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np

FEW = 16  # ids that are looked for one after the other
AT_ONCE = 1 << 24  # bytes of a file in memory
LONGEST = 36  # bytes of an id as text
BEGINNING = 8  # bytes that are compared first where there are many ids


@dataclass(frozen=True)
class Markers:
    """Ids of which nothing is to be left."""

    ids: frozenset[UUID]

    @classmethod
    def of(cls, ids: Iterable[UUID]) -> Markers:
        """Look for these."""
        return cls(frozenset(ids))

    def among(self, files: Iterable[Path]) -> int:
        """Count the files that hold any of the ids; one that vanishes meanwhile holds none."""
        forms = [form for one in self.ids for form in (one.bytes, str(one).encode())]
        return sum(_is_in(path, forms) for path in files) if forms else 0


def _is_in(path: Path, forms: Collection[bytes]) -> bool:
    before = b""
    try:
        with path.open("rb") as file:
            while data := file.read(AT_ONCE):
                if _holds(before + data, forms):
                    return True
                before = data[1 - LONGEST :]
    except FileNotFoundError:
        return False
    return False


def _holds(data: bytes, forms: Collection[bytes]) -> bool:
    if len(forms) <= 2 * FEW:
        return any(form in data for form in forms)
    sizes = {len(form) for form in forms}
    return any(_holds_any(data, {one for one in forms if len(one) == size}) for size in sizes)


def _holds_any(data: bytes, forms: Collection[bytes]) -> bool:
    """Look for many forms of one length at once: by two bytes, then by eight, then by all."""
    if len(data) < LONGEST:
        return any(form in data for form in forms)
    size = len(next(iter(forms)))
    by_two = np.zeros(1 << 16, bool)
    by_two[[int.from_bytes(form[:2], "little") for form in forms]] = True
    by_eight = np.array([int.from_bytes(form[:BEGINNING], "little") for form in forms], np.uint64)
    read = np.frombuffer(data, np.uint8)
    windows = np.lib.stride_tricks.sliding_window_view(read, BEGINNING)
    for shift in (0, 1):
        pairs = np.frombuffer(data, "<u2", count=(len(data) - shift) // 2, offset=shift)
        at = 2 * np.flatnonzero(by_two[pairs]) + shift
        at = at[at < len(windows)]
        begun = np.ascontiguousarray(windows[at]).view("<u8").ravel()
        for start in at[np.isin(begun, by_eight)].tolist():
            if data[start : start + size] in forms:
                return True
    return False
