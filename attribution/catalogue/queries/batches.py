"""Statements about batches: who may run one, who does, and which have to be sent (again).

The rows decide, the broker only carries messages: a message may come twice, late or never. A batch
is run by whoever takes its lease; a lease that is not renewed runs out and is taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    case,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    BatchStatus,
    DeniedFile,
    IngestBatch,
    IngestJob,
    JobStatus,
)
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.errors import Conflict, NotFound

LISTING = 0  # the number of the batch that lists an upload
FILES_PER_BATCH = 128
MOST_ATTEMPTS = 6  # that neither ended nor were given back: the process died, or a defect
STALLED = timedelta(seconds=60)  # nothing runs and this long ago was it sent: the message is lost

ENDED = "the process that ran it ended without a word"
UNLISTED = "the process that listed its files ended without a word; ingest the source again"

BatchKey = tuple[UUID, int]
STATUS = IngestBatch.status.type
OPEN = (BatchStatus.QUEUED, BatchStatus.RUNNING)


def add_batches(session: Session, job_id: UUID, files: int) -> None:
    """Cut the files of a job into batches, and have the job wait for its workers."""
    starts = range(0, files, FILES_PER_BATCH)
    rows = [
        {
            "job_id": job_id,
            "number": n,
            "first": at,
            "begun": at,
            "stop": min(at + FILES_PER_BATCH, files),
        }
        for n, at in enumerate(starts, LISTING + 1)
    ]
    if rows:
        session.execute(insert(IngestBatch), rows)
    session.execute(
        update(IngestJob)
        .where(IngestJob.id == job_id, IngestJob.status == JobStatus.LISTING)
        .values(status=JobStatus.QUEUED)
    )
    settle_job(session, job_id)  # without files there is nothing to wait for


def add_listing(session: Session, job_id: UUID) -> None:
    """Have the files of an upload listed by a worker."""
    session.add(IngestBatch(job_id=job_id, number=LISTING, first=0, stop=0))
    session.flush()


def open_batches(session: Session, job_id: UUID | None = None) -> list[BatchKey]:
    """Return the batches that wait or run, of one job or all unfinished ones, the oldest first."""
    wanted = (
        select(IngestBatch.job_id, IngestBatch.number)
        .join(IngestJob, IngestJob.id == IngestBatch.job_id)
        .where(IngestBatch.status.in_(OPEN), IngestJob.status.in_(UNFINISHED))
        .order_by(IngestJob.created_at, IngestJob.id, IngestBatch.number)
    )
    if job_id is not None:
        wanted = wanted.where(IngestBatch.job_id == job_id)
    return [(job, number) for job, number in session.execute(wanted)]


def claim_batch(session: Session, key: BatchKey, *, owner: str, lease_s: float) -> bool:
    """Take the lease of a batch that waits or whose lease ran out; False when it is not to be had.

    It is not when it is done, another holds it, or its job was cancelled.
    """
    job_id, number = key
    unowned = or_(
        IngestBatch.status == BatchStatus.QUEUED,
        (IngestBatch.status == BatchStatus.RUNNING) & (IngestBatch.lease_until < now()),
    )
    wanted = exists().where(IngestJob.id == job_id, IngestJob.status.in_(UNFINISHED))
    taken = session.execute(
        update(IngestBatch)
        .where(_is(key), unowned, wanted)
        .values(
            status=BatchStatus.RUNNING,
            attempts=IngestBatch.attempts + 1,
            owner=owner,
            lease_until=_lease(lease_s),
            error=None,
        )
        .returning(IngestBatch.number)
    ).all()
    if taken and number != LISTING:
        session.execute(
            update(IngestJob)
            .where(IngestJob.id == job_id, IngestJob.status == JobStatus.QUEUED)
            .values(
                status=JobStatus.RUNNING,
                started_at=func.coalesce(IngestJob.started_at, now()),
                finished_at=None,
                error=None,
            )
        )
    return bool(taken)


def renew_lease(session: Session, key: BatchKey, *, owner: str, lease_s: float) -> bool:
    """Keep a lease; False when it is lost or the job was cancelled: stop then."""
    wanted = exists().where(IngestJob.id == key[0], IngestJob.status.in_(UNFINISHED))
    kept = session.execute(
        update(IngestBatch)
        .where(_is(key), _held_by(owner), wanted)
        .values(lease_until=_lease(lease_s))
        .returning(IngestBatch.number)
    ).all()
    return bool(kept)


def give_back(session: Session, key: BatchKey, *, owner: str, error: str | None = None) -> None:
    """Let others go on with a batch; what a broken backend or a shutdown ends counts as no try."""
    session.execute(
        update(IngestBatch).where(_is(key), _held_by(owner)).values(**_given_back(), error=error)
    )


def give_back_unended(session: Session, key: BatchKey, *, process: str) -> None:
    """Let a process go on with a batch that an outage has kept it from giving back."""
    own = IngestBatch.owner.startswith(process, autoescape=True)
    session.execute(
        update(IngestBatch)
        .where(_is(key), IngestBatch.status == BatchStatus.RUNNING, own)
        .values(**_given_back())
    )


def hold_files(
    session: Session, key: BatchKey, *, owner: str, begun: int, alone: int | None
) -> None:
    """Note which files are about to be read: those before `begun`, or the one at `alone`."""
    session.execute(
        update(IngestBatch).where(_is(key), _held_by(owner)).values(begun=begun, alone=alone)
    )


def note_progress(session: Session, key: BatchKey, *, owner: str) -> None:
    """Count attempts from here: a batch that gets on, however often it is ended, is never dead."""
    session.execute(update(IngestBatch).where(_is(key), _held_by(owner)).values(attempts=1))


def fail_batch(session: Session, key: BatchKey, *, owner: str, error: str) -> None:
    """Note a failure that is nobody's outage; too many of them make a batch dead."""
    session.execute(
        update(IngestBatch)
        .where(_is(key), _held_by(owner))
        .values(
            **_nothing_in_hand(),
            status=_after_failure(),
            owner=None,
            lease_until=None,
            sent_at=None,  # the sweep has another process try
            error=error,
        )
    )
    settle_job(session, key[0])


