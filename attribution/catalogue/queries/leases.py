"""Statements about leases: who may run a task, who does, and which have to be sent (again).

The rows decide, the broker only carries messages: a message may come twice, late or never. A task
is run by whoever takes its lease; a lease that is not renewed runs out and is taken over.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, exists, literal, or_, true, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    DEATHS_ALONE,
    IngestJob,
    JobStatus,
    LookupBatch,
    Task,
    TaskKind,
    TaskStatus,
)
from attribution.catalogue.queries.tasks import (
    IS_BULK,
    TaskKey,
    fail_subjects,
    is_task,
    is_wanted,
    settle,
    settle_all,
    wanted_tasks,
)

MOST_ATTEMPTS = 6  # that failed or ended their process, since the last progress
MOST_DEATHS = DEATHS_ALONE + 1  # that ended their process, since the last progress
MOST_DUE = 2_000  # tasks of a kind that one sweep returns: more than a queue has room for
# So long after it was sent, by how often that was, a message of a task that still waits is taken
# for lost. It may just be waiting for its turn: then a second one costs little, many would not.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 4, 8, 16, 32, 60))

ENDED = "the process that ran it ended without a word"
THRICE = "it ended its process three times without getting on; give that more memory"
LONGER = "more time (LAWFUL_BATCH_TIME_LIMIT_S)"
DEADLY = {
    TaskKind.LIST: f"{THRICE} or {LONGER}, then retry the job, or send a smaller archive",
    TaskKind.INGEST: f"{THRICE}, then retry the job",
    TaskKind.DRAW: f"{THRICE} or {LONGER}, then ask again, or ask for fewer or smaller pictures",
    TaskKind.LOOKUP: f"{THRICE} or {LONGER}, then retry the batch, or send a smaller one",
}
UNLISTED: dict[type[IngestJob | LookupBatch], str] = {
    IngestJob: "the process that listed its files ended without a word; ingest the source again",
    LookupBatch: "the process that stored the upload ended without a word; send it again",
}

STATUS = Task.status.type


def claim_task(session: Session, key: TaskKey, *, owner: str, lease_s: float) -> bool:
    """Take the lease of a task that waits or whose lease ran out; False if it is unavailable.

    It is when the task has ended, another holds it, or what it belongs to was cancelled.
    """
    _void(session, is_task(key) & (Task.lease_until < now()))
    taken = session.execute(
        update(Task)
        .where(is_task(key), Task.status == TaskStatus.QUEUED, is_wanted())
        .values(
            status=TaskStatus.RUNNING,
            attempts=Task.attempts + 1,
            owner=owner,
            lease_until=_lease(lease_s),
            sends=0,
            error=None,
        )
        .returning(Task.number)
    ).all()
    if taken:
        settle(session, key)
    return bool(taken)


def renew_task(session: Session, key: TaskKey, *, owner: str, lease_s: float) -> bool:
    """Keep a lease; False when it is lost or what it is for was cancelled: stop then."""
    kept = session.execute(
        update(Task)
        .where(held_by(key, owner), is_wanted())
        .values(lease_until=_lease(lease_s))
        .returning(Task.number)
    ).all()
    return bool(kept)


def give_back(session: Session, key: TaskKey, *, owner: str, error: str | None = None) -> None:
    """Let others go on with a task; what a broken backend or a shutdown ends counts as no try.

    After an outage its message comes again by itself. Without an error nobody has one any more.
    """
    values = _given_back() | {"error": error} | ({} if error else {"sent_at": None})
    session.execute(update(Task).where(held_by(key, owner)).values(**values))
    settle(session, key)


def give_back_unended(session: Session, key: TaskKey, *, process: str) -> None:
    """Let a process go on with a task that an outage has kept it from giving back."""
    own = Task.owner.startswith(process, autoescape=True)
    running = is_task(key) & (Task.status == TaskStatus.RUNNING)
    session.execute(update(Task).where(running, own).values(**_given_back()))


def finish_task(session: Session, key: TaskKey, *, owner: str) -> bool:
    """Note that a task is done; False when its lease was lost.

    Write what came of it next, in the same transaction, then `settle`.
    """
    done = session.execute(
        update(Task)
        .where(held_by(key, owner))
        .values(**_let_go(), status=TaskStatus.DONE)
        .returning(Task.number)
    ).all()
    return bool(done)


def fail_task(session: Session, key: TaskKey, *, owner: str, error: str) -> None:
    """Note a failure that is no outage; too many of them make a task dead."""
    session.execute(
        update(Task)
        .where(held_by(key, owner))
        .values(
            **_let_go(),
            **_nothing_in_hand(),
            status=_dead_if(Task.attempts >= MOST_ATTEMPTS),
            sent_at=None,  # the sweep has another process try
            error=error,
        )
    )
    settle(session, key)


def fail_unopened(session: Session, error: str) -> None:
    """Count a failure for every task that waits: no process could be opened to run it."""
    failed = session.execute(
        update(Task)
        .where(Task.status == TaskStatus.QUEUED, is_wanted())
        .values(
            status=_dead_if(Task.attempts + 1 >= MOST_ATTEMPTS),
            attempts=Task.attempts + 1,
            error=error,
        )
        .returning(Task.kind, Task.subject)
    ).all()
    settle_all(session, failed)


def bury_task(session: Session, key: TaskKey, *, owner: str, error: str) -> None:
    """Make a task dead at once: trying again would not help."""
    session.execute(
        update(Task)
        .where(held_by(key, owner))
        .values(**_let_go(), status=TaskStatus.DEAD, error=error)
    )
    settle(session, key)


def release_all(session: Session) -> None:
    """Void every lease: the caller owns the index, so no other process can be running a task.

    Jobs and lookup batches whose listing ended with its process fail: nobody goes on with those.
    """
    _void(session, true())
    for model, said in UNLISTED.items():
        has_tasks = exists().where(Task.subject == model.id)
        fail_subjects(session, model, (model.status == JobStatus.LISTING) & ~has_tasks, said)


def sweep(session: Session) -> list[TaskKey]:
    """Void the leases that ran out; return tasks whose message has to be sent (again).

    Of each kind at most `MOST_DUE`: bulk comes last, then what has been sent before.
    """
    moment = now()
    _void(session, Task.lease_until < moment)
    by_sends = [(Task.sends <= times, moment - pause) for times, pause in enumerate(PAUSES, 1)]
    is_due = or_(Task.sent_at.is_(None), Task.sent_at < case(*by_sends, else_=moment - PAUSES[-1]))
    waits = (Task.status == TaskStatus.QUEUED) & is_due
    last = [IS_BULK, Task.sent_at.is_not(None)]
    return [
        key
        for kind in TaskKind
        for key in wanted_tasks(session, waits & (Task.kind == kind), last=last, limit=MOST_DUE)
    ]


def held_by(key: TaskKey, owner: str) -> ColumnElement[bool]:
    """Whether this owner holds the lease of a task."""
    return is_task(key) & (Task.status == TaskStatus.RUNNING) & (Task.owner == owner)


def _void(session: Session, lapsed: ColumnElement[bool]) -> None:
    """Take leases from processes that are gone."""
    is_deadly = Task.deaths + 1 >= MOST_DEATHS
    said = [(is_deadly & (Task.kind == kind), text) for kind, text in DEADLY.items()]
    ended = session.execute(
        update(Task)
        .where(Task.status == TaskStatus.RUNNING, lapsed)
        .values(
            **_let_go(),
            status=_dead_if(or_(is_deadly, Task.attempts >= MOST_ATTEMPTS)),
            deaths=Task.deaths + 1,
            sent_at=None,
            error=case(*said, else_=ENDED),
        )
        .returning(Task.kind, Task.subject)
    ).all()
    settle_all(session, ended)


def _given_back() -> dict[str, Any]:
    return (
        _let_go()
        | _nothing_in_hand()
        | {"status": TaskStatus.QUEUED, "attempts": Task.attempts - 1}
    )


def _let_go() -> dict[str, Any]:
    return {"owner": None, "lease_until": None}


def _nothing_in_hand() -> dict[str, Any]:
    """Return what an orderly end leaves: those that are to be done one by one stay so."""
    suspected = Task.alone.is_not(None)
    return {"begun": case((suspected, Task.begun), else_=Task.first), "alone": None}


def _dead_if(too_often: ColumnElement[bool]) -> ColumnElement[TaskStatus]:
    return case(
        (too_often, literal(TaskStatus.DEAD, STATUS)), else_=literal(TaskStatus.QUEUED, STATUS)
    )


def _lease(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)
