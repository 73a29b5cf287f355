"""Artist codes: which digit each of three heads gives to the artist of a number.

The seed wrote the number in a base that followed the number of artists: every code changed when an
artist joined, and two artists could differ in one digit of three, so that one head alone had to
tell them apart. Here the first two digits are counted in shells (Rosenberg & Strong 1972): (0, 0),
then all with the largest digit 1, then 2; the third is their exclusive or. A code never changes,
more artists only add digits to the heads, and two artists share one digit at most: a code of
distance 2 (Singleton 1964), the farthest that √n digits a head allow. docs/benchmarks.md has what
that is worth.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

HEADS = 3


def base(artists: int) -> int:
    """Return how many digits each head needs: the power of two, at least 2, from √n on."""
    return int(2 ** max(1, math.ceil(math.log2(max(artists, 1)) / 2)))


def codes(artists: int) -> Ints:
    """Return the digits of the artists 0 … n-1, shape (artists, HEADS)."""
    pairs = np.indices((base(artists), base(artists))).reshape(2, -1)
    first, second = pairs[:, np.argsort(pairs.max(0), kind="stable")[:artists]]
    return np.stack([first, second, first ^ second], axis=1).astype(np.int64)
