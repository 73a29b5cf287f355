"""Was this image, or a near copy of it, in the index? What an audit asks, answered with counts."""

from __future__ import annotations

from dataclasses import dataclass

from attribution.copies.finder import CopyFinder, Finding
from attribution.copies.observed import Observed, observed
from attribution.images import CheckedImage


@dataclass(frozen=True)
class Membership:
    """What was found, and how often works that were absent had such a finding, or a surer one."""

    finding: Finding
    wrong: Observed | None  # None where nothing was found


def membership(finder: CopyFinder, image: CheckedImage) -> Membership:
    """Look for an image in the index; raises BackendUnavailable.

    Nothing found is no proof of absence: how often copies are missed depends on what was done to
    them (docs/benchmarks.md).
    """
    finding = finder.find(image)
    found = finding.copied
    return Membership(finding, observed(found.kind) if found and found.kind else None)
