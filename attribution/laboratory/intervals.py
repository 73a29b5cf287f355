"""How sure a measure is: the bootstrap over artists."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from attribution.laboratory.outcomes import POOLED, Outcomes, joined

DRAWS = 400


@dataclass(frozen=True)
class Interval:
    """The mean over the seeds, and the middle 95 % of what resampled artists give."""

    mean: float
    low: float
    high: float


def intervals(
    seeds: Sequence[Outcomes], measures: Mapping[str, Callable[[Outcomes], float]]
) -> dict[str, Interval]:
    """Return every measure with its interval.

    Cluster bootstrap (Davison & Hinkley 1997, 3.8): works of one artist are not independent, nor
    is the same work under several seeds; so whole artists are drawn, with all their works in all
    seeds. Each measure is taken of every seed and averaged; those of POOLED, of all seeds together.
    """
    rng = np.random.default_rng(0)
    artists = np.unique(np.concatenate([one.cluster for one in seeds]))
    places = [[np.flatnonzero(one.cluster == artist) for artist in artists] for one in seeds]
    found = _measured(seeds, measures)
    drawn: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(DRAWS):
        chosen = rng.integers(0, len(artists), len(artists))
        samples = [_draw(one, rows, chosen) for one, rows in zip(seeds, places, strict=True)]
        for name, value in _measured(samples, measures).items():
            drawn[name].append(value)
    return {name: _interval(found[name], np.array(values)) for name, values in drawn.items()}


def _draw(outcomes: Outcomes, rows: Sequence[np.ndarray], chosen: np.ndarray) -> Outcomes:
    """Return the rows of the drawn artists; one drawn twice counts as two."""
    parts = [rows[artist] for artist in chosen]
    labels = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    return replace(outcomes.take(np.concatenate(parts)), cluster=labels)


def _measured(
    seeds: Sequence[Outcomes], measures: Mapping[str, Callable[[Outcomes], float]]
) -> dict[str, float]:
    together = [joined(seeds)]
    return {
        name: _over_seeds(measure, together if name in POOLED else seeds)
        for name, measure in measures.items()
    }


def _over_seeds(measure: Callable[[Outcomes], float], seeds: Sequence[Outcomes]) -> float:
    values = np.array([measure(one) for one in seeds])
    return float(values[~np.isnan(values)].mean()) if not np.isnan(values).all() else float("nan")


def _interval(mean: float, drawn: np.ndarray) -> Interval:
    """Return the middle 95 %, moved so that their middle is the mean.

    A work that is drawn twice errs twice the same way, which inflates the calibration error and
    the distance from uniform of every draw; their spread is what the interval is for.
    """
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn):
        return Interval(mean, float("nan"), float("nan"))
    low, high = np.quantile(drawn, [0.025, 0.975]) - np.median(drawn) + mean
    return Interval(mean, max(float(low), 0.0), min(float(high), max(mean, float(drawn.max()))))
