"""What became of every query, and the measures of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from attribution.answers import Verdict
from attribution.arithmetic import calibration
from attribution.arithmetic.calibration import (
    FEW_WORKS,
    LARGEST_USEFUL,
    SIGNIFICANT,
    UNLIKE,
    Signs,
)
from attribution.laboratory import metrics
from attribution.laboratory.metrics import Bools, Floats
from attribution.laboratory.scaling import Scaling, softmax
from attribution.laboratory.systems import Answer
from attribution.laboratory.works import Ints

RANKED = 10
PORTFOLIOS = {"few": (1, 4), "some": (5, 19), "many": (20, sys.maxsize)}  # indexed works


@dataclass(frozen=True)
class Outcomes:
    """One row a query. Of strangers nothing is right, and what asks for a true artist is 0."""

    cluster: Ints  # what the bootstrap draws: the artist's number among all of the data
    is_known: Bools
    truth: Ints  # the artist's number in the index; -1 for strangers
    named: Ints  # the first artist of the answer
    is_right: Bools
    in_five: Bools
    portfolio: Ints  # how many works by the artist are indexed
    score: Floats  # for "known"
    raw: Floats  # confidence in the first artist: before scaling,
    confidence: Floats  # after it,
    open_confidence: Floats  # and times the probability that the artist is known at all
    nll: Floats
    brier: Floats
    covered90: Bools
    size90: Ints
    p_value: Floats  # of "nobody of the index"
    is_unlike: Bools  # everything registered
    attributed: Bools  # by the rule of the product,
    candidates: Bools  # likewise
    ap1: Floats
    ap10_csd: Floats
    ap10: Floats

    def take(self, rows: Ints | Bools) -> Outcomes:
        """Return some of the rows, perhaps more than once."""
        return Outcomes(*(getattr(self, field.name)[rows] for field in fields(self)))


@dataclass(frozen=True)
class Verdicts:
    """What the product would say of each query."""

    is_unlike: Bools
    attributed: Bools
    candidates: Bools


def judge_all(answer: Answer, scaling: Scaling) -> Verdicts:
    """Return the product's verdicts; a system without a gate takes all queries as usual."""
    likely = (1 - scaling.probabilities(answer) <= scaling.limit(0.1)).sum(1)
    count = len(likely)
    familiar = np.ones(count) if answer.familiar is None else answer.familiar
    by_subject = np.zeros(count, bool) if answer.is_by_subject is None else answer.is_by_subject
    columns = (scaling.p_values(answer), 1 - scaling.known(answer), familiar, likely, by_subject)
    signs = (Signs(*row) for row in zip(*map(np.ndarray.tolist, columns), strict=True))
    verdicts = np.array([calibration.judge(one, known_works=FEW_WORKS)[0] for one in signs])
    return Verdicts(
        is_unlike=familiar <= UNLIKE,
        attributed=verdicts == Verdict.ATTRIBUTED,
        candidates=verdicts == Verdict.CANDIDATES,
    )


@dataclass(frozen=True)
class Asked:
    """Test queries with what is true of them."""

    cluster: Ints
    truth: Ints  # -1 for strangers
    portfolio: Ints
    group_artist: Ints  # the artist of every indexed work


def judge(answer: Answer, scaling: Scaling, asked: Asked) -> Outcomes:
    """Compare answers with the truth."""
    truth, is_known = asked.truth, asked.truth >= 0
    named = answer.scores.argmax(1)
    order = np.argsort(-answer.scores, axis=1, kind="stable")[:, :5]
    probabilities, chance = scaling.probabilities(answer), scaling.known(answer)
    raw, rows = softmax(answer.scores), np.arange(len(truth))
    of_truth = np.where(is_known, probabilities[rows, truth], 0.0)
    squares = (probabilities**2).sum(1)
    limit, verdicts = scaling.limit(0.1), judge_all(answer, scaling)
    relevant = asked.group_artist[answer.works] == truth[:, None]
    csd, textbook = metrics.average_precision(relevant[:, :RANKED], asked.portfolio)
    return Outcomes(
        cluster=asked.cluster,
        is_known=is_known,
        truth=truth,
        named=named,
        is_right=named == truth,
        in_five=(order == truth[:, None]).any(1),
        portfolio=asked.portfolio,
        score=answer.known,
        raw=raw.max(1),
        confidence=probabilities.max(1),
        open_confidence=probabilities.max(1) * chance,
        nll=-np.log(np.maximum(of_truth, 1e-12)),
        brier=squares - 2 * of_truth + 1,
        covered90=is_known & (1 - of_truth <= limit),
        size90=(1 - probabilities <= limit).sum(1),
        p_value=scaling.p_values(answer),
        is_unlike=verdicts.is_unlike,
        attributed=verdicts.attributed,
        candidates=verdicts.candidates,
        ap1=relevant[:, 0].astype(float),
        ap10_csd=csd,
        ap10=textbook,
    )


