"""What answers for many images say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import numpy as np

from attribution.answers import Attribution, Candidate, Confidence, CopyMatch, Reason
from attribution.arithmetic.calibration import UNLIKE, benjamini_hochberg
from attribution.lookup.results import Findings, NamedArtist, ShownWork, Union


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


def find_union(answers: Sequence[Attribution], findings: Findings) -> Union:
    """Return which registered works and artists the findings are about, over all images.

    `findings` is what `find_ours` returns for these answers, so a repeated file counts once here
    too. Likely artists count where there is a useful set of them, the first one where there is not.
    """
    by_id = {answer.id: answer for answer in answers}
    copies = [match for one in findings.copies if (match := by_id[one].copy_of)]
    related = [match for one in findings.related if (match := by_id[one].related_to)]
    style = [artist for one in findings.style for artist in _resembled(by_id[one])]
    copied, alike = _counted(copies), _counted(related)
    shown = {match.id: match for match in (*related, *copies)}
    works = [
        ShownWork(one.id, one.title, one.slug, one.name, copied[one.id], alike[one.id])
        for one in shown.values()
    ]
    named = {one.slug: one.name for one in style}
    named |= {one.slug: one.name for one in shown.values()}
    counted = [Counter(one.slug for one in found) for found in (copies, related, style)]
    artists = [
        NamedArtist(slug, name, *(each[slug] for each in counted)) for slug, name in named.items()
    ]
    works.sort(key=lambda one: (-one.copies, -one.related, str(one.id)))
    artists.sort(key=lambda one: (-one.copies, -one.style, -one.related, one.slug))
    return Union(tuple(works), tuple(artists))


def _counted(matches: Sequence[CopyMatch]) -> Counter[UUID]:
    return Counter(match.id for match in matches)


def _resembled(answer: Attribution) -> Sequence[Candidate]:
    return [one for one in answer.artists if one.is_likely] or answer.artists[:1]


def _is_unlike(confidence: Confidence) -> bool:
    """Return whether nobody is named for an image, as it is unlike anything registered."""
    return confidence.p_familiar is not None and confidence.p_familiar <= UNLIKE
