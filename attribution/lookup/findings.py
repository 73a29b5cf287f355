"""What answers for many images say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attribution.answers import Attribution, Confidence, Reason
from attribution.arithmetic.calibration import UNLIKE, benjamini_hochberg
from attribution.lookup.results import Findings


def find_ours(answers: Sequence[Attribution], *, level: float = 0.1) -> Findings:
    """Return which of many images show registered works, and which resemble styles.

    Styles at a false discovery rate, of those that are no copies: Benjamini & Hochberg over the
    p-values of "nobody of ours"; answers without one are left out, and what is unlike anything
    registered, for which nobody is named, counts as refused by none. A file that was given several
    times counts once: a batch that is filled up with it would lower the bar for all others.
    """
    first: dict[str, Attribution] = {}
    for answer in answers:
        first.setdefault(answer.image_sha256, answer)
    repeated, answers = len(answers) - len(first), list(first.values())
    copies = tuple(answer.id for answer in answers if answer.copy_of)
    related = tuple(answer.id for answer in answers if answer.related_to)
    declared = tuple(answer.id for answer in answers if answer.declared)
    given = [
        (answer.id, 1.0 if _is_unlike(answer.confidence) else answer.confidence.p_nobody)
        for answer in answers
        if answer.confidence and not answer.copy_of
    ]
    refused = benjamini_hochberg(np.array([value for _, value in given]), level)
    style = tuple(one for (one, _), is_ours in zip(given, refused, strict=True) if is_ours)
    incomplete = sum(Reason.INCOMPLETE_INDEX in answer.reasons for answer in answers)
    return Findings(
        level,
        len(answers),
        len(given),
        copies,
        related,
        style,
        declared,
        incomplete,
        repeated,
    )


def _is_unlike(confidence: Confidence) -> bool:
    """Return whether nobody is named for an image, as it is unlike anything registered."""
    return confidence.p_familiar is not None and confidence.p_familiar <= UNLIKE
