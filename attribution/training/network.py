"""The network as numbers: one hidden layer, three heads, and the scaling of what goes in.

Answers without torch, so that asking is light; `trainer` finds the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from attribution.training.coding import HEADS, base, codes
from attribution.training.recipe import Recipe, Scaling
from attribution.types import Matrix

Numbers = npt.NDArray[np.float32]

FLOOR = 1e-6  # of a spread


@dataclass(frozen=True, eq=False)
class Network:
    """Scales `width` inputs, then `hidden` rectified units, then HEADS × `digits` outputs."""

    centre: Numbers  # (width,)
    spread: Numbers  # (width,)
    trunk: Numbers  # (hidden, width)
    trunk_offset: Numbers  # (hidden,)
    heads: Numbers  # (HEADS, digits, hidden)
    heads_offset: Numbers  # (HEADS, digits)

    def scores(self, rows: Matrix, artists: int) -> npt.NDArray[np.float64]:
        """Return the artists' scores for each row, shape (rows, artists).

        The sum of the logarithms of an artist's three digits' probabilities. Not normalised: codes
        that no artist has, have a share of their own.
        """
        hidden = np.maximum(self.scaled(rows) @ self.trunk.T + self.trunk_offset, 0)
        total = np.zeros((len(rows), artists))
        for digit, head, offset in zip(
            codes(artists).T, self.heads, self.heads_offset, strict=True
        ):
            outputs = (hidden @ head.T + offset).astype(np.float64)
            total += log_softmax(outputs)[:, digit]
        return total

    def scaled(self, rows: Matrix) -> Numbers:
        """Return what the trunk is given."""
        return (rows - self.centre) / self.spread

    def grown(self, artists: int, *, seed: int) -> Network:
        """Return the same network with digits for so many artists; what it had stays as it was."""
        missing = base(artists) - self.heads.shape[1]
        if missing <= 0:
            return self
        rng, hidden = np.random.default_rng(seed), self.heads.shape[2]
        heads = _uniform(rng, (HEADS, missing, hidden), hidden)
        return replace(
            self,
            heads=np.concatenate([self.heads, heads], axis=1),
            heads_offset=np.pad(self.heads_offset, ((0, 0), (0, missing))),
        )

    def arrays(self) -> dict[str, Numbers]:
        """Return the numbers by name."""
        return dict(vars(self))

    @classmethod
    def of(cls, arrays: Mapping[str, Numbers]) -> Self:
        """Return the network of these numbers; raises TypeError for other names."""
        return cls(**arrays)


def start(rows: Matrix, dims: Mapping[str, int], artists: int, recipe: Recipe) -> Network:
    """Return a network at random, its inputs scaled by these rows.

    `dims` is the width of each space; in the rows they lie in the order of their names.
    """
    rng, width = np.random.default_rng(recipe.seed), rows.shape[1]
    hidden, (centre, spread) = recipe.hidden, _scale(rows, dims, recipe.scaling)
    return Network(
        centre=centre,
        spread=spread,
        trunk=_uniform(rng, (hidden, width), width),
        trunk_offset=_uniform(rng, (hidden,), width),
        heads=_uniform(rng, (HEADS, base(artists), hidden), hidden),
        heads_offset=_uniform(rng, (HEADS, base(artists)), hidden),
    )


def joined(vectors: Mapping[str, Matrix]) -> Matrix:
    """Return the vectors of all spaces side by side, in the order of the spaces' names."""
    return np.concatenate([vectors[space] for space in sorted(vectors)], axis=1)


def log_softmax(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the logarithms of shares that sum to 1 in each row."""
    from scipy.special import log_softmax as in_rows

    shares: npt.NDArray[np.float64] = in_rows(scores, axis=1)
    return shares


def _scale(rows: Matrix, dims: Mapping[str, int], scaling: Scaling) -> tuple[Numbers, Numbers]:
    widths = [dims[name] for name in sorted(dims)]
    if scaling == "lengths":
        spread = np.repeat([width**-0.5 for width in widths], widths)
        return np.zeros(rows.shape[1], np.float32), spread.astype(np.float32)
    spread = rows.std(0)
    if scaling == "spaces":
        parts = np.split(spread, np.cumsum(widths)[:-1])
        spread = np.repeat([np.sqrt(np.mean(part**2)) for part in parts], widths)
    return rows.mean(0), np.maximum(spread, FLOOR).astype(np.float32)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], inputs: int) -> Numbers:
    """Return numbers within ±1/√inputs, as torch begins a linear layer."""
    return rng.uniform(-(inputs**-0.5), inputs**-0.5, shape).astype(np.float32)
