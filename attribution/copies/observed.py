"""How often findings of the copy lane were wrong, as counted: no rate comes from a model.

`python -m benchmarks.copies` counts, on artists that no limit was chosen on (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from attribution.answers import CopyKind

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Observed:
    """So many were asked for while absent, so many of these were found all the same."""

    asked: int
    found: int

    @property
    def rate(self) -> float:
        """The part that was found."""
        return self.found / self.asked

    @property
    def upper(self) -> float:
        """What the true rate does not exceed, at CONFIDENCE (one-sided; Clopper & Pearson 1934)."""
        from scipy.stats import beta

        if self.found == self.asked:
            return 1.0
        return float(beta.ppf(CONFIDENCE, self.found + 1, self.asked - self.found))


OBSERVED: Mapping[CopyKind, Observed] = {
    CopyKind.SAME_IMAGE: Observed(400, 0),
    CopyKind.ALTERED_COPY: Observed(400, 14),
    CopyKind.NEAR_IDENTICAL: Observed(400, 48),
}
"""Absent works that were called so, of all asked for: clip art, icons, flags, signs, rosettes.

11 of the 14 are the same drawing in another file, or one that contains it; all are of one series.
"""


def observed(kind: CopyKind) -> Observed:
    """Return how often an absent work was called this, or something surer."""
    surer = list(CopyKind)[: list(CopyKind).index(kind) + 1]
    return Observed(OBSERVED[kind].asked, sum(OBSERVED[one].found for one in surer))
