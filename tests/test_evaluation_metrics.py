"""Measures against values worked out by hand."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from attribution.arithmetic.calibration import benjamini_hochberg
from attribution.laboratory import metrics, scaling
from attribution.laboratory.systems import Answer

KNOWN = np.array([0.9, 0.8, 0.4, 0.3])
UNKNOWN = np.array([0.7, 0.4, 0.1, 0.1])
scores = arrays.arrays(
    np.float64, st.integers(1, 30), elements=st.sampled_from([0.0, 0.25, 0.5, 1.0])
)


def bools(*values: int) -> np.ndarray:
    """Return an array of truth values."""
    return np.array(values, dtype=bool)


def test_macro_recall_counts_artists() -> None:
    """One artist with 3 of 4 right and one with 0 of 1: the mean is 0.375, not 0.6."""
    assert metrics.macro_recall(bools(1, 1, 1, 0, 0), np.array([0, 0, 0, 0, 1])) == 0.375


def test_macro_f1() -> None:
    """Artist 0: 2·2/(3+2); artist 1: 2·1/(1+2); artist 2 is named once and never asked for."""
    found = metrics.macro_f1(np.array([0, 0, 2, 1]), np.array([0, 0, 0, 1]))

    assert found == pytest.approx((4 / 5 + 2 / 2) / 2)


def test_average_precision_in_both_forms() -> None:
    """Hits at ranks 1 and 3 of three: P@i = 1, 1/2, 2/3."""
    csd, textbook = metrics.average_precision(bools(1, 0, 1).reshape(1, 3), np.array([2]))

    assert csd == pytest.approx((1 + 1 / 2 + 2 / 3) / 3)
    assert textbook == pytest.approx((1 + 2 / 3) / 2)


def test_auroc() -> None:
    """Of 16 pairs known wins 12 and ties 1."""
    assert metrics.auroc(KNOWN, UNKNOWN) == (12 + 1 / 2) / 16


@given(scores, scores)
def test_auroc_is_the_share_of_ordered_pairs(known: np.ndarray, unknown: np.ndarray) -> None:
    """The definition, pair by pair, gives the same."""
    pairs = [(a > b) + (a == b) / 2 for a in known for b in unknown]

    assert metrics.auroc(known, unknown) == pytest.approx(np.mean(pairs))


def test_thresholds() -> None:
    """From 0.3 on all known pass, and half of the unknown; above all unknown are 0.9 and 0.8."""
    assert metrics.fpr_at_tpr(KNOWN, UNKNOWN) == 0.5
    assert metrics.tpr_at_fpr(KNOWN, UNKNOWN) == 0.5


def test_oscr_counts_only_right_answers() -> None:
    """A wrong name is worth nothing, however surely its artist is known."""
    right = bools(1, 0, 1, 1)

    assert metrics.oscr(KNOWN, right, UNKNOWN) == pytest.approx((4 + 0 + 2.5 + 2) / 16)


def test_ece() -> None:
    """15 bins of one query each: the mean distance of confidence and truth."""
    confidence = np.linspace(0.05, 0.75, 15)
    right = confidence > 0.5

    assert metrics.ece(confidence, right) == pytest.approx(np.abs(confidence - right).mean())
    assert metrics.ece(np.full(30, 0.5), np.tile([True, False], 15)) == pytest.approx(0)


def test_benjamini_hochberg() -> None:
    """The worked example: at 0.1 the limit is the third of five, though the second fails alone."""
    p_values = np.array([0.01, 0.05, 0.055, 0.5, 0.9])

    assert benjamini_hochberg(p_values, 0.1).tolist() == [True, True, True, False, False]
    assert metrics.realised_fdr(p_values, bools(0, 0, 1, 1, 1)) == pytest.approx(1 / 3)
    assert metrics.realised_fdr(np.array([0.9]), bools(1)) == 0


def test_benjamini_hochberg_at_exact_ties() -> None:
    """Conformal p-values, (1 + count) / (n + 1), that lie on the bar itself are refused."""
    for n in range(1, 60):
        counts = np.random.default_rng(n).integers(1, 41, n)
        bars = [
            Fraction(int(k), 200) <= Fraction(i, 10 * n) for i, k in enumerate(sorted(counts), 1)
        ]
        passing = max(np.sort(counts)[bars], default=0)

        assert (benjamini_hochberg(counts / 200, 0.1) == (counts <= passing)).all()
    assert benjamini_hochberg(np.array([]), 0.1).tolist() == []


def test_ks_uniform() -> None:
    """One value in the middle is half off; evenly spread ones are half a step off."""
    assert metrics.ks_uniform(np.array([0.5])) == 0.5
    assert metrics.ks_uniform((np.arange(10) + 0.5) / 10) == pytest.approx(0.05)


def test_micro_average_precision_puts_wrong_first_among_equals() -> None:
    """Right at ranks 1 and 4 of four queries: (1/1 + 2/4) / 4."""
    found = np.array([0.9, 0.5, 0.5, 0.7])

    assert metrics.micro_average_precision(found, bools(1, 1, 0, 0), 4) == pytest.approx(1.5 / 4)
    assert metrics.recall_at_precision(found, bools(1, 1, 0, 0), 4) == 1 / 4


def test_curves_have_ends() -> None:
    """A ROC curve goes from nothing to everything; risk ends at the share of wrong answers."""
    curve = metrics.receiver(KNOWN, UNKNOWN)
    risk = metrics.risk_coverage(KNOWN, bools(1, 1, 0, 1))

    assert (curve[0], curve[-1]) == ((0, 0), (1, 1))
    assert risk == [(0.25, 0), (0.5, 0), (0.75, pytest.approx(1 / 3)), (1, 0.25)]


def test_worst_bin() -> None:
    """Artists with 1 to 4, 5 to 19 and more works are bins of their own."""
    assert metrics.worst_bin(bools(1, 1, 0, 1), np.array([1, 4, 5, 19])) == 0.5


def test_nothing_is_nan() -> None:
    """What cannot be measured is no number."""
    nothing = np.array([])

    assert math.isnan(metrics.auroc(KNOWN, nothing))
    assert math.isnan(metrics.fpr_at_tpr(nothing, UNKNOWN))
    assert math.isnan(metrics.ece(nothing, nothing.astype(bool)))
    assert math.isnan(metrics.macro_recall(nothing.astype(bool), nothing.astype(int)))


def answer(logits: np.ndarray, known: np.ndarray) -> Answer:
    """Build an answer without a ranking of works."""
    return Answer(logits, known, np.zeros((len(logits), 1), dtype=np.int64))


def test_temperature_undoes_a_scale() -> None:
    """Logits that were multiplied by ten are divided by ten: the ECE vanishes."""
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(4_000, 5)) * 2
    truth = np.array([rng.choice(5, p=row) for row in scaling.softmax(logits)])
    fitted = scaling.fit(
        answer(10 * logits, rng.normal(1, 1, 4_000)),
        truth,
        answer(logits[:1_000], rng.normal(-1, 1, 1_000)),
        np.arange(1_000),
    )
    given_ = answer(10 * logits, np.zeros(4_000))
    probabilities = fitted.probabilities(given_)

    assert fitted.temperature == pytest.approx(10, rel=0.1)
    assert metrics.ece(probabilities.max(1), probabilities.argmax(1) == truth) < 0.03
    assert fitted.known(given_)[0] == pytest.approx(4 / 5, abs=0.05)  # equally near: the prior


def test_conformal_sets_cover() -> None:
    """Nine of ten new queries find their artist in a set of level 0.9."""
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(2_000, 4))
    truth = np.array([rng.choice(4, p=row) for row in scaling.softmax(logits)])
    strangers = answer(logits[:99], np.arange(99.0))
    fitted = scaling.fit(
        answer(logits[:1_000], np.zeros(1_000)), truth[:1_000], strangers, np.arange(99)
    )
    probabilities = fitted.probabilities(answer(logits[1_000:], np.zeros(1_000)))
    misfits = 1 - probabilities[np.arange(1_000), truth[1_000:]]

    assert np.mean(misfits <= fitted.limit(0.1)) == pytest.approx(0.9, abs=0.03)
    assert fitted.p_values(answer(logits[:2], np.array([98.0, -1.0]))).tolist() == [0.02, 1]


def test_too_few_to_calibrate() -> None:
    """With a handful of queries a set has everybody, and a curve needs both kinds."""
    few = answer(np.zeros((3, 2)), np.ones(3))
    nobody: np.ndarray = np.array([], np.int64)
    fitted = scaling.fit(few, np.array([0, 1, 1]), few.take(slice(0)), nobody)

    assert fitted.limit(0.1) == 1
    assert fitted.known(few).tolist() == pytest.approx([1, 1, 1])
