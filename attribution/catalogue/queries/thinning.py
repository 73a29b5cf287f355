"""Lines of ingest jobs of long ago that tell of nothing: files that were known already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import IngestItem, IngestJob, Outcome
from attribution.catalogue.queries.jobs import job_summary

# What came of a work is told by the line that brought it, and by those that changed it.
IDLE = (Outcome.KNOWN, Outcome.REPEATED)


def jobs_to_thin(session: Session, before: datetime, limit: int) -> Sequence[UUID]:
    """Return jobs that ended before a time and still have all of their lines, oldest first."""
    wanted = (
        select(IngestJob.id)
        .where(IngestJob.finished_at < before, IngestJob.thinned_at.is_(None))
        .order_by(IngestJob.finished_at, IngestJob.id)
        .limit(limit)
    )
    return session.scalars(wanted).all()


def thin(session: Session, job_id: UUID, limit: int) -> int:
    """Delete idle lines of a job, `limit` at most, and keep their numbers; returns how many.

    At none the job is thin, and says so.
    """
    job = session.get_one(IngestJob, job_id, with_for_update=True)
    counted = job.gone
    if counted is None:  # nothing is missing yet
        summary = job_summary(session, job_id)
        counted = {"artists": summary.artists, "blank": summary.blank}
    few = (
        select(IngestItem.position)
        .where(IngestItem.job_id == job_id, IngestItem.outcome.in_(IDLE))
        .limit(limit)
    )
    lines = (IngestItem.job_id == job_id) & IngestItem.position.in_(few)
    gone = session.scalars(
        delete(IngestItem).where(lines).returning(IngestItem.outcome), execution_options=IN_SQL
    ).all()
    more = {one.value: counted.get(one, 0) + number for one, number in Counter(gone).items()}
    job.gone = counted | more
    if not gone:
        job.thinned_at = now()
        if lost := sum(counted.get(outcome, 0) for outcome in IDLE):
            job.remarks = [
                *job.remarks,
                f"The lines of {lost} files that were known already are no longer kept.",
            ]
    return len(gone)