def fail_unopened(session: Session, error: str) -> None:
    """Count a failure for every batch that waits: no process could be opened to run it."""
    waiting = IngestBatch.status == BatchStatus.QUEUED
    failed = session.execute(
        update(IngestBatch)
        .where(waiting, IngestBatch.job_id.in_(_unfinished_ids()))
        .values(attempts=IngestBatch.attempts + 1, error=error)
        .returning(IngestBatch.job_id)
    ).scalars()
    jobs = set(failed)
    session.execute(
        update(IngestBatch)
        .where(waiting, IngestBatch.job_id.in_(jobs))
        .values(status=_after_failure())
    )
    for job_id in jobs:
        settle_job(session, job_id)


def bury_batch(session: Session, key: BatchKey, *, owner: str, error: str) -> None:
    """Make a batch dead at once: trying again would not help."""
    session.execute(
        update(IngestBatch)
        .where(_is(key), _held_by(owner))
        .values(status=BatchStatus.DEAD, owner=None, lease_until=None, error=error)
    )
    settle_job(session, key[0])


def finish_batch(session: Session, key: BatchKey, *, owner: str) -> None:
    """Note that every file of a batch has its outcome; ends the job with the last one."""
    session.execute(
        update(IngestBatch)
        .where(_is(key), _held_by(owner))
        .values(status=BatchStatus.DONE, owner=None, lease_until=None)
    )
    settle_job(session, key[0])


def settle_job(session: Session, job_id: UUID) -> None:
    """End a job of which nothing waits or runs: done, or failed when a batch is dead."""
    # Locked first: of two workers that end the last two batches, one must see the other's.
    job = session.get(IngestJob, job_id, with_for_update=True, populate_existing=True)
    if job is None or job.status not in UNFINISHED:
        return
    wanted = (
        select(IngestBatch.status, func.count(), func.max(IngestBatch.error))
        .where(IngestBatch.job_id == job_id)
        .group_by(IngestBatch.status)
    )
    found = {status: error for status, _, error in session.execute(wanted)}
    if found.keys() & set(OPEN):
        return
    job.status = JobStatus.FAILED if BatchStatus.DEAD in found else JobStatus.DONE
    if job.status is JobStatus.DONE:  # nothing of it comes any more
        session.execute(delete(DeniedFile).where(DeniedFile.job_id == job_id))
    job.error = found.get(BatchStatus.DEAD)
    job.finished_at = now()


def cancel_job(session: Session, job_id: UUID) -> None:
    """Have a job end after the files in hand; raises NotFound, Conflict when it has ended."""
    job = _locked(session, job_id)
    if job.status not in UNFINISHED:
        raise Conflict(f"job {job_id} is {job.status}: there is nothing left to cancel")
    job.status = JobStatus.CANCELLED
    job.finished_at = now()


def retry_job(session: Session, job_id: UUID) -> None:
    """Have a failed or cancelled job go on where it stopped; raises NotFound, Conflict."""
    job = _locked(session, job_id)
    if job.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
        raise Conflict(f"job {job_id} is {job.status}; only a failed or cancelled one goes on")
    session.execute(
        update(IngestBatch)
        .where(IngestBatch.job_id == job_id, IngestBatch.status == BatchStatus.DEAD)
        .values(
            status=BatchStatus.QUEUED,
            attempts=0,
            begun=IngestBatch.first,
            alone=None,
            sent_at=None,
            error=None,
        )
    )
    unlisted = exists().where(
        IngestBatch.job_id == job_id,
        IngestBatch.number == LISTING,
        IngestBatch.status != BatchStatus.DONE,
    )
    is_unlisted = session.scalar(select(unlisted))
    job.status = JobStatus.LISTING if is_unlisted else JobStatus.QUEUED
    job.error = job.finished_at = None
    session.flush()
    settle_job(session, job_id)  # a job without batches has nothing to wait for


