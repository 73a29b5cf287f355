"""How near anything registered is at all: pure arithmetic.

Every voice of the vote is relative. An image of another kind than the catalogue has neighbours that
are all equally far, and one of them leads. So it is asked in absolute terms whether the image is as
near to registered works as registered works are to each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

LEAST_SPREAD = 1e-4  # of a space's cosines: more than KEPT_DIGITS round to nothing
KEPT_DIGITS = 5  # of a number that is kept with a calibration


@dataclass(frozen=True)
class Familiarity:
    """How close registered works are to others, by space; `totals` are ascending."""

    centre: Floats  # (spaces,), of the closeness of works asked for as if not there
    spread: Floats  # (spaces,), its standard deviation
    totals: Floats  # of each work, its standard scores weighed by the spaces' weights

    @classmethod
    def of(cls, closeness: Floats, weights: Floats) -> Familiarity:
        """Measure works asked for as if not there; shapes (works, spaces) and (spaces,)."""
        centre = closeness.mean(axis=0)
        spread = np.maximum(closeness.std(axis=0), LEAST_SPREAD)
        return cls(centre, spread, np.sort((closeness - centre) / spread @ weights))

    def total(self, closeness: Floats, weights: Floats) -> Floats:
        """Return the standard scores of images, weighed; shapes (…, spaces), (spaces,), (…)."""
        values: Floats = (closeness - self.centre) / self.spread @ weights
        return values

    def p_value(self, closeness: Floats, weights: Floats) -> float:
        """Return (1 + #{works no closer}) / (n + 1), conformal (Vovk et al. 2005).

        Small: an image that shows a new work by a registered artist is hardly ever this far.
        """
        no_closer = int(np.searchsorted(self.totals, self.total(closeness, weights), "right"))
        return (1 + no_closer) / (1 + len(self.totals))

    def as_json(self) -> dict[str, list[float]]:
        """Return the numbers as plain values."""
        return {name: np.round(value, KEPT_DIGITS).tolist() for name, value in vars(self).items()}

    @classmethod
    def of_json(cls, kept: Mapping[str, Any]) -> Familiarity:
        """Return what `as_json` gave."""
        return cls(**{name: np.array(value, float) for name, value in kept.items()})
