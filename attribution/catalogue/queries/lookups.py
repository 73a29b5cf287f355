"""Statements about lookup batches: their images, what became of each, cancelled, retried.

Who runs one is decided in `leases`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import exists, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.actors import who
from attribution.answers import Verdict
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    JobStatus,
    LookupBatch,
    LookupItem,
    LookupKind,
    LookupOutcome,
    RecordedAttribution,
    Task,
    TaskKind,
    TaskStatus,
    Tenant,
)
from attribution.catalogue.models.lookups import ARTISTS
from attribution.catalogue.queries.batches import FRESH, revive_tasks
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key, number_key
from attribution.catalogue.queries.tasks import OPEN, TaskKey, is_wanted, settle
from attribution.catalogue.queries.webhooks import announce_end
from attribution.errors import Conflict, Hint, NotFound, Way

ITEMS_PER_TASK = 32
WITHOUT_ANSWER = (LookupOutcome.REFUSED, LookupOutcome.TIMED_OUT)


class NewLookup(NamedTuple):
    """An image of a batch that is being listed, or why there is none."""

    name: str
    sha256: str | None = None  # set when the bytes wait in the store
    refused: str | None = None


def add_lookup_batch(
    session: Session, kind: LookupKind, name: str, artists: int = ARTISTS
) -> LookupBatch:
    """Open a batch; its images come next."""
    row = LookupBatch(kind=kind, name=name, artists=artists, asked_by=who().name)
    session.add(row)
    session.flush()
    note(session, "lookup-batch", f"lookup-batch:{row.id}", kind=kind)
    return row


def waiting_lookup_batches(session: Session) -> int:
    """Count the batches that have images to be listed or looked up."""
    wanted = select(func.count(Task.subject.distinct())).where(
        Task.kind == TaskKind.LOOKUP, Task.status.in_(OPEN), is_wanted()
    )
    return session.scalar(wanted) or 0


def add_lookup_listing(session: Session, batch_id: UUID) -> None:
    """Have the images of a batch listed by a worker."""
    session.add(Task(kind=TaskKind.LOOKUP, subject=batch_id, number=0))
    session.flush()


def add_lookup_items(session: Session, batch_id: UUID, items: Sequence[NewLookup]) -> None:
    """Give a batch its images, and the tasks that ask about them."""
    rows: list[dict[str, Any]] = [
        {
            "batch_id": batch_id,
            "position": position,
            "name": one.name,
            "sha256": one.sha256,
            "outcome": LookupOutcome.REFUSED if one.refused else LookupOutcome.PENDING,
            "reason": one.refused,
            "fetched": {},
        }
        for position, one in enumerate(items)
    ]
    moment = now()
    tasks = [
        {
            "kind": TaskKind.LOOKUP,
            "subject": batch_id,
            "number": number,
            "first": first,
            "begun": first,
            "stop": min(first + ITEMS_PER_TASK, len(items)),
            "created_at": moment,
        }
        for number, first in enumerate(range(0, len(items), ITEMS_PER_TASK), 1)
    ]
    session.execute(insert(LookupItem), rows)
    session.execute(insert(Task), tasks)
    settle(session, TaskKey(TaskKind.LOOKUP, batch_id))


def lookup_batch_by_id(session: Session, batch_id: UUID) -> LookupBatch:
    """Return a batch; raises NotFound."""
    row = session.get(LookupBatch, batch_id)
    if row is None:
        raise _missing(batch_id)
    return row


def list_lookup_batches(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[LookupBatch]:
    """Return a page of batches, the newest first."""
    wanted = select(LookupBatch).order_by(LookupBatch.created_at.desc(), LookupBatch.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(LookupBatch.created_at, LookupBatch.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def single_lookup(session: Session, batch_id: UUID) -> LookupItem | None:
    """Return the image of a batch of one; None before it is there."""
    return session.get(LookupItem, {"batch_id": batch_id, "position": 0})


def lookup_counts(session: Session, batch_id: UUID) -> dict[LookupOutcome, int]:
    """Count the images of a batch by outcome, zeros too."""
    statement = (
        select(LookupItem.outcome, func.count())
        .where(LookupItem.batch_id == batch_id)
        .group_by(LookupItem.outcome)
    )
    return dict.fromkeys(LookupOutcome, 0) | dict(session.execute(statement).all())


def lookup_verdicts(session: Session, batch_id: UUID) -> dict[Verdict, int]:
    """Count the answers of a batch by verdict, zeros too."""
    statement = (
        select(RecordedAttribution.verdict, func.count())
        .join(LookupItem, LookupItem.attribution_id == RecordedAttribution.id)
        .where(LookupItem.batch_id == batch_id)
        .group_by(RecordedAttribution.verdict)
    )
    counted = dict(session.execute(statement).all())
    return {verdict: counted.get(verdict, 0) for verdict in Verdict}


def list_lookup_items(
    session: Session,
    batch_id: UUID,
    *,
    outcomes: Collection[LookupOutcome] = (),
    verdict: Verdict | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[tuple[LookupItem, RecordedAttribution | None]]:
    """Return a page of images in the sender's order with their answers; no `outcomes`: of all."""
    wanted = (
        select(LookupItem, RecordedAttribution)
        .outerjoin(RecordedAttribution, RecordedAttribution.id == LookupItem.attribution_id)
        .where(LookupItem.batch_id == batch_id)
        .order_by(LookupItem.position)
    )
    if outcomes:
        wanted = wanted.where(LookupItem.outcome.in_(outcomes))
    if verdict is not None:
        wanted = wanted.where(RecordedAttribution.verdict == verdict)
    if cursor is not None:
        wanted = wanted.where(LookupItem.position > number_key(cursor))
    rows = session.execute(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row[0].position,))