def release_all(session: Session) -> None:
    """Void every lease: the caller owns the index, so no other process can be running a batch.

    Jobs whose listing ended with its process fail: nobody goes on with those.
    """
    lapsed = session.execute(
        update(IngestBatch)
        .where(IngestBatch.status == BatchStatus.RUNNING)
        .values(status=_after_failure(), owner=None, lease_until=None, error=ENDED)
        .returning(IngestBatch.job_id, IngestBatch.status)
    ).all()
    for job_id in {job for job, status in lapsed if status is BatchStatus.DEAD}:
        settle_job(session, job_id)
    batched = exists().where(IngestBatch.job_id == IngestJob.id)
    session.execute(
        update(IngestJob)
        .where(IngestJob.status == JobStatus.LISTING, ~batched)
        .values(status=JobStatus.FAILED, finished_at=now(), error=UNLISTED)
    )


def sweep(session: Session) -> list[BatchKey]:
    """Void the leases that ran out; return the batches whose message has to be sent (again)."""
    moment = now()
    lapsed = session.execute(
        update(IngestBatch)
        .where(IngestBatch.status == BatchStatus.RUNNING, IngestBatch.lease_until < moment)
        .values(
            status=_after_failure(),
            owner=None,
            lease_until=None,
            sent_at=None,
            error=ENDED,
        )
        .returning(IngestBatch.job_id, IngestBatch.status)
    ).all()
    for job_id in {job for job, status in lapsed if status is BatchStatus.DEAD}:
        settle_job(session, job_id)
    busy = session.scalar(select(exists().where(IngestBatch.status == BatchStatus.RUNNING)))
    unsent = IngestBatch.sent_at.is_(None)
    # While workers are busy a message may just be waiting for its turn.
    due = unsent if busy else or_(unsent, IngestBatch.sent_at < moment - STALLED)
    wanted = (
        select(IngestBatch.job_id, IngestBatch.number)
        .join(IngestJob, IngestJob.id == IngestBatch.job_id)
        .where(IngestBatch.status == BatchStatus.QUEUED, due, IngestJob.status.in_(UNFINISHED))
        .order_by(IngestJob.created_at, IngestJob.id, IngestBatch.number)
    )
    return [(job, number) for job, number in session.execute(wanted)]


def mark_sent(session: Session, keys: Sequence[BatchKey]) -> None:
    """Note that messages about these batches are on their way."""
    rows = [{"job_id": job, "number": number, "sent_at": now()} for job, number in keys]
    if rows:
        session.execute(update(IngestBatch), rows)


def batch_by_key(session: Session, key: BatchKey) -> IngestBatch:
    """Return a batch; raises NotFound."""
    batch = session.get(IngestBatch, key)
    if batch is None:
        raise NotFound(f"job {key[0]} has no batch {key[1]}")
    return batch


def batch_counts(session: Session, job_id: UUID) -> dict[BatchStatus, int]:
    """Count the batches of a job by state, zeros too."""
    wanted = (
        select(IngestBatch.status, func.count())
        .where(IngestBatch.job_id == job_id)
        .group_by(IngestBatch.status)
    )
    return dict.fromkeys(BatchStatus, 0) | dict(session.execute(wanted).all())


def trouble_of(session: Session, job_id: UUID) -> str | None:
    """Return what an unfinished job waits for: the last error of one of its open batches."""
    wanted = select(func.min(IngestBatch.error)).where(
        IngestBatch.job_id == job_id,
        IngestBatch.status.in_(OPEN),
        IngestBatch.job_id.in_(_unfinished_ids()),
    )
    return session.scalar(wanted)


def _unfinished_ids() -> Select[UUID]:
    return select(IngestJob.id).where(IngestJob.status.in_(UNFINISHED))


def _given_back() -> dict[str, Any]:
    return _nothing_in_hand() | {
        "status": BatchStatus.QUEUED,
        "attempts": IngestBatch.attempts - 1,
        "owner": None,
        "lease_until": None,
    }


def _nothing_in_hand() -> dict[str, Any]:
    """Return what an orderly end leaves: those that are to be done one by one stay so."""
    suspected = IngestBatch.alone.is_not(None)
    return {"begun": case((suspected, IngestBatch.begun), else_=IngestBatch.first), "alone": None}


def _locked(session: Session, job_id: UUID) -> IngestJob:
    job = session.get(IngestJob, job_id, with_for_update=True, populate_existing=True)
    if job is None:
        raise NotFound(f"no ingest job {job_id}; `lawful jobs` lists them")
    return job


def _is(key: BatchKey) -> ColumnElement[bool]:
    return (IngestBatch.job_id == key[0]) & (IngestBatch.number == key[1])


def _held_by(owner: str) -> ColumnElement[bool]:
    return (IngestBatch.status == BatchStatus.RUNNING) & (IngestBatch.owner == owner)


def _after_failure() -> ColumnElement[BatchStatus]:
    tried = IngestBatch.attempts >= MOST_ATTEMPTS
    return case(
        (tried, literal(BatchStatus.DEAD, STATUS)), else_=literal(BatchStatus.QUEUED, STATUS)
    )


def _lease(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)
