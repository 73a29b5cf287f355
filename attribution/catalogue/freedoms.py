"""What a licence lets people do, as far as two licences have to be compared: which one is freer."""

from __future__ import annotations

from attribution.catalogue.licences import STATEMENTS, identify

USE, ADAPT, SELL = "use", "adapt", "sell"
UNNAMED, UNSHARED = "without naming the artist", "without sharing alike"
EVERYTHING = frozenset({USE, ADAPT, SELL, UNNAMED, UNSHARED})
TAKEN_BY = {"BY": UNNAMED, "NC": SELL, "ND": ADAPT, "SA": UNSHARED}
DEDICATIONS = {"CC0-1.0", "CC-PDM-1.0"}


def is_freer(licence: str | None, than: str | None) -> bool:
    """Tell whether the first licence lets people do anything that the second does not.

    A text that names no licence that is known lets nobody do anything.
    """
    return not freedoms(licence) <= freedoms(than)


def freedoms(licence: str | None) -> frozenset[str]:
    """Return what a licence, in whatever words, lets people do."""
    known = identify(licence)
    if known is None or known in STATEMENTS:
        return frozenset()
    if known in DEDICATIONS:
        return EVERYTHING
    if known.startswith("CC-BY-"):
        return EVERYTHING - {TAKEN_BY[part] for part in known.split("-") if part in TAKEN_BY}
    return frozenset({USE, known})  # a licence of its own kind: neither freer nor stricter