def lookup_answers(session: Session, batch_id: UUID) -> dict[UUID, str]:
    """Return the answers of a batch so far with the names of their images, in their order."""
    statement = (
        select(LookupItem.attribution_id, LookupItem.name)
        .where(LookupItem.batch_id == batch_id, LookupItem.outcome == LookupOutcome.ANSWERED)
        .order_by(LookupItem.position)
    )
    rows = session.execute(statement)
    return {answer: name for answer, name in rows if answer is not None}


def refused_lookups(session: Session, batch_id: UUID) -> list[str]:
    """Return the names of images about which nothing can be said, in the sender's order."""
    statement = (
        select(LookupItem.name)
        .where(LookupItem.batch_id == batch_id, LookupItem.outcome.in_(WITHOUT_ANSWER))
        .order_by(LookupItem.position)
    )
    return list(session.scalars(statement))


def next_lookup(session: Session) -> TaskKey | None:
    """Return the task whose turn it is; None where nobody waits.

    The tenant that has waited longest is next, then its batch that has waited longest. Ask across
    all tenants.
    """
    waiting = (
        select(Task.subject, func.min(Task.number).label("number"))
        .where(Task.kind == TaskKind.LOOKUP, Task.status == TaskStatus.QUEUED)
        .group_by(Task.subject)
        .subquery()
    )
    statement = (
        select(LookupBatch.id, waiting.c.number)
        .join(waiting, waiting.c.subject == LookupBatch.id)
        .join(Tenant, Tenant.name == LookupBatch.tenant)
        .where(LookupBatch.status.in_(UNFINISHED))
        .order_by(
            func.coalesce(Tenant.last_lookup, Tenant.created_at),
            Tenant.name,
            func.coalesce(LookupBatch.last_turn, LookupBatch.created_at),
            LookupBatch.id,
        )
        .limit(1)
    )
    row = session.execute(statement).first()
    return TaskKey(TaskKind.LOOKUP, *row) if row else None


def note_turn(session: Session, batch_id: UUID) -> None:
    """Put a batch, and the tenant whose it is, at the end of the line."""
    moment = now()
    session.execute(update(LookupBatch).where(LookupBatch.id == batch_id).values(last_turn=moment))
    session.execute(
        update(Tenant).where(Tenant.name == tenants.current()).values(last_lookup=moment)
    )


def lookups_so_far(session: Session, batch_id: UUID) -> list[tuple[str, LookupOutcome]]:
    """Return the names and outcomes of the images that have one, in the sender's order."""
    statement = (
        select(LookupItem.name, LookupItem.outcome)
        .where(LookupItem.batch_id == batch_id, LookupItem.outcome != LookupOutcome.PENDING)
        .order_by(LookupItem.position)
    )
    return [(name, outcome) for name, outcome in session.execute(statement)]


