"""The classifier's statistics against a rebuild from the kept vectors, and how they are mended.

Both are read in one snapshot, so that writers need not stop. What differs is a difference of sums
like any other: adding it mends the statistics, whatever was counted meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.arithmetic.classifier import Digest, Statistics
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

    Reads every kept vector once, artist by artist. Memory: a page of works, and eight bytes for
    each dimension of each artist whose sums are wrong.
    """
    encoders, width = row.fingerprint, sum(row.voting.values())
    missing, works, after = Statistics(width), 0, None
    with snapshot(stores.sessions) as session:
        seen = queries.times_mended(session, encoders)
        kept = _Kept(session, encoders, width)
        while page := queries.kept_rows(session, encoders, after=after, limit=PAGE):
            missing.add(page.artists, page.rows)
            works += len(page.artists)
            after = page.last
            kept.take_from(missing, until=after.artist_id)  # of whom more may come
        kept.take_from(missing, until=None)
        products = queries.products_of(session, encoders, width)
    missing.merge(products, by=-1)
    return Rebuilt(encoders, seen, works, kept.digest.end(products.gram), missing)


class _Kept:
    """The sums of artists as they are kept, read in the order of their ids."""

    def __init__(self, session: Session, fingerprint: str, width: int) -> None:
        self._session, self._fingerprint = session, fingerprint
        self._after: UUID | None = None
        self.digest = Digest(width)

    def take_from(self, sums: Statistics, *, until: UUID | None) -> None:
        """Take the next ones away, to the last one before an artist."""
        while few := queries.next_sums(
            self._session, self._fingerprint, after=self._after, until=until
        ):
            for one in few:
                self.digest.add(one)
                sums.take(one)
            self._after = few[-1].artist


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
