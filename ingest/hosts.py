"""The hosts that a lookup batch asks for pictures: one that is too slow is given up for the batch.

Nothing is kept but the outcomes of the batch's images, so every worker finds the same, and a retry,
which takes back the outcomes that timed out, asks all of them again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Self

from attribution.catalogue import queries
from attribution.catalogue.models import LookupBatch, LookupOutcome
from attribution.collection import Stores
from attribution.errors import NotFetched
from ingest.fetching import Fetched, Fetcher, checked_url

MOST_TIMEOUTS = 3  # in a row
LATE = {"slow", "given-up"}  # reasons why a picture may be there another time


@dataclass
class Hosts:
    """Fetches the pictures of one batch, and knows how often in a row each host timed out."""

    fetcher: Fetcher
    timeouts: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, stores: Stores, batch: LookupBatch, fetcher: Fetcher) -> Self:
        """Return what the outcomes of a batch say of its hosts so far."""
        with stores.sessions() as session:
            outcomes = queries.lookups_so_far(session, batch.id)
        hosts = cls(fetcher)
        if any(outcome is LookupOutcome.TIMED_OUT for _, outcome in outcomes):
            for url, outcome in outcomes:
                hosts._note(url, is_late=outcome is LookupOutcome.TIMED_OUT)
        return hosts

    def fetch(self, url: str) -> Fetched:
        """Return what is behind a URL; raises NotFetched, at once for a host that is given up."""
        host = _host(url)
        if self.timeouts[host] >= MOST_TIMEOUTS:
            raise NotFetched(
                "given-up",
                f"{host} timed out {MOST_TIMEOUTS} times in a row and was not asked again in this "
                f"batch; retry the batch later",
            )
        try:
            found = self.fetcher.fetch(url)
        except NotFetched as error:
            self._note(url, is_late=error.reason in LATE)
            raise
        self._note(url, is_late=False)
        return found

    def _note(self, url: str, *, is_late: bool) -> None:
        host = _host(url)
        self.timeouts[host] = self.timeouts[host] + 1 if is_late else 0


def _host(url: str) -> str:
    """Return the host of a URL in one spelling; of what is none (line 7), nothing."""
    try:
        return checked_url(url).host.removesuffix(".")
    except NotFetched:
        return ""
