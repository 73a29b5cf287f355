"""What a space knows of style, without any voter: which pairs of works are by one artist.

The protocol of style descriptors: AUC over pairs; artists whose works resemble those of others more
than each other; and, where several artists took the same subjects, whether the nearest work of
another subject is by the same artist.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from attribution.laboratory import metrics
from attribution.laboratory.metrics import Bools, Floats
from attribution.laboratory.works import Ints, Works
from attribution.types import Matrix

TOGETHER = "together"  # every space that votes: the mean of their standardised cosines
MOST = 3_000  # works; of more a sample, as pairs grow with the square
RANKED = 10


@dataclass(frozen=True)
class Pairs:
    """How well one space tells works by one artist from works by two."""

    auc: float  # a pair by one artist is nearer than a pair by two, this often
    negative_gaps: int  # artists whose works are, on average, nearer to others' than to their own
    artists: int  # of so many who have two lineages


@dataclass(frozen=True)
class SameSubjects:
    """How well one space names the artist among works of other subjects."""

    map1: float
    map10_csd: float
    works: int  # asked for
    subjects: int  # that several artists took


def measure(works: Works) -> dict[str, Pairs]:
    """Compare all pairs of works of different lineages, by space, and TOGETHER."""
    rows = _sample(np.arange(len(works.artist)))
    artist, group = works.artist[rows], works.group[rows]
    is_pair = group[:, None] != group
    is_same = (artist[:, None] == artist) & is_pair
    is_other = is_pair & ~is_same
    found = {}
    for name, cosines in _cosines({space: works.vectors[space][rows] for space in works.voting}):
        gaps = []
        for one in np.unique(artist):
            own = artist == one
            if is_same[own].any() and is_other[own].any():
                near = cosines[own]
                gaps.append(near[is_same[own]].mean() - near[is_other[own]].mean())
        auc = metrics.auroc(cosines[is_same], cosines[is_other])
        found[name] = Pairs(auc, int(np.sum(np.array(gaps) < 0)), len(gaps))
    return found


def same_subjects(works: Works) -> dict[str, SameSubjects]:
    """Ask for the works whose subject several artists took; works of that subject do not count.

    Nothing where no subject is shared, or where whoever shares one has no work of another.
    """
    subjects = works.subjects
    artists: dict[str, set[int]] = defaultdict(set)
    for subject, artist in zip(subjects, works.artist.tolist(), strict=True):
        artists[subject].add(artist)
    shared = {one for one, by in artists.items() if one and len(by) > 1}
    rows = _sample(np.flatnonzero([subject in shared for subject in subjects]))
    if not len(rows):
        return {}
    numbers: Ints = np.unique([subjects[row] for row in rows], return_inverse=True)[1]
    artist, group = works.artist[rows], works.group[rows]
    may_count = (numbers[:, None] != numbers) & (group[:, None] != group)
    wanted = ((artist[:, None] == artist) & may_count).sum(1)
    asked = wanted > 0
    if not asked.any():
        return {}
    found = {}
    for name, cosines in _cosines({space: works.vectors[space][rows] for space in works.voting}):
        order = np.argsort(-np.where(may_count, cosines, -np.inf), axis=1, kind="stable")
        order = order[:, :RANKED]
        relevant: Bools = artist[order] == artist[:, None]
        relevant &= np.take_along_axis(may_count, order, axis=1)  # of few works the rest comes last
        csd, _ = metrics.average_precision(relevant[asked], wanted[asked])
        found[name] = SameSubjects(
            metrics.mean(relevant[asked, 0]), metrics.mean(csd), int(asked.sum()), len(shared)
        )
    return found


def _sample(rows: Ints) -> Ints:
    if len(rows) <= MOST:
        return rows
    return np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))


def _cosines(vectors: Mapping[str, Matrix]) -> Iterator[tuple[str, Floats]]:
    """Yield (space, cosines of all works), shape (works, works), and at last all TOGETHER."""
    total: Floats = np.zeros((1, 1))
    for space, rows in vectors.items():
        cosines = (rows @ rows.T).astype(np.float64)
        total = total + (cosines - cosines.mean()) / max(float(cosines.std()), 1e-9)
        yield space, cosines
    yield TOGETHER, total / len(vectors)
