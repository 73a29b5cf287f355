"""Which images are nearly the same picture, by their perceptual hashes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR_BITS = 6  # of 64; perceptual hashes this near are of one lineage


def lineages(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the number of each picture's group: whoever is within NEAR_BITS of a member is one.

    Shape (pictures, positions): the hash of each picture upright, and beside it those of the
    positions, turned and mirrored, that are to count too. Single linkage, so that no two works of
    different groups are near.
    """
    group = np.arange(len(hashes))
    for one, positions in enumerate(hashes):
        near = (np.bitwise_count(hashes[: one + 1, :1] ^ positions) <= NEAR_BITS).any(1)
        joined = np.unique(group[: one + 1][near])
        if len(joined) > 1:
            group[np.isin(group, joined)] = joined[0]
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