def joined(parts: Sequence[Outcomes]) -> Outcomes:
    """Return the rows of several, one after the other."""
    names = [field.name for field in fields(Outcomes)]
    return Outcomes(*(np.concatenate([getattr(one, name) for one in parts]) for name in names))


def _closed(column: str) -> Callable[[Outcomes], float]:
    return lambda all_: metrics.mean(getattr(all_, column)[all_.is_known])


def _ece(confidence: str, *, is_open: bool = False) -> Callable[[Outcomes], float]:
    def measure(all_: Outcomes) -> float:
        rows = np.full(len(all_.is_known), fill_value=True) if is_open else all_.is_known
        return metrics.ece(getattr(all_, confidence)[rows], all_.is_right[rows])

    return measure


def _open(measure: Callable[[Floats, Floats], float]) -> Callable[[Outcomes], float]:
    return lambda all_: measure(all_.score[all_.is_known], all_.score[~all_.is_known])


def _by_portfolio(column: str, least: int, most: int) -> Callable[[Outcomes], float]:
    """Return the mean over works by artists with so many indexed works."""
    return lambda all_: metrics.mean(
        getattr(all_, column)[all_.is_known & (all_.portfolio >= least) & (all_.portfolio <= most)]
    )


def _strangers_refused(all_: Outcomes) -> float:
    """Return the share of strangers' works of which "nobody of ours" is refused, artists alike."""
    strangers = ~all_.is_known
    return metrics.macro_recall(all_.p_value[strangers] <= SIGNIFICANT, all_.cluster[strangers])


MEASURES: Mapping[str, Callable[[Outcomes], float]] = {
    "top1": _closed("is_right"),
    "top5": _closed("in_five"),
    "macro_recall": lambda o: metrics.macro_recall(o.is_right[o.is_known], o.cluster[o.is_known]),
    "auroc": _open(metrics.auroc),
    "fpr95": _open(metrics.fpr_at_tpr),
    "tpr_at_1fpr": _open(metrics.tpr_at_fpr),
    "oscr": lambda o: metrics.oscr(
        o.score[o.is_known], o.is_right[o.is_known], o.score[~o.is_known]
    ),
    "ece": _ece("confidence"),
    "ece_open": _ece("open_confidence", is_open=True),
    "brier": _closed("brier"),
    "nll": _closed("nll"),
    "coverage90": _closed("covered90"),
    "set_size90": _closed("size90"),
    "useful90": lambda o: metrics.mean(o.size90[o.is_known] <= LARGEST_USEFUL),
    **{f"top1_{name}": _by_portfolio("is_right", *sizes) for name, sizes in PORTFOLIOS.items()},
    **{f"coverage90_{n}": _by_portfolio("covered90", *sizes) for n, sizes in PORTFOLIOS.items()},
    "attributed": _closed("attributed"),
    "attributed_right": lambda o: metrics.mean(o.is_right[o.attributed]),
    "candidates": _closed("candidates"),
    "unlike": _closed("is_unlike"),
    "fdr10": lambda o: metrics.realised_fdr(o.p_value, ~o.is_known),
    "strangers_refused": _strangers_refused,
    "map1": _closed("ap1"),
    "map10_csd": _closed("ap10_csd"),
    "map10": _closed("ap10"),
}

POOLED = frozenset({"ece", "ece_open"})
"""Measures of all seeds together: in bins of few queries chance alone parts confidence and
accuracy, so that the ECE of one seed is too large."""
