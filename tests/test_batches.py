"""Batches: who may run one, what ends its lease, and what is sent again; on both databases."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import JobStatus, Outcome, TaskKind, TaskStatus
from attribution.catalogue.queries import ItemOutcome, NewItem
from attribution.catalogue.queries.batches import FILES_PER_BATCH
from attribution.catalogue.queries.leases import DEADLY
from attribution.errors import Conflict, NotFound
from tests.portfolios import batch_key

LONG = 60.0  # seconds of a lease


def a_job(session: Session, files: int = 1) -> UUID:
    """List a job of so many files."""
    job = queries.create_job(session, source="/portfolio")
    items = [NewItem(f"{n}.png", "Ann") for n in range(files)]
    queries.add_items(session, job.id, items, start=0)
    queries.add_batches(session, job.id, files)
    return job.id


def claim(session: Session, job: UUID, number: int = 1, *, lease_s: float = LONG) -> bool:
    """Claim a batch as "me"."""
    return queries.claim_task(session, batch_key(job, number), owner="me", lease_s=lease_s)


def end(session: Session, job: UUID, number: int = 1) -> None:
    """Note that "me" has done a batch."""
    queries.finish_task(session, batch_key(job, number), owner="me")
    queries.settle(session, batch_key(job, number))


def job_status(database: Database, job: UUID) -> tuple[JobStatus, str | None]:
    """Read the state of a job."""
    with database.sessions() as session:
        row = queries.job_by_id(session, job)
        return row.status, row.error


def test_files_are_cut_into_batches(database: Database) -> None:
    """Every file is in one batch, the last one is shorter."""
    with database.sessions.begin() as session:
        job = a_job(session, FILES_PER_BATCH * 2 + 1)
    with database.sessions() as session:
        batches = [queries.task_by_key(session, batch_key(job, number)) for number in (1, 2, 3)]
        keys = queries.open_tasks(session, job)

    assert [(one.first, one.stop) for one in batches] == [
        (0, FILES_PER_BATCH),
        (FILES_PER_BATCH, 2 * FILES_PER_BATCH),
        (2 * FILES_PER_BATCH, 2 * FILES_PER_BATCH + 1),
    ]
    assert keys == [batch_key(job), batch_key(job, 2), batch_key(job, 3)]


def test_the_last_batch_ends_the_job(database: Database) -> None:
    """A job is done when all of its batches are."""
    with database.sessions.begin() as session:
        job = a_job(session, FILES_PER_BATCH + 1)
        for number in (1, 2):
            assert claim(session, job, number)
        end(session, job)
    assert job_status(database, job)[0] is JobStatus.RUNNING
    with database.sessions.begin() as session:
        end(session, job, 2)

    assert job_status(database, job) == (JobStatus.DONE, None)
    with database.sessions.begin() as session:
        assert not claim(session, job)


def test_dead_letters_are_retried(database: Database) -> None:
    """A failed job goes on with its dead batch; the batches that are done stay done."""
    with database.sessions.begin() as session:
        job = a_job(session, FILES_PER_BATCH + 1)
        assert claim(session, job, 1)
        assert claim(session, job, 2)
        end(session, job)
        queries.bury_task(session, batch_key(job, 2), owner="me", error="no room")
    assert job_status(database, job) == (JobStatus.FAILED, "no room")
    with database.sessions.begin() as session:
        assert queries.batch_counts(session, job)[TaskStatus.DEAD] == 1
        queries.retry_job(session, job)
        assert queries.open_tasks(session, job) == [batch_key(job, 2)]
        assert claim(session, job, 2)

    assert job_status(database, job) == (JobStatus.RUNNING, None)


def test_a_cancelled_job_stops_and_goes_on(database: Database) -> None:
    """Nobody can claim its batches, who has one is told at the next beat; retry undoes it."""
    with database.sessions.begin() as session:
        job = a_job(session, FILES_PER_BATCH + 1)
        assert claim(session, job, 1)
        queries.cancel_job(session, job)
        assert not claim(session, job, 2)
        assert not queries.renew_task(session, batch_key(job), owner="me", lease_s=LONG)
        queries.give_back(session, batch_key(job), owner="me")
        assert queries.open_tasks(session) == []
        with pytest.raises(Conflict, match="nothing left to cancel"):
            queries.cancel_job(session, job)
        queries.retry_job(session, job)
        assert len(queries.open_tasks(session, job)) == 2
        with pytest.raises(Conflict, match="only a failed or cancelled one"):
            queries.retry_job(session, job)
        with pytest.raises(NotFound, match="no ingest job"):
            queries.cancel_job(session, uuid4())


def test_a_job_without_files_is_done(database: Database) -> None:
    """Nothing to do is done at once."""
    with database.sessions.begin() as session:
        job = a_job(session, 0)

    assert job_status(database, job)[0] is JobStatus.DONE


def in_hand(session: Session, job: UUID) -> tuple[int, int | None, int]:
    """Return what a batch has in hand, and its attempts."""
    batch = queries.task_by_key(session, batch_key(job))
    session.refresh(batch)
    return batch.begun, batch.alone, batch.attempts


def test_what_is_in_hand_outlives_its_process(database: Database) -> None:
    """It stays when a lease lapses, and goes when a batch is given back."""
    with database.sessions.begin() as session:
        job = a_job(session, 10)
        assert claim(session, job, lease_s=-1)
        queries.hold_files(session, batch_key(job), owner="me", begun=4, alone=None)
        queries.sweep(session)
        assert in_hand(session, job) == (4, None, 1)
        assert claim(session, job, lease_s=-1)
        queries.hold_files(session, batch_key(job), owner="me", begun=4, alone=2)
        queries.release_all(session)
        assert in_hand(session, job) == (4, 2, 2)
        assert claim(session, job)
        queries.hold_files(session, batch_key(job), owner="me", begun=4, alone=3)
        queries.give_back(session, batch_key(job), owner="me")
        assert in_hand(session, job) == (4, None, 2)  # the rest is still done one by one
        assert claim(session, job)
        queries.hold_files(session, batch_key(job), owner="me", begun=8, alone=None)
        queries.record_outcomes(session, job, [ItemOutcome(0, Outcome.ADDED)])
        queries.give_back(session, batch_key(job), owner="me")
        assert in_hand(session, job) == (0, None, 0)


def test_deaths_with_progress_bury_nothing(database: Database) -> None:
    """A batch of which something got its outcome before each death goes on; another's does not."""
    with database.sessions.begin() as session:
        job = a_job(session, FILES_PER_BATCH + 9)
        for position in range(8):
            for number in (1, 2):
                claim(session, job, number, lease_s=-1)
            at = FILES_PER_BATCH + position
            queries.record_outcomes(session, job, [ItemOutcome(at, Outcome.ADDED)])
            queries.sweep(session)
        assert queries.open_tasks(session) == [batch_key(job, 2)]
        dead = queries.task_by_key(session, batch_key(job, 1))
        session.refresh(dead)
        assert (dead.status, dead.error) == (TaskStatus.DEAD, DEADLY[TaskKind.INGEST])


