"""How answers are put into words, the same in a terminal and in a report."""

from __future__ import annotations

from attribution.types import CopyMatch, Overlap

UPRIGHT_DEGREES = 1.0


def how_copied(copy: CopyMatch) -> str:
    """Say how an image was recognised as a copy: "mirrored, shows 49 % of the work; …"."""
    if copy.score is None or copy.overlap is None:
        if copy.match == "perceptual":  # an answer of before
            return f"{copy.distance} of 64 bits of the perceptual hash differ"
        return f"the same {copy.match}"
    found = "the whole picture" if copy.match == "perceptual" else "local features"
    return (
        f"{_changes(copy.overlap)} ({found} aligned and colours compared; score {copy.score:.1f})"
    )


def _changes(overlap: Overlap) -> str:
    turned = overlap.turned_degrees
    parts = [
        "mirrored" if overlap.is_mirrored else "",
        f"turned by {turned:.0f}°" if abs(turned) > UPRIGHT_DEGREES else "",
        f"shows {overlap.shown:.0%} of the work",
    ]
    return ", ".join(part for part in parts if part)
