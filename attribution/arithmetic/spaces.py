"""What each space is worth, found out on registered works: pure arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BELIEF = 100.0  # in works: how much it takes to move the weights off equal ones
STEPS = 1_000
STILL = 1e-9  # the largest step that is none


def fit_weights(shares: Floats) -> Floats:
    """Return the weights of a linear opinion pool; they sum to 1, and none is 0.

    `shares`, shape (works, spaces), has what each space alone gives the true artist of a work. The
    weights are the likeliest of a mixture, by expectation and maximisation (Dempster, Laird & Rubin
    1977; for densities, stacking: Smyth & Wolpert 1999), from equal ones and under a Dirichlet
    belief in these that is worth BELIEF works. A work to whose artist no space gives a share counts
    for none. Multiplying a space's cosines, or adding to them, changes nothing: shares do not know.
    """
    spaces = shares.shape[1]
    told = shares[shares.any(axis=1)]
    weights = np.full(spaces, 1 / spaces)
    for _ in range(STEPS):
        by_space = told * weights
        by_space /= by_space.sum(axis=1, keepdims=True)
        moved = (by_space.sum(axis=0) + BELIEF / spaces) / (len(told) + BELIEF)
        step, weights = float(np.abs(moved - weights).max()), moved
        if step < STILL:
            break
    return weights
