"""Statements about requests for pictures: who draws one, how far it is, what came of it.

As with batches the rows decide and messages only wake workers (`batches`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, case, exists, literal, or_, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.models import Generation, JobStatus
from attribution.catalogue.queries.batches import STALLED
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.errors import Conflict, NotFound

OPEN = (JobStatus.QUEUED, JobStatus.RUNNING)
MOST_ATTEMPTS = 2  # that ended the process: a third would end another
STATUS = Generation.status.type


def add_generation(session: Session, request: Mapping[str, Any]) -> Generation:
    """Keep a request for pictures; it waits for whoever draws."""
    row = Generation(request=dict(request))
    session.add(row)
    session.flush()
    return row


def generation_by_id(session: Session, generation_id: UUID) -> Generation:
    """Return a request; raises NotFound."""
    row = session.get(Generation, generation_id)
    if row is None:
        raise NotFound(f"no generation {generation_id}; GET /v1/generations lists them")
    return row


def list_generations(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[Generation]:
    """Return a page of requests, the newest first."""
    wanted = select(Generation).order_by(Generation.created_at.desc(), Generation.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(Generation.created_at, Generation.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def open_generations(session: Session) -> list[UUID]:
    """Return the requests that wait or run, the oldest first."""
    wanted = select(Generation.id).where(Generation.status.in_(OPEN))
    return list(session.scalars(wanted.order_by(Generation.created_at, Generation.id)))


def claim_generation(
    session: Session, generation_id: UUID, *, owner: str, lease_s: float
) -> Mapping[str, Any] | None:
    """Take the lease of a request that waits or whose lease ran out; None when it is not to be had.

    Returns what is asked for.
    """
    unowned = or_(
        Generation.status == JobStatus.QUEUED,
        (Generation.status == JobStatus.RUNNING) & (Generation.lease_until < now()),
    )
    request: Mapping[str, Any] | None = session.scalar(
        update(Generation)
        .where(Generation.id == generation_id, unowned)
        .values(
            status=JobStatus.RUNNING,
            attempts=Generation.attempts + 1,
            owner=owner,
            lease_until=_lease(lease_s),
            started_at=now(),
            done=0,
        )
        .returning(Generation.request)
    )
    return request


def renew_generation(
    session: Session,
    generation_id: UUID,
    *,
    owner: str,
    lease_s: float,
    progress: tuple[int, int],
) -> bool:
    """Keep a lease and note how far it is (steps done, steps); False when lost or cancelled."""
    done, steps = progress
    kept = session.execute(
        update(Generation)
        .where(_held(generation_id, owner))
        .values(lease_until=_lease(lease_s), done=done, steps=steps)
        .returning(Generation.id)
    ).all()
    return bool(kept)


def finish_generation(
    session: Session, generation_id: UUID, *, owner: str, result: Mapping[str, Any]
) -> None:
    """Note what was drawn; without effect on a request that was cancelled or that another has."""
    session.execute(
        update(Generation)
        .where(_held(generation_id, owner))
        .values(
            status=JobStatus.DONE,
            done=Generation.steps,
            result=dict(result),
            owner=None,
            lease_until=None,
            finished_at=now(),
        )
    )


def fail_generation(session: Session, generation_id: UUID, *, owner: str, error: str) -> None:
    """Note why nothing was drawn; the same again would fail again."""
    session.execute(
        update(Generation)
        .where(_held(generation_id, owner))
        .values(
            status=JobStatus.FAILED, error=error, owner=None, lease_until=None, finished_at=now()
        )
    )


def interrupt_generation(session: Session, generation_id: UUID, error: str) -> None:
    """Note what kept a request from being drawn in this process; one that has ended stays so."""
    session.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.status.in_(OPEN))
        .values(status=JobStatus.FAILED, error=error, finished_at=now())
    )


def give_generation_back(session: Session, generation_id: UUID, *, owner: str) -> None:
    """Let another draw; what an outage or a shutdown ends counts as no try."""
    session.execute(
        update(Generation)
        .where(_held(generation_id, owner))
        .values(
            status=JobStatus.QUEUED,
            attempts=Generation.attempts - 1,
            owner=None,
            lease_until=None,
            sent_at=None,
        )
    )


def cancel_generation(session: Session, generation_id: UUID) -> Generation:
    """End a request after the step in hand; raises NotFound, Conflict when it has ended."""
    row = session.get(Generation, generation_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"no generation {generation_id}; GET /v1/generations lists them")
    if row.status not in OPEN:
        raise Conflict(f"generation {generation_id} is {row.status}: there is nothing to cancel")
    row.status, row.finished_at = JobStatus.CANCELLED, now()
    return row


def release_generations(session: Session) -> None:
    """Void every lease: the caller owns the index, so no other process can be drawing."""
    session.execute(_voided().where(Generation.status == JobStatus.RUNNING))


def sweep_generations(session: Session) -> list[UUID]:
    """Void the leases that ran out; return the requests whose message has to be sent (again)."""
    moment = now()
    lapsed = (Generation.status == JobStatus.RUNNING) & (Generation.lease_until < moment)
    session.execute(_voided().where(lapsed))
    busy = session.scalar(select(exists().where(Generation.status == JobStatus.RUNNING)))
    unsent = Generation.sent_at.is_(None)
    due = unsent if busy else or_(unsent, Generation.sent_at < moment - STALLED)
    wanted = select(Generation.id).where(Generation.status == JobStatus.QUEUED, due)
    return list(session.scalars(wanted.order_by(Generation.created_at, Generation.id)))


def mark_generations_sent(session: Session, ids: Sequence[UUID]) -> None:
    """Note that messages about these requests are on their way."""
    session.execute(update(Generation).where(Generation.id.in_(ids)).values(sent_at=now()))


def _voided() -> Any:
    """Begin a statement that takes a lease from a process that died."""
    tried = Generation.attempts >= MOST_ATTEMPTS
    return update(Generation).values(
        status=case(
            (tried, literal(JobStatus.FAILED, STATUS)), else_=literal(JobStatus.QUEUED, STATUS)
        ),
        error=case((tried, "the process that drew ended without a word, twice"), else_=None),
        finished_at=case((tried, now()), else_=None),
        owner=None,
        lease_until=None,
        sent_at=None,
    )


def _held(generation_id: UUID, owner: str) -> ColumnElement[bool]:
    return (
        (Generation.id == generation_id)
        & (Generation.status == JobStatus.RUNNING)
        & (Generation.owner == owner)
    )


def _lease(seconds: float) -> datetime:
    return now() + timedelta(seconds=seconds)
