"""What is fitted on the calibration split, the same way for every system.

One temperature for the artists' logits, a logistic curve for "known", and the scores that
conformal sets and p-values compare with. None of it sees a test query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attribution.arithmetic.calibration import alike_by_artist, weighted_p_values
from attribution.laboratory.metrics import Bools, Floats
from attribution.laboratory.works import Ints

if TYPE_CHECKING:
    from attribution.laboratory.systems import Answer

TEMPERATURES = np.geomspace(1e-3, 1e3, 601)


@dataclass(frozen=True)
class Scaling:
    """Numbers frozen on the calibration split."""

    temperature: float
    slope: float  # of log-odds of "known", per unit of the score
    offset: float
    misfits: Floats  # 1 - probability of the true artist, of calibration queries by known artists
    strangers: Floats  # scores for "known" of works by unknown artists, ascending,
    stranger_weights: Floats  # and their weights, as they come: every artist's sum to the same

    def probabilities(self, answer: Answer) -> Floats:
        """Return the artists' probabilities, given that one of them it is; rows sum to 1."""
        return softmax(answer.scores / self.temperature)

    def known(self, answer: Answer) -> Floats:
        """Return the probability that the artist is one of the index."""
        log_odds = np.clip(self.slope * answer.known + self.offset, -50, 50)
        odds: Floats = 1 / (1 + np.exp(-log_odds))
        return odds

    def limit(self, alpha: float) -> float:
        """Return the misfit up to which an artist is in the set of level 1 - alpha.

        Split conformal prediction (Vovk et al. 2005; Sadinle et al. 2019): the ⌈(n+1)(1-α)⌉-th
        smallest misfit, and everybody where there are too few.
        """
        rank = int(np.ceil((len(self.misfits) + 1) * (1 - alpha)))
        return float(np.sort(self.misfits)[rank - 1]) if rank <= len(self.misfits) else 1.0

    def p_values(self, answer: Answer) -> Floats:
        """Return the conformal p-value of "nobody of the index"; see `weighted_p_values`."""
        return weighted_p_values(self.strangers, self.stranger_weights, answer.known)


def fit(known: Answer, truth: Ints, strangers: Answer, artists: Ints) -> Scaling:
    """Fit on answers to calibration queries by known artists and by unknown ones, `artists`."""
    temperature = _temperature(known.scores, truth)
    right = softmax(known.scores / temperature)[np.arange(len(truth)), truth]
    scores = np.concatenate([known.known, strangers.known])
    is_known = np.arange(len(scores)) < len(truth)
    slope, offset = _logistic(scores, is_known)
    order = np.argsort(strangers.known, kind="stable")
    weights = alike_by_artist(artists.tolist())
    return Scaling(temperature, slope, offset, 1 - right, strangers.known[order], weights[order])


def softmax(logits: Floats) -> Floats:
    """Return exp(z) / Σ exp(z) of every row."""
    powers: Floats = np.exp(logits - logits.max(1, keepdims=True))
    powers /= powers.sum(1, keepdims=True)
    return powers


def _temperature(logits: Floats, truth: Ints) -> float:
    """Return the temperature of the smallest NLL on a grid (Guo et al. 2017)."""
    if not len(truth):
        return 1.0
    rows = np.arange(len(truth))

    def nll(temperature: float) -> float:
        right = softmax(logits / temperature)[rows, truth]
        return float(-np.log(np.maximum(right, 1e-12)).mean())

    return float(min(TEMPERATURES, key=nll))


def _logistic(scores: Floats, is_known: Bools) -> tuple[float, float]:
    """Return slope and offset of Platt's curve, with his smoothed targets (Platt 1999)."""
    positive, negative = int(is_known.sum()), int((~is_known).sum())
    if not positive or not negative:
        return 0.0, 50.0 if positive else -50.0
    targets = np.where(is_known, (positive + 1) / (positive + 2), 1 / (negative + 2))
    centre, spread = scores.mean(), max(float(scores.std()), 1e-9)
    inputs = np.stack([(scores - centre) / spread, np.ones(len(scores))], axis=1)
    weights = np.zeros(2)
    for _ in range(50):  # Newton's method; it settles in about ten steps
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -30, 30)))
        curvature = (inputs * (chance * (1 - chance))[:, None]).T @ inputs
        gradient = inputs.T @ (targets - chance)
        weights += np.linalg.solve(curvature + 1e-6 * np.eye(2), gradient)
    slope = weights[0] / spread
    return float(slope), float(weights[1] - slope * centre)
