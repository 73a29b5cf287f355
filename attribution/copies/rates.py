"""How often strangers score that high, and how high a copy must score in a catalogue of this size.

The table was measured on pairs of different works by artists of the training half, every image
against every work, and is frozen. Beyond the last pair that was seen the tail goes on as it fell.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attribution.copies.verification import frozen

EXPECTED_FALSE = 0.01  # matches of strangers in one lookup, at most
TAIL = 10  # last rows of the table that the tail beyond it follows
MIN_FALL = 0.1
LEAST_STRICT = 1e-6  # rate of a pair that is asked of small catalogues too


def pair_rate(score: float) -> float:
    """Return the part of pairs of different works that score as high or higher."""
    scores, logs, fall = _table()
    if score >= scores[-1]:
        return float(np.exp(logs[-1] + fall * (score - scores[-1])))
    return float(np.exp(np.interp(score, scores, logs)))


def score_at(rate: float) -> float:
    """Return the score from which on pairs of different works are as rare as this."""
    scores, logs, fall = _table()
    wanted = np.log(rate)
    if wanted <= logs[-1]:
        return float(scores[-1] + (wanted - logs[-1]) / fall)
    return float(np.interp(-wanted, -logs, scores))


def allowed_rate(works: int) -> float:
    """Return the rate up to which a match counts among so many works."""
    return min(LEAST_STRICT, EXPECTED_FALSE / max(works, 1))


def _table() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]:
    """Return scores, ascending, the logarithms of their rates, and the fall beyond the last."""
    scores, rates = np.array(frozen()["rates"]).T
    logs = np.log(rates)
    few = min(len(scores), TAIL)
    fall = float(np.polyfit(scores[-few:], logs[-few:], 1)[0])
    return scores, logs, min(fall, -MIN_FALL)
