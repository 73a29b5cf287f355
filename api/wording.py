"""What verdicts, their reasons and copies are called, wherever a person reads them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attribution.catalog.nobody import is_nobody
from attribution.types import CopyKind, CopyMatch, Overlap, Reason, Removal, Verdict

VERDICTS: Mapping[Verdict, str] = {
    Verdict.COPY: "copy",
    Verdict.ATTRIBUTED: "attributed",
    Verdict.CANDIDATES: "candidates",
    Verdict.ABSTAIN: "nothing stands out",
}
REASONS: Mapping[Reason, str] = {
    Reason.UNKNOWN_ARTIST: "work by an unregistered artist could look like this",
    Reason.SEVERAL_ARTISTS: "more than one artist is likely",
    Reason.SPACES_DISAGREE: "the voters name different artists, none is likely",
    Reason.TOO_FEW_WORKS: "few works by the first artist are registered",
    Reason.TOO_FEW_ARTISTS: "too few artists are registered",
    Reason.LOW_QUALITY: "the image is blank, of nearly one colour, or tiny",
    Reason.NOT_CALIBRATED: "not calibrated: shares of the vote, no probabilities",
    Reason.WITHDRAWN: "nobody is named for the bytes of a work that was withdrawn",
}
UPRIGHT_DEGREES = 1.0
CLAIMS = {
    CopyKind.SAME_IMAGE: "the same image as",
    CopyKind.ALTERED_COPY: "an altered copy of",
    CopyKind.NEAR_IDENTICAL: "near-identical to, and so a copy of this work or of its series:",
    None: "a copy of",  # in an answer of before
}


def claim(copy: CopyMatch) -> str:
    """Say what is claimed: "an altered copy of", to be followed by the work's title."""
    return CLAIMS[copy.kind]


def by_whom(copy: CopyMatch) -> str:
    """Say whose work it is, behind its title: " by Ann (ann)" or ", by an unknown artist"."""
    return ", by an unknown artist" if is_nobody(copy.name) else f" by {copy.name} ({copy.slug})"


def how_copied(copy: CopyMatch) -> str:
    """Say what speaks for it: "mirrored, shows 49% of the work; 97% of the strokes agree"."""
    if copy.kind is CopyKind.SAME_IMAGE or copy.overlap is None or copy.agreement is None:
        if copy.match == "perceptual":  # an answer of before
            return f"{copy.distance} of 64 bits of the perceptual hash differ"
        return f"the same {copy.match}"
    return f"{_changes(copy.overlap)}; {copy.agreement:.0%} of the strokes agree"


def _changes(overlap: Overlap) -> str:
    turned = overlap.turned_degrees
    parts = [
        "mirrored" if overlap.is_mirrored else "",
        f"turned by {turned:.0f}°" if abs(turned) > UPRIGHT_DEGREES else "",
        f"shows {overlap.shown:.0%} of the work",
    ]
    return ", ".join(part for part in parts if part)


def registered_once(withdrawn_at: datetime) -> str:
    """Say that the image's very bytes were registered."""
    return f"registered once, withdrawn on {withdrawn_at:%Y-%m-%d}"


def removed(removal: Removal) -> str:
    """Say that a recorded answer is not as it was given."""
    return (
        f"changed on {removal.at:%Y-%m-%d}: what this answer said of a work was removed when the "
        f"work was withdrawn (receipt {removal.receipt})"
    )
