"""Which images are nearly the same picture, by their perceptual hashes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

NEAR_BITS = 6  # of 64; perceptual hashes this near are of one lineage


def lineages(hashes: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """Return the number of each hash's group: whoever is within NEAR_BITS of a member is one.

    Single linkage, so that no two works of different groups are near.
    """
    group = np.arange(len(hashes))
    for one, own in enumerate(hashes):
        near = np.bitwise_count(hashes[: one + 1] ^ own) <= NEAR_BITS
        joined = np.unique(group[: one + 1][near])
        if len(joined) > 1:
            group[np.isin(group, joined)] = joined[0]
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
