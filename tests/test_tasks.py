"""Tasks of every kind: who may run one, what ends its lease, what is sent again; on each engine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import JobStatus, Task, TaskKind, TaskStatus
from attribution.catalogue.queries import TaskKey
from attribution.catalogue.queries.batches import FILES_PER_BATCH
from attribution.catalogue.queries.leases import DEADLY, ENDED, MOST_ATTEMPTS, MOST_DEATHS
from attribution.catalogue.queries.tasks import locked_subject

LONG = 60.0  # seconds of a lease
Make = Callable[[Session], TaskKey]


def an_upload(session: Session) -> TaskKey:
    """Keep an upload that is to be listed."""
    job = queries.create_job(session, source="upload:a.zip")
    queries.add_listing(session, job.id)
    return TaskKey(TaskKind.LIST, job.id)


def a_batch(session: Session) -> TaskKey:
    """List a job of one file."""
    job = queries.create_job(session, source="/portfolio")
    queries.add_items(session, job.id, [queries.NewItem("a.png", "Ann")], start=0)
    queries.add_batches(session, job.id, 1)
    return TaskKey(TaskKind.INGEST, job.id, 1)


def a_request(session: Session) -> TaskKey:
    """Keep a request for pictures."""
    return TaskKey(TaskKind.DRAW, queries.add_generation(session, {"prompt": "a"}).id)


@pytest.fixture(params=[an_upload, a_batch, a_request])
def make(request: pytest.FixtureRequest) -> Make:
    """Give a maker of tasks, of each kind."""
    maker: Make = request.param
    return maker


def claim(session: Session, key: TaskKey, owner: str = "me", *, lease_s: float = LONG) -> bool:
    """Claim a task."""
    return queries.claim_task(session, key, owner=owner, lease_s=lease_s)


def die(session: Session, key: TaskKey) -> None:
    """Take a task and end without a word."""
    assert claim(session, key, lease_s=-1)
    queries.sweep(session)


def end(session: Session, key: TaskKey, owner: str = "me") -> bool:
    """Note that a task is done."""
    was_held = queries.finish_task(session, key, owner=owner)
    queries.settle(session, key)
    return was_held


def where(session: Session, key: TaskKey) -> tuple[JobStatus, str | None]:
    """Return where the job or generation of a task stands."""
    session.flush()
    row = locked_subject(session, key)
    assert row is not None
    return row.status, row.error


def test_one_has_it(database: Database, make: Make) -> None:
    """A lease that is held is unavailable; one that ran out is taken over, and ends nothing."""
    with database.sessions.begin() as session:
        key = make(session)
        assert claim(session, key, "me", lease_s=-1)
        assert claim(session, key, "other")
        assert not claim(session, key, "me")
        assert not queries.renew_task(session, key, owner="me", lease_s=LONG)
        assert queries.renew_task(session, key, owner="other", lease_s=LONG)
        assert not end(session, key, "me")
        assert where(session, key)[0] in (JobStatus.RUNNING, JobStatus.LISTING)
        assert end(session, key, "other")
        assert where(session, key) == (JobStatus.DONE, None)
        assert not claim(session, key, "me")


def test_what_is_given_back_waits(database: Database, make: Make) -> None:
    """However often; nothing of it is called running meanwhile, and it says what it waits for."""
    with database.sessions.begin() as session:
        key = make(session)
        before = where(session, key)
        for _ in range(2 * MOST_ATTEMPTS):
            assert claim(session, key)
            queries.give_back(session, key, owner="me", error="the index is away")
        assert queries.task_by_key(session, key).attempts == 0
        assert queries.trouble_of(session, key.subject) == "the index is away"
        assert where(session, key) == before
        assert queries.open_tasks(session) == [key]


def test_a_defect_is_tried_again(database: Database, make: Make) -> None:
    """By another process, a few times; then it is what the job or request failed with."""
    with database.sessions.begin() as session:
        key = make(session)
        for _ in range(MOST_ATTEMPTS):
            assert queries.sweep(session) == [key]
            queries.mark_sent(session, [key])
            assert claim(session, key)
            queries.fail_task(session, key, owner="me", error="a defect")
        assert not claim(session, key)
        assert where(session, key) == (JobStatus.FAILED, "a defect")


def test_what_another_try_would_not_help(database: Database, make: Make) -> None:
    """It is dead at once."""
    with database.sessions.begin() as session:
        key = make(session)
        assert claim(session, key)
        queries.bury_task(session, key, owner="me", error="no such model")
        assert where(session, key) == (JobStatus.FAILED, "no such model")


def test_what_ended_its_process_again_and_again_is_dead(database: Database, make: Make) -> None:
    """It says so, with a way out; an outage or a defect in between is no progress."""
    with database.sessions.begin() as session:
        key = make(session)
        die(session, key)
        assert queries.trouble_of(session, key.subject) == ENDED
        assert claim(session, key)
        queries.give_back(session, key, owner="me")
        assert claim(session, key)
        queries.fail_task(session, key, owner="me", error="a defect")
        for _ in range(MOST_DEATHS - 1):
            die(session, key)
        assert where(session, key) == (JobStatus.FAILED, DEADLY[key.kind])
        assert not claim(session, key)
    assert "three times" in DEADLY[key.kind]
    assert "memory" in DEADLY[key.kind]


def test_a_lapsed_lease_counts_before_the_sweep(database: Database, make: Make) -> None:
    """Whoever takes over from the last of the dead processes is told that it is over."""
    with database.sessions.begin() as session:
        key = make(session)
        for _ in range(MOST_DEATHS):
            assert claim(session, key, lease_s=-1)
        assert not claim(session, key)
        assert where(session, key) == (JobStatus.FAILED, DEADLY[key.kind])


def test_an_opening_releases_what_ran(database: Database, make: Make) -> None:
    """Nothing is called running that no process runs; the last death is the end of it."""
    with database.sessions.begin() as session:
        key = make(session)
        before = where(session, key)
        for _ in range(MOST_DEATHS - 1):
            assert claim(session, key)
            queries.release_all(session)
            assert where(session, key) == before
        assert claim(session, key)
        queries.release_all(session)
        assert where(session, key) == (JobStatus.FAILED, DEADLY[key.kind])
        assert queries.task_by_key(session, key).status is TaskStatus.DEAD


def test_the_sweep_finds_what_has_no_message(database: Database, make: Make) -> None:
    """What was never sent is sent, what waits its turn is not, what a dead worker had is."""
    with database.sessions.begin() as session:
        keys = [make(session), make(session)]
        assert queries.sweep(session) == keys
        queries.mark_sent(session, keys)
        assert queries.sweep(session) == []
        assert claim(session, keys[1], lease_s=-1)
        assert queries.sweep(session) == [keys[1]]


def test_lost_messages_are_sent_again(database: Database, make: Make) -> None:
    """Each by its own age, whatever else runs, after growing pauses that end at an hour."""
    with database.sessions.begin() as session:
        running, waiting = make(session), make(session)
        queries.mark_sent(session, [running, waiting])
        assert claim(session, running)

        def age(minutes: int) -> None:
            session.execute(update(Task).values(sent_at=now() - timedelta(minutes=minutes)))

        for pause in (1, 2, 4, 8, 16, 32, 60, 60):
            age(pause - 1)
            assert queries.sweep(session) == []
            age(pause + 1)
            assert queries.sweep(session) == [waiting]
            queries.mark_sent(session, [waiting])
        assert claim(session, waiting)  # its messages come: begin again with the shortest
        queries.give_back(session, waiting, owner="me", error="the index is away")
        age(2)
        assert queries.sweep(session) == [waiting]


def test_what_is_given_back_has_no_message(database: Database, make: Make) -> None:
    """Its time was up, and its message is gone; after an outage the message comes again."""
    with database.sessions.begin() as session:
        key = make(session)
        for error, swept in ((None, [key]), ("the index is away", [])):
            queries.mark_sent(session, [key])
            assert claim(session, key)
            queries.give_back(session, key, owner="me", error=error)
            assert queries.sweep(session) == swept


def test_one_sweep_is_for_all_kinds(database: Database) -> None:
    """While a picture is drawn, what else has lost its message is sent, another request too."""
    long_ago = now() - timedelta(hours=3)
    with database.sessions.begin() as session:
        made = [an_upload(session), a_batch(session), a_request(session), a_request(session)]
        assert queries.sweep(session) == made
        queries.mark_sent(session, made)
        session.execute(update(Task).values(sent_at=long_ago))
        assert claim(session, made[2])
        assert queries.sweep(session) == [*made[:2], made[3]]


def test_a_process_takes_back_its_own(database: Database, make: Make) -> None:
    """What an outage kept it from giving back; never what another process has."""
    with database.sessions.begin() as session:
        key = make(session)
        assert claim(session, key, "host/1/a")
        queries.give_back_unended(session, key, process="host/12/")
        assert not claim(session, key)
        queries.give_back_unended(session, key, process="host/1/")
        assert claim(session, key)


def test_a_process_that_cannot_open(database: Database, make: Make) -> None:
    """It counts for all that waits, and in the end what is wrong is said where people look."""
    with database.sessions.begin() as session:
        key = make(session)
        for _ in range(MOST_ATTEMPTS):
            queries.fail_unopened(session, "no profile 'nowhere'")
        assert where(session, key) == (JobStatus.FAILED, "no profile 'nowhere'")


def test_what_stopped_it_here(database: Database, make: Make) -> None:
    """A process that cannot even note a failure ends it; what has ended stays as it is."""
    with database.sessions.begin() as session:
        stopped, done = make(session), make(session)
        assert claim(session, done)
        end(session, done)
        for key in (stopped, done):
            queries.interrupt(session, key.subject, "a defect")
        assert where(session, stopped) == (JobStatus.FAILED, "a defect")
        assert where(session, done) == (JobStatus.DONE, None)
        assert not claim(session, stopped)


def test_many_workers_at_once(database: Database) -> None:
    """Each batch is run once, none waits for another for ever, and the last one ends the job."""
    with database.sessions.begin() as session:
        job = queries.create_job(session, source="/portfolio").id
        queries.add_batches(session, job, 8 * FILES_PER_BATCH)
        keys = queries.open_tasks(session)

    def work(worker: int) -> list[TaskKey]:
        done = []
        for key in keys:
            with database.sessions.begin() as session:
                is_taken = claim(session, key, str(worker))
            if is_taken:
                done.append(key)
                with database.sessions.begin() as session:
                    queries.sweep(session)
                with database.sessions.begin() as session:
                    end(session, key, str(worker))
        return done

    with ThreadPoolExecutor(4) as workers:
        done = [key for keys in workers.map(work, range(4)) for key in keys]

    assert sorted(done) == keys
    with database.sessions.begin() as session:
        assert where(session, keys[0]) == (JobStatus.DONE, None)
