"""The classifier's statistics against a rebuild from the kept vectors, and how they are mended.

Both are read in one snapshot, so that writers need not stop. What differs is a difference of sums
like any other: adding it mends the statistics, whatever was counted meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from attribution.arithmetic.classifier import Statistics
from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import snapshot
from attribution.catalogue.models import KeptCollection
from attribution.collection import Stores

PAGE = 5_000  # works read at once: 14 MiB with 718 numbers each


@dataclass(frozen=True)
class Rebuilt:
    """What was found at one moment."""

    fingerprint: str  # of the encoders
    seen: int  # how often the statistics had been made or mended
    works: int  # in the rebuild
    digest: str  # of the statistics as they are kept
    missing: Statistics  # what has to be added to them

    @property
    def differences(self) -> int:
        """How many artists' sums are wrong; at least 1 where anything is."""
        if self.missing.is_empty:
            return 0 if self.seen else 1
        return max(len(self.missing.works), 1)


def rebuild_sums(stores: Stores, row: KeptCollection) -> Rebuilt:
    """Rebuild the statistics of a collection from the kept vectors, and compare.

    Reads every kept vector once. Memory: a page of works, and eight bytes for each dimension of
    each artist, twice.
    """
    encoders, width = row.fingerprint, sum(row.voting.values())
    missing, after = Statistics(width), None
    with snapshot(stores.sessions) as session:
        seen = queries.times_mended(session, encoders)
        while page := queries.kept_rows(session, encoders, after=after, limit=PAGE):
            missing.add(page.artists, page.rows)
            after = page.last
        works = sum(missing.works.values())
        kept = queries.statistics_of(session, encoders, width)
    digest = kept.digest()
    missing.merge(kept, by=-1)
    return Rebuilt(encoders, seen, works, digest, missing)


def mend(stores: Stores, found: Rebuilt) -> None:
    """Add what a rebuild has shown to be missing, unless another process has just done so."""
    if not found.differences:
        return
    with stores.sessions.begin() as session:
        if queries.claim_mending(session, found.fingerprint, found.seen):
            lifecycle.mend_statistics(session, found.fingerprint, found.missing)


def rebuild_all(stores: Stores, *, repair: bool) -> int:
    """Rebuild the statistics of every collection; returns the differences, mended on `repair`."""
    with stores.sessions() as session:
        collections = queries.collections(session)
    found = [rebuild_sums(stores, one) for one in collections]
    if repair:
        for one in found:
            mend(stores, one)
    return sum(one.differences for one in found)
