"""Measures as pure functions of arrays; each says where its formula comes from.

Undefined measures (no query of a kind) are NaN.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from attribution.arithmetic.calibration import benjamini_hochberg

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

BINS = 15


def mean(values: Floats | Bools | Ints) -> float:
    """Return the mean, NaN of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def macro_recall(is_right: Bools, artist: Ints) -> float:
    """Return the mean over artists of the share of their works that was named right.

    Balanced accuracy (Brodersen et al. 2010, The balanced accuracy and its posterior).
    """
    if not len(artist):
        return float("nan")
    counts = np.bincount(artist)
    rights = np.bincount(artist, weights=is_right)
    return float((rights[counts > 0] / counts[counts > 0]).mean())


def average_precision(relevant: Bools, wanted: Ints) -> tuple[Floats, Floats]:
    """Return two forms of AP@k of each query; `relevant` has shape (queries, k), best first.

    P@i = (1/i) Σ_{j≤i} rel_j. CSD's form is the mean of P@i over i ≤ k (Somepalli et al. 2024,
    Measuring Style Similarity in Diffusion Models); the textbook's is Σ P@i·rel_i / min(k, N)
    with N = `wanted` relevant works in the index (Manning et al. 2008, 8.4). 0 where N is 0.
    """
    k = relevant.shape[1]
    precision = relevant.cumsum(1) / np.arange(1, k + 1)
    textbook = (precision * relevant).sum(1) / np.maximum(np.minimum(k, wanted), 1)
    return precision.mean(1), textbook


def auroc(positive: Floats, negative: Floats) -> float:
    """Return P(positive > negative) + ½ P(equal) (Hanley & McNeil 1982)."""
    return oscr(positive, np.ones(len(positive), dtype=bool), negative)


def oscr(known: Floats, is_right: Bools, unknown: Floats) -> float:
    """Return the area under the open-set classification rate curve (Dhamija et al. 2018).

    The curve is the share of known queries that are accepted and right, over the share of unknown
    ones accepted; its area is the mean over known queries of [right] · P(score > unknown's).
    """
    if not len(known) or not len(unknown):
        return float("nan")
    ordered = np.sort(unknown)
    below = np.searchsorted(ordered, known, "left") + np.searchsorted(ordered, known, "right")
    return float((is_right * below / 2).mean() / len(unknown))


def fpr_at_tpr(known: Floats, unknown: Floats, rate: float = 0.95) -> float:
    """Return the share of unknown accepted by the highest threshold that accepts `rate` of known.

    Hendrycks & Gimpel 2017 and after.
    """
    if not len(known) or not len(unknown):
        return float("nan")
    threshold = np.sort(known)[::-1][int(np.ceil(rate * len(known))) - 1]
    return float((unknown >= threshold).mean())


def tpr_at_fpr(known: Floats, unknown: Floats, rate: float = 0.01) -> float:
    """Return the share of known accepted when at most `rate` of unknown is."""
    if not len(known) or not len(unknown):
        return float("nan")
    allowed = int(rate * len(unknown))
    return float((known > np.sort(unknown)[::-1][min(allowed, len(unknown) - 1)]).mean())


def reliability(confidence: Floats, is_right: Bools) -> list[tuple[float, float, float]]:
    """Return (mean confidence, accuracy, share of queries) of BINS bins of equal mass."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    return [
        (float(confidence[one].mean()), float(is_right[one].mean()), len(one) / len(confidence))
        for one in bins
        if len(one)
    ]


def ece(confidence: Floats, is_right: Bools) -> float:
    """Return the expected calibration error over bins of equal mass (Nguyen & O'Connor 2015).

    Σ (n_b / n) |accuracy_b - confidence_b|.
    """
    if not len(confidence):
        return float("nan")
    return sum(abs(sure - right) * n for sure, right, n in reliability(confidence, is_right))


def realised_fdr(p_values: Floats, is_null: Bools, level: float = 0.1) -> float:
    """Return the share of nulls among what Benjamini & Hochberg (1995) reject; 0 of nothing."""
    rejected = benjamini_hochberg(p_values, level)
    return float((rejected & is_null).sum() / max(rejected.sum(), 1))


def micro_average_precision(scores: Floats, is_right: Bools, total: int) -> float:
    """Return µAP = Σ (R_n - R_{n-1}) P_n over pooled answers; equal scores: wrong ones first.

    Douze et al. 2021, The 2021 Image Similarity Dataset and Challenge. `total` counts the queries
    that have a match, found or not.
    """
    right = _ranked(scores, is_right)
    precision = right.cumsum() / np.arange(1, len(right) + 1)
    return float((precision * right).sum() / total) if total else float("nan")


def recall_at_precision(scores: Floats, is_right: Bools, total: int, least: float = 0.9) -> float:
    """Return the largest recall of a prefix of the pooled answers that is this precise."""
    right = _ranked(scores, is_right)
    precise = right.cumsum() >= least * np.arange(1, len(right) + 1)
    return float(right.cumsum()[precise].max(initial=0) / total) if total else float("nan")


def receiver(known: Floats, unknown: Floats) -> list[tuple[float, float]]:
    """Return the ROC curve as (share of unknown accepted, share of known accepted)."""
    levels = np.unique(np.concatenate([known, unknown]))[::-1]
    false, true = (
        1 - np.searchsorted(np.sort(scores), levels, "left") / len(scores)
        for scores in (unknown, known)
    )
    return [(0.0, 0.0), *zip(false.tolist(), true.tolist(), strict=True)]


def risk_coverage(confidence: Floats, is_right: Bools) -> list[tuple[float, float]]:
    """Return (share answered, share of these that is wrong), most confident first.

    El-Yaniv & Wiener 2010, On the foundations of noise-free selective classification.
    """
    right = is_right[np.argsort(-confidence, kind="stable")]
    answered = np.arange(1, len(right) + 1)
    wrong = 1 - right.cumsum() / answered
    return list(zip((answered / len(right)).tolist(), wrong.tolist(), strict=True))


def _ranked(scores: Floats, is_right: Bools) -> Bools:
    """Return what is right from the best score down, wrong ones first among equals."""
    order = np.lexsort((is_right, -scores))
    right: Bools = is_right[order]
    return right