def test_what_nobody_could_list_has_failed(database: Database) -> None:
    """A job whose listing died with its process is not "listing" for ever."""
    with database.sessions.begin() as session:
        unlisted = queries.create_job(session, source="/portfolio").id
        listed = a_job(session)
        queries.release_all(session)
        assert queries.job_by_id(session, listed).status is JobStatus.QUEUED
    status, error = job_status(database, unlisted)
    assert status is JobStatus.FAILED
    assert "ingest the source again" in (error or "")


def test_remarks_are_added(database: Database) -> None:
    """Each is a sentence on the source; later ones come behind."""
    with database.sessions.begin() as session:
        job = a_job(session)
        queries.add_remarks(session, job, ["2 rows have no file"])
        queries.add_remarks(session, job, ["not used: remark", "x"])
    with database.sessions() as session:
        remarks = queries.job_by_id(session, job).remarks
    assert remarks == ["2 rows have no file", "not used: remark", "x"]


def test_jobs_that_are_over(database: Database) -> None:
    """Those that are done at once, those that may be gone on with after a time."""
    with database.sessions.begin() as session:
        cancelled, waiting, done = a_job(session), a_job(session), a_job(session, 0)
        queries.cancel_job(session, cancelled)
        ids = [cancelled, waiting, done]
        later, earlier = now() + timedelta(seconds=1), now() - timedelta(days=1)
        assert set(queries.jobs_over(session, ids, later)) == {cancelled, done}
        assert queries.jobs_over(session, ids, earlier) == [done]
