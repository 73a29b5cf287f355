"""Statements about lookup batches: their images, what became of each, cancelled, retried.

Who runs one is decided in `leases`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.actors import who
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
)
from attribution.catalogue.models.lookups import ARTISTS
from attribution.catalogue.queries.batches import revive_tasks
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key, number_key
from attribution.catalogue.queries.tasks import OPEN, TaskKey, is_wanted, settle
from attribution.catalogue.queries.webhooks import announce_end
from attribution.errors import Conflict, Hint, NotFound, Way

ITEMS_PER_TASK = 32


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


def list_lookup_items(
    session: Session,
    batch_id: UUID,
    *,
    outcome: LookupOutcome | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[tuple[LookupItem, RecordedAttribution | None]]:
    """Return a page of images in the sender's order, each with its answer."""
    wanted = (
        select(LookupItem, RecordedAttribution)
        .outerjoin(RecordedAttribution, RecordedAttribution.id == LookupItem.attribution_id)
        .where(LookupItem.batch_id == batch_id)
        .order_by(LookupItem.position)
    )
    if outcome is not None:
        wanted = wanted.where(LookupItem.outcome == outcome)
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
        .where(LookupItem.batch_id == batch_id, LookupItem.outcome == LookupOutcome.REFUSED)
        .order_by(LookupItem.position)
    )
    return list(session.scalars(statement))


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


def note_refusal(session: Session, item: LookupItem, reason: str) -> None:
    """Note why nothing can be said of an image; without effect where it has an outcome already."""
    _conclude(session, item, outcome=LookupOutcome.REFUSED, reason=reason)


def cancel_lookup_batch(session: Session, batch_id: UUID) -> None:
    """Have a batch end after the image in hand; raises NotFound, Conflict when it has ended."""
    row = _locked(session, batch_id)
    if row.status not in UNFINISHED:
        raise Conflict(f"lookup batch {batch_id} is {row.status}: there is nothing to cancel")
    row.status, row.finished_at = JobStatus.CANCELLED, now()
    note(session, "cancel", f"lookup-batch:{batch_id}")
    announce_end(session, row)


def retry_lookup_batch(session: Session, batch_id: UUID) -> None:
    """Have a failed or cancelled batch go on where it stopped; raises NotFound, Conflict."""
    row = _locked(session, batch_id)
    if row.status not in {JobStatus.FAILED, JobStatus.CANCELLED}:
        raise Conflict(
            f"lookup batch {batch_id} is {row.status}; only a failed or cancelled one goes on"
        )
    revive_tasks(session, batch_id)
    row.status, row.error, row.finished_at = JobStatus.QUEUED, None, None
    note(session, "retry", f"lookup-batch:{batch_id}")
    session.flush()
    settle(session, TaskKey(TaskKind.LOOKUP, batch_id))


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
