"""Whether the index has a point for every registered work, looked at now and then.

An answer costs nothing for it. A gap is seen within EVERY_S seconds, and so is its end. Points of
works that are just coming in may hide missing ones until their jobs end: `reconcile` compares work
by work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from threading import Lock

from attribution import tenants
from attribution.catalogue import queries
from attribution.collection import Collection

EVERY_S = 10.0


@dataclass(frozen=True)
class Gap:
    """An index that lacks works."""

    points: int
    works: int


class Gaps:
    """The gap of one index, as it was seen last."""

    def __init__(self, collection: Collection) -> None:
        self._sessions = collection.sessions
        self._index = collection.index
        self._lock = Lock()
        self._seen: dict[str, tuple[float, Gap | None]] = {}  # by tenant: until when, and what

    def last(self) -> Gap | None:
        """Return the gap; None where the index has all works of the tenant."""
        tenant, moment = tenants.current(), time.monotonic()
        with self._lock:
            until, seen = self._seen.get(tenant, (moment, None))
            if moment >= until:
                seen = self._look()
                self._seen[tenant] = time.monotonic() + EVERY_S, seen
            return seen

    def _look(self) -> Gap | None:
        """Compare all tenants' points, and the tenant's own only where some are missing."""
        with tenants.across():
            is_whole = self._gap() is None
        return None if is_whole else self._gap()

    def _gap(self) -> Gap | None:
        """Compare points and works, whatever comes or goes in between.

        A work has its point before it is registered, and has it no longer only after it was
        withdrawn: so one of both numbers of works, before or after, is not above that of points.
        """
        before = self._works()
        points = self._index.points()
        works = min(before, self._works())
        return Gap(points, works) if points < works else None

    def _works(self) -> int:
        with self._sessions() as session:
            return queries.findable(session)
