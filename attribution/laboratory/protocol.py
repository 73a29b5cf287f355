"""The protocols, run: every system on the same splits, its measures and its curves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attribution.laboratory import metrics, scaling
from attribution.laboratory.baselines import Logistic, Seed
from attribution.laboratory.intervals import Interval, intervals
from attribution.laboratory.outcomes import (
    MEASURES,
    Asked,
    Outcomes,
    Verdicts,
    joined,
    judge,
    judge_all,
)
from attribution.laboratory.splits import Split, at_most, split
from attribution.laboratory.systems import (
    AsAnswered,
    Calibrated,
    Lawful,
    Nearest,
    System,
)
from attribution.laboratory.works import Indexed, Ints, Progress, Works
from attribution.types import Matrix

SYSTEMS: Mapping[str, Callable[[], System]] = {
    "lawful": Lawful,
    "as answered": AsAnswered,
    "B0": Seed,
    "B1": Nearest,
    "B2": Logistic,
}
WORKS_PER_ARTIST = (1, 2, 5, 10, 20)


@dataclass(frozen=True)
class Few:
    """What is left when no artist has more than so many works in the index."""

    top1: float
    macro_recall: float


@dataclass(frozen=True)
class AnotherKind:
    """What becomes of images of another kind than the catalogue, nobody of whom is registered."""

    images: int
    attributed: float  # shares of them, means over the seeds
    candidates: float
    unlike: float  # said to be unlike anything registered


@dataclass(frozen=True)
class Evaluated:
    """Everything that was found out about one system."""

    measures: Mapping[str, Interval]
    few: Mapping[int, Few]  # by works per artist; means over the seeds
    reliability: Sequence[tuple[float, float, float]]  # confidence, accuracy, share; after scaling
    reliability_before: Sequence[tuple[float, float, float]]
    receiver: Sequence[tuple[float, float]]  # unknown accepted, known accepted
    risk: Sequence[tuple[float, float]]  # share answered, share of these that is wrong
    another_kind: AnotherKind | None = None  # where such images were given, and it gives verdicts


@dataclass(frozen=True)
class Trial:
    """One seed's split with its index, whose artists are numbered anew from 0."""

    split: Split
    indexed: Indexed
    truth: Ints  # of every work: its artist's number in the index; -1 for strangers
    portfolio: Ints  # of every work: how many works by its artist are indexed
    seed: int


def evaluate(
    works: Works,
    seeds: Sequence[int],
    progress: Progress,
    systems: Mapping[str, Callable[[], System]] = SYSTEMS,
    another_kind: Mapping[str, Matrix] | None = None,
) -> dict[str, Evaluated]:
    """Run every system on every seed's split; raises BadInput where there is too little data.

    `another_kind` has the vectors, by space, of images of another kind than the works.
    """
    trials = [prepare(works, seed) for seed in seeds]
    outcomes: dict[str, list[Outcomes]] = defaultdict(list)
    few: dict[str, list[dict[int, Few]]] = defaultdict(list)
    others: dict[str, list[Verdicts]] = defaultdict(list)
    steps = len(trials) * len(systems)
    for trial in trials:
        for name, make in systems.items():
            progress(f"seed {trial.seed}, {name}", sum(map(len, few.values())), steps)
            system = make()
            system.tune(trial.indexed, trial.seed)
            outcomes[name].append(test(system, works, trial))
            if another_kind and isinstance(system, Calibrated) and (own := system.scaling()):
                others[name].append(judge_all(system.answer(another_kind), own))
            few[name].append(fewer_works(system, works, trial))
    progress("resampling artists", steps, steps)
    return {name: _evaluated(outcomes[name], few[name], others[name]) for name in systems}


def prepare(works: Works, seed: int) -> Trial:
    """Split the works and index one part of them."""
    parts = split(works, seed)
    artists, numbers = np.unique(works.artist[parts.indexed], return_inverse=True)
    truth = np.full(len(works.names), -1)
    truth[artists] = np.arange(len(artists))
    sizes = np.bincount(works.artist[parts.indexed], minlength=len(works.names))
    indexed = Indexed(
        _rows(works, parts.indexed),
        numbers.astype(np.int64),
        works.group[parts.indexed],
        works.lanes,
    )
    return Trial(parts, indexed, truth[works.artist], sizes[works.artist], seed)


def test(system: System, works: Works, trial: Trial) -> Outcomes:
    """Ask for both folds, each scaled by what was fitted on the other, or by the system itself."""
    system.fit(trial.indexed, trial.indexed.artists, trial.seed)
    folds = []
    for known, strangers in zip(trial.split.known, trial.split.strangers, strict=True):
        rows = np.concatenate([known, strangers])
        folds.append((rows, len(known), system.answer(_rows(works, rows))))
    judged = []
    for (rows, _, answer), other in zip(folds, reversed(folds), strict=True):
        fitted = system.scaling() if isinstance(system, Calibrated) else None
        if fitted is None:
            calibrated_on, count, theirs = other
            fitted = scaling.fit(
                theirs.take(slice(count)),
                trial.truth[calibrated_on[:count]],
                theirs.take(slice(count, None)),
                works.artist[calibrated_on[count:]],
            )
        asked = Asked(
            cluster=works.artist[rows],
            truth=trial.truth[rows],
            portfolio=trial.portfolio[rows],
            group_artist=trial.indexed.artist,
        )
        judged.append(judge(answer, fitted, asked))
    return joined(judged)


def fewer_works(system: System, works: Works, trial: Trial) -> dict[int, Few]:
    """Index at most so many works of each artist and ask for the same works as ever."""
    asked, artists = trial.split.asked, trial.indexed.artists
    found = {}
    for limit in WORKS_PER_ARTIST:
        rows = at_most(works, trial.split.indexed, limit, trial.seed)
        system.fit(
            trial.indexed.take(np.searchsorted(trial.split.indexed, rows)), artists, trial.seed
        )
        is_right = system.answer(_rows(works, asked)).scores.argmax(1) == trial.truth[asked]
        found[limit] = Few(
            metrics.mean(is_right), metrics.macro_recall(is_right, trial.truth[asked])
        )
    return found


def _rows(works: Works, rows: Ints) -> dict[str, Matrix]:
    return {space: works.vectors[space][rows] for space in works.voting}


def _mean(few: Sequence[Few]) -> Few:
    return Few(
        float(np.mean([one.top1 for one in few])), float(np.mean([one.macro_recall for one in few]))
    )


def _evaluated(
    outcomes: Sequence[Outcomes], few: Sequence[Mapping[int, Few]], others: Sequence[Verdicts]
) -> Evaluated:
    """Measure every seed; what is plotted is over all seeds together."""
    pooled = joined(outcomes)
    known, strangers = pooled.take(pooled.is_known), pooled.take(~pooled.is_known)
    return Evaluated(
        measures=intervals(outcomes, MEASURES),
        few={limit: _mean([one[limit] for one in few]) for limit in WORKS_PER_ARTIST},
        reliability=metrics.reliability(known.confidence, known.is_right),
        reliability_before=metrics.reliability(known.raw, known.is_right),
        receiver=metrics.receiver(known.score, strangers.score),
        risk=metrics.risk_coverage(pooled.open_confidence, pooled.is_right),
        another_kind=_another_kind(others) if others else None,
    )


def _another_kind(verdicts: Sequence[Verdicts]) -> AnotherKind:
    return AnotherKind(
        len(verdicts[0].attributed),
        float(np.mean([one.attributed.mean() for one in verdicts])),
        float(np.mean([one.candidates.mean() for one in verdicts])),
        float(np.mean([one.is_unlike.mean() for one in verdicts])),
    )
