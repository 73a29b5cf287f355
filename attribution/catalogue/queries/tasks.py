"""Statements about tasks: which are open, and what that makes of the job or generation they are of.

Who runs one is decided in `leases`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, cast
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Row,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    DeniedFile,
    Generation,
    IngestJob,
    JobStatus,
    LookupBatch,
    Task,
    TaskKind,
    TaskStatus,
)
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.webhooks import announce_end
from attribution.errors import NotFound

OPEN = (TaskStatus.QUEUED, TaskStatus.RUNNING)
Subject = IngestJob | Generation | LookupBatch
SUBJECTS: dict[TaskKind, type[Subject]] = {
    TaskKind.LIST: IngestJob,
    TaskKind.INGEST: IngestJob,
    TaskKind.DRAW: Generation,
    TaskKind.LOOKUP: LookupBatch,
}
FIRST_BATCHES = 8  # of a job: so much of each comes before the rest of any
IS_BULK = (Task.kind == TaskKind.INGEST) & (Task.number > FIRST_BATCHES)
LISTS = (Task.kind == TaskKind.LIST) | ((Task.kind == TaskKind.LOOKUP) & (Task.number == 0))


class TaskKey(NamedTuple):
    """Names one task: its kind, the job or generation that it belongs to, its number there."""

    kind: TaskKind
    subject: UUID
    number: int = 0

    @property
    def is_bulk(self) -> bool:
        """Whether it is of the rest of a large job, for which nothing else waits; as `IS_BULK`."""
        return self.kind is TaskKind.INGEST and self.number > FIRST_BATCHES


def open_tasks(session: Session, subject: UUID | None = None) -> list[TaskKey]:
    """Return the tasks that wait or run, of one job or generation or all, the oldest first."""
    of_this = true() if subject is None else Task.subject == subject
    return wanted_tasks(session, Task.status.in_(OPEN) & of_this)


def task_by_key(session: Session, key: TaskKey) -> Task:
    """Return a task; raises NotFound."""
    task = session.get(Task, key._asdict())
    if task is None:
        raise NotFound(f"{key.subject} has no task {key.kind} {key.number}")
    return task


def trouble_of(session: Session, subject: UUID) -> str | None:
    """Return what an unfinished job or generation waits for: the last error of an open task."""
    statement = select(func.min(Task.error)).where(
        Task.subject == subject, Task.status.in_(OPEN), is_wanted()
    )
    return session.scalar(statement)


def mark_sent(session: Session, keys: Sequence[TaskKey]) -> None:
    """Note that messages about these tasks are on their way."""
    if keys:
        moment = now()
        statement = update(Task).where(
            Task.kind == bindparam("of"),
            Task.subject == bindparam("whose"),
            Task.number == bindparam("which"),
        )
        session.connection().execute(
            statement.values(sent_at=moment, sends=Task.sends + 1),
            [dict(zip(("of", "whose", "which"), key, strict=True)) for key in keys],
        )


def settle(session: Session, key: TaskKey) -> None:
    """Have the job or generation of a task stand where its tasks are; one that has ended stays."""
    # Locked first: of two workers that claim or end two of its tasks, one must see the other's.
    row = locked_subject(session, key)
    if row is None or row.status not in UNFINISHED:
        return
    statement = (
        select(LISTS, Task.status, func.max(Task.error))
        .where(Task.subject == key.subject)
        .group_by(LISTS, Task.status)
    )
    errors = {(bool(lists), status): error for lists, status, error in session.execute(statement)}
    row.status = _status_over(errors.keys())
    if row.status is JobStatus.RUNNING and row.started_at is None:
        row.started_at = now()
    if row.status in UNFINISHED:
        return
    if row.status is JobStatus.DONE:  # nothing of it comes any more
        session.execute(delete(DeniedFile).where(DeniedFile.job_id == key.subject))
    said = [error for (_, status), error in errors.items() if status is TaskStatus.DEAD]
    row.error = said[0] if said else None
    row.finished_at = now()
    announce_end(session, row)


def settle_all(session: Session, tasks: Iterable[Row[TaskKind, UUID]]) -> None:
    """Settle what these tasks belong to."""
    # In order, or two processes that settle the same ones could wait for each other.
    keys = {TaskKey(kind, subject) for kind, subject in tasks}
    for key in sorted(keys, key=lambda key: key.subject):
        settle(session, key)


def interrupt(session: Session, subject: UUID, error: str) -> None:
    """Note what stopped a job or generation in this process; one that has ended stays as it is."""
    for model in dict.fromkeys(SUBJECTS.values()):
        fail_subjects(session, model, (model.id == subject) & model.status.in_(UNFINISHED), error)


def fail_subjects(
    session: Session, model: type[Subject], which: ColumnElement[bool], error: str
) -> None:
    """Have some jobs or generations fail, and tell whoever wants to know."""
    failed = session.scalars(
        update(model)
        .where(which)
        .values(status=JobStatus.FAILED, finished_at=now(), error=error)
        .returning(model)
    )
    for row in failed.all():
        announce_end(session, cast("Subject", row))


def locked_subject(session: Session, key: TaskKey) -> Subject | None:
    """Return what a task belongs to, locked; None if there is none."""
    model = SUBJECTS[key.kind]
    row = session.get(model, key.subject, with_for_update=True, populate_existing=True)
    return cast("Subject | None", row)  # mypy joins the classes to their common base


def wanted_tasks(
    session: Session,
    which: ColumnElement[bool],
    *,
    last: Sequence[ColumnElement[bool]] = (),
    limit: int | None = None,
) -> list[TaskKey]:
    """Return those of some tasks whose job or generation goes on, the oldest first.

    Those of which the first of `last` is true come after the others, then by the second.
    """
    statement = (
        select(Task.kind, Task.subject, Task.number)
        .where(which, is_wanted())
        .order_by(*last, Task.created_at, Task.subject, Task.number)
        .limit(limit)
    )
    return [TaskKey(*row) for row in session.execute(statement)]


def is_task(key: TaskKey) -> ColumnElement[bool]:
    """Whether a row is this task."""
    return (Task.subject == key.subject) & (Task.kind == key.kind) & (Task.number == key.number)


def is_wanted() -> ColumnElement[bool]:
    """Whether what a task belongs to goes on."""
    return or_(
        *(
            exists().where(model.id == Task.subject, model.status.in_(UNFINISHED)).correlate(Task)
            for model in dict.fromkeys(SUBJECTS.values())
        )
    )


def _status_over(tasks: Collection[tuple[bool, TaskStatus]]) -> JobStatus:
    """Return where a job is whose tasks are in these states, the one that lists among them."""
    if any(lists and status in OPEN for lists, status in tasks):
        return JobStatus.LISTING
    states = {status for _, status in tasks}
    if TaskStatus.RUNNING in states:
        return JobStatus.RUNNING
    if TaskStatus.QUEUED in states:
        return JobStatus.QUEUED
    return JobStatus.FAILED if TaskStatus.DEAD in states else JobStatus.DONE
