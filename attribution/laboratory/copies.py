"""Whether altered copies are found, and whether anything else is taken for one."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

import numpy as np
from PIL import Image

from attribution.images import CheckedImage, read_image, read_image_file
from attribution.laboratory import metrics
from attribution.laboratory.attacks import attacks
from attribution.laboratory.works import Ints, Progress, Works

ORIGINALS = 80  # works that are altered, each by every attack
DISTRACTORS = 3  # for each of these, an altered work that is not registered, one attack each
SCENES = 40  # unregistered works to paste into
SHOWN = 10  # answers of a query, as in DISC21
BATCH = 32
PAIR_RATES = (1e-4, 1e-5, 1e-6)


@dataclass(frozen=True)
class Match:
    """One registered work that a picture may be a copy of."""

    work: int  # row among all works
    score: float  # higher is nearer
    is_claimed: bool  # whether the lane names it: "copy", or "related"
    is_copy: bool  # whether it says "copy"


class CopyLane(Protocol):
    """Finds the registered works that pictures are copies of."""

    def find(self, images: Sequence[CheckedImage]) -> list[list[Match]]:
        """Return the matches of every picture, best first, SHOWN at most."""
        ...


@dataclass(frozen=True)
class Copies:
    """How the copy lane did; shares, 0 to 1."""

    originals: int
    registered: int
    distractors: int
    attacks: Mapping[str, float]  # the share claimed to be a copy of the right lineage, first
    called_copies: Mapping[str, float]  # the share that is called "copy", too
    ranked_first: Mapping[str, float]  # the share whose right lineage comes first, claimed or not
    pooled_recall1: float
    pooled_ranked_first: float
    micro_ap: float
    recall_at_p90: float
    pair_fpr: float  # claims of the wrong lineage, of all pairs of a query and a registered work
    distractors_claimed: float
    recall_at_pair_fpr: Mapping[float, float]  # NaN where there are too few pairs to tell


@dataclass(frozen=True)
class Registry:
    """Which works the lane knows, which are altered, which have no match."""

    registered: Ints
    originals: Ints
    distractors: Ints


def choose(works: Works, seed: int, originals: int = ORIGINALS) -> Registry:
    """Leave a fifth of the lineages out of the registry; alter one work of so many lineages."""
    rng = np.random.default_rng(seed)
    groups = rng.permutation(np.unique(works.group))
    outside = np.isin(works.group, groups[: max(1, len(groups) // 5)])
    firsts = np.unique(works.group, return_index=True)[1]
    altered = rng.permutation(firsts[~outside[firsts]])[:originals]
    distractors = rng.permutation(firsts[outside[firsts]])[: DISTRACTORS * originals]
    return Registry(np.flatnonzero(~outside), np.sort(altered), np.sort(distractors))


def measure(
    works: Works, registry: Registry, lane: CopyLane, seed: int, progress: Progress
) -> Copies:
    """Alter every original by every attack, and every distractor by one of them."""
    listed = attacks([_picture(works, row) for row in registry.distractors[:SCENES].tolist()])
    plan = [(name, row) for name in listed for row in registry.originals.tolist()]
    names = list(listed)
    plan += [(names[i % len(names)], row) for i, row in enumerate(registry.distractors.tolist())]
    answers: list[list[Match]] = []
    for start in range(0, len(plan), BATCH):
        part = plan[start : start + BATCH]
        altered = []
        for name, row in part:
            random = Random(f"{seed} {name} {works.sha256[row]}")  # noqa: S311  repeatable
            altered.append(_checked(listed[name](_picture(works, row), random)))
        answers += lane.find(altered)
        progress("altered copies", min(start + BATCH, len(plan)), len(plan))
    return _summary(works, registry, plan, answers)


def _summary(
    works: Works,
    registry: Registry,
    plan: Sequence[tuple[str, int]],
    answers: Sequence[Sequence[Match]],
) -> Copies:
    group, matching = works.group, len(plan) - len(registry.distractors)
    claimed: dict[str, list[bool]] = {}
    copies: dict[str, list[bool]] = {}
    first: dict[str, list[bool]] = {}
    scores, rights, wrong_claims, best_right = [], [], 0, []
    for query, ((name, row), matches) in enumerate(zip(plan, answers, strict=True)):
        right = [group[match.work] == group[row] for match in matches]
        scores += [match.score for match in matches]
        rights += right
        wrong_claims += sum(m.is_claimed and not r for m, r in zip(matches, right, strict=True))
        if query >= matching:
            continue
        is_first = bool(right) and bool(right[0])
        first.setdefault(name, []).append(is_first)
        claimed.setdefault(name, []).append(is_first and matches[0].is_claimed)
        copies.setdefault(name, []).append(is_first and matches[0].is_copy)
        found = [match.score for match, is_right in zip(matches, right, strict=True) if is_right]
        best_right.append(max(found, default=-np.inf))
    strangers = [bool(matches) and matches[0].is_claimed for matches in answers[matching:]]
    pooled, is_right = _one_right_a_query(answers, plan, group)
    pairs = len(plan) * len(registry.registered)
    wrong = np.sort(np.array(scores)[~np.array(rights, dtype=bool)])[::-1]
    return Copies(
        originals=len(registry.originals),
        registered=len(registry.registered),
        distractors=len(registry.distractors),
        attacks={name: float(np.mean(values)) for name, values in claimed.items()},
        called_copies={name: float(np.mean(values)) for name, values in copies.items()},
        ranked_first={name: float(np.mean(values)) for name, values in first.items()},
        pooled_recall1=float(np.mean([one for values in claimed.values() for one in values])),
        pooled_ranked_first=float(np.mean([one for values in first.values() for one in values])),
        micro_ap=metrics.micro_average_precision(pooled, is_right, matching),
        recall_at_p90=metrics.recall_at_precision(pooled, is_right, matching),
        pair_fpr=wrong_claims / pairs,
        distractors_claimed=metrics.mean(np.array(strangers)),
        recall_at_pair_fpr={
            rate: _recall_at(np.array(best_right), wrong, int(rate * pairs)) for rate in PAIR_RATES
        },
    )


def _one_right_a_query(
    answers: Sequence[Sequence[Match]], plan: Sequence[tuple[str, int]], group: Ints
) -> tuple[metrics.Floats, metrics.Bools]:
    """Pool all answers; of several works of the right lineage the best counts, the rest are out."""
    scores, rights = [], []
    for (_, row), matches in zip(plan, answers, strict=True):
        is_found = False
        for match in matches:
            is_right = bool(group[match.work] == group[row])
            if not (is_right and is_found):
                scores.append(match.score)
                rights.append(is_right)
            is_found |= is_right
    return np.array(scores), np.array(rights, dtype=bool)


def _recall_at(right: metrics.Floats, wrong: metrics.Floats, allowed: int) -> float:
    """Return the share of right matches above the threshold that lets so many wrong pairs pass."""
    if allowed < 1:
        return float("nan")
    threshold = wrong[allowed] if allowed < len(wrong) else -np.inf
    return float((right > threshold).mean())


def _picture(works: Works, row: int) -> Image.Image:
    return read_image_file(works.paths[row]).rgb


def _checked(image: Image.Image) -> CheckedImage:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return read_image(buffer.getvalue())