def pending_lookups(
    session: Session, batch_id: UUID, *, first: int, stop: int
) -> Sequence[LookupItem]:
    """Return the images of a task that have no outcome yet, in order."""
    statement = (
        select(LookupItem)
        .where(
            LookupItem.batch_id == batch_id,
            LookupItem.outcome == LookupOutcome.PENDING,
            LookupItem.position >= first,
            LookupItem.position < stop,
        )
        .order_by(LookupItem.position)
    )
    return session.scalars(statement).all()


def note_answer(
    session: Session, item: LookupItem, attribution_id: UUID, fetched: Mapping[str, Any]
) -> bool:
    """Note the answer about an image; False where it has an outcome already, which stays."""
    return _conclude(
        session,
        item,
        outcome=LookupOutcome.ANSWERED,
        attribution_id=attribution_id,
        fetched=dict(fetched),
    )


def note_refusal(
    session: Session,
    item: LookupItem,
    reason: str,
    outcome: LookupOutcome = LookupOutcome.REFUSED,
) -> None:
    """Note why nothing can be said of an image; without effect where it has an outcome already."""
    _conclude(session, item, outcome=outcome, reason=reason)


def cancel_lookup_batch(session: Session, batch_id: UUID) -> None:
    """Have a batch end after the image in hand; raises NotFound, Conflict when it has ended."""
    row = _locked(session, batch_id)
    if row.status not in UNFINISHED:
        raise Conflict(f"lookup batch {batch_id} is {row.status}: there is nothing to cancel")
    row.status, row.finished_at = JobStatus.CANCELLED, now()
    note(session, "cancel", f"lookup-batch:{batch_id}")
    announce_end(session, row)


def retry_lookup_batch(session: Session, batch_id: UUID) -> None:
    """Have a batch go on that failed, was cancelled, or has images that timed out.

    Raises NotFound, Conflict.
    """
    row = _locked(session, batch_id)
    is_over = row.status not in UNFINISHED
    if not is_over or (not _ask_again(session, batch_id) and row.status is JobStatus.DONE):
        raise Conflict(
            f"lookup batch {batch_id} is {row.status}; only one that failed, was cancelled or has "
            f"images that timed out goes on"
        )
    revive_tasks(session, batch_id)
    row.status, row.error, row.finished_at = JobStatus.QUEUED, None, None
    note(session, "retry", f"lookup-batch:{batch_id}")
    session.flush()
    settle(session, TaskKey(TaskKind.LOOKUP, batch_id))


def _ask_again(session: Session, batch_id: UUID) -> bool:
    """Have the images that timed out wait again; returns whether there are any."""
    again = session.execute(
        update(LookupItem)
        .where(LookupItem.batch_id == batch_id, LookupItem.outcome == LookupOutcome.TIMED_OUT)
        .values(outcome=LookupOutcome.PENDING, reason=None)
        .returning(LookupItem.position),
        execution_options=IN_SQL,
    ).all()
    waits = exists().where(
        LookupItem.batch_id == batch_id,
        LookupItem.outcome == LookupOutcome.PENDING,
        LookupItem.position >= Task.first,
        LookupItem.position < Task.stop,
    )
    session.execute(
        update(Task)
        .where(Task.subject == batch_id, Task.status == TaskStatus.DONE, waits)
        .values(status=TaskStatus.QUEUED, **FRESH),
        execution_options=IN_SQL,
    )
    return bool(again)


def _conclude(session: Session, item: LookupItem, **values: Any) -> bool:
    concluded = session.execute(
        update(LookupItem)
        .where(
            LookupItem.batch_id == item.batch_id,
            LookupItem.position == item.position,
            LookupItem.outcome == LookupOutcome.PENDING,
        )
        .values(**values)
        .returning(LookupItem.position),
        execution_options=IN_SQL,
    )
    return concluded.first() is not None


def _locked(session: Session, batch_id: UUID) -> LookupBatch:
    row = session.get(LookupBatch, batch_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise _missing(batch_id)
    return row


def _missing(batch_id: UUID) -> NotFound:
    return NotFound(f"no lookup batch {batch_id}", hint=Hint(Way.LIST_LOOKUP_BATCHES))
