"""The shares of many artists as an array: they are worked on together, and named one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self
from uuid import UUID

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
TINY = 1e-12  # of a sum, so that it divides


@dataclass(frozen=True, eq=False)
class ManyShares(Mapping[UUID, float]):
    """A number for each artist who has one, equal to a dictionary of them."""

    artists: Sequence[UUID]  # ascending
    positions: Mapping[UUID, int]  # of each in `artists`
    numbers: Floats  # (artists,); NaN: has none

    def __getitem__(self, artist: UUID) -> float:
        value = float(self.numbers[self.positions[artist]])
        if np.isnan(value):
            raise KeyError(artist)
        return value

    def __iter__(self) -> Iterator[UUID]:
        return (self.artists[position] for position in self._held().tolist())

    def __len__(self) -> int:
        return len(self._held())

    def first(self, most: int) -> list[UUID]:
        """Return so many artists with the largest shares; of equal ones the last come first."""
        held = self._held()
        values = self.numbers[held]
        if len(held) > most:
            least = np.partition(values, len(held) - most)[len(held) - most]
            held = held[values >= least]
            values = self.numbers[held]
        order = np.lexsort((-held, -values))[:most]
        return [self.artists[position] for position in held[order].tolist()]

    def among(self, artists: Collection[UUID]) -> Self:
        """Return the shares of these artists, as parts of what they have together."""
        kept = [self.positions[one] for one in artists if one in self.positions]
        values = np.full(len(self.numbers), np.nan)
        values[kept] = self.numbers[kept]
        return self._as_parts(values)

    def without(self, artist: UUID) -> Self:
        """Return the shares of all others, as parts of what they have together."""
        values = self.numbers.copy()
        values[self.positions[artist]] = np.nan
        return self._as_parts(values)

    def _as_parts(self, values: Floats) -> Self:
        whole = max(float(np.nansum(values)), TINY)
        return type(self)(self.artists, self.positions, values / whole)

    def _held(self) -> npt.NDArray[np.intp]:
        return np.flatnonzero(~np.isnan(self.numbers))
