"""Lines of ingest jobs that tell of nothing go, where the settings say when (`job_days`)."""

from __future__ import annotations

import time
from datetime import timedelta

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.collection import Stores

JOBS_AT_ONCE = 100
AT_ONCE = 2_000  # lines in one transaction
ONE_GO_S = 60.0


def thin_old(stores: Stores) -> int:
    """Delete idle lines of the tenant's jobs that ended before `job_days`; returns how many.

    Ends after ONE_GO_S even where more are due.
    """
    days = stores.settings.job_days
    if days is None:
        return 0
    until, before = time.monotonic() + ONE_GO_S, now() - timedelta(days=days)
    gone = 0
    while time.monotonic() < until:
        with stores.sessions() as session:
            jobs = queries.jobs_to_thin(session, before, JOBS_AT_ONCE)
        if not jobs:
            break
        for job_id in jobs:
            more = True
            while more and time.monotonic() < until:
                with stores.sessions.begin() as session:
                    lines = queries.thin(session, job_id, AT_ONCE)
                gone += lines
                more = lines > 0
    return gone
