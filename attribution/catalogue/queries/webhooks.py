"""Statements about webhooks and what is to be delivered to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    ColumnElement,
    Select,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.orm import Session, joinedload

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    Artwork,
    ArtworkStatus,
    Delivery,
    Generation,
    IngestJob,
    JobKind,
    LookupBatch,
    Webhook,
)
from attribution.catalogue.queries.artists import artist_ids
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.chunks import chunks
from attribution.errors import NotFound
from attribution.events import After, DeliveryStatus, Event
from attribution.tenants import within

AT_ONCE = 1_000  # works in one statement
KINDS: dict[type, JobKind] = {
    IngestJob: JobKind.INGEST,
    Generation: JobKind.GENERATION,
    LookupBatch: JobKind.LOOKUP,
}


def announce(session: Session, event: Event, data: Mapping[str, Any]) -> None:
    """Keep an event for every webhook of the tenant that asked for it."""
    for webhook in _asking(session, event):
        session.add(_delivery(webhook, event, data))


def announce_copies(
    session: Session, after: After, copies: Mapping[UUID, Mapping[str, Any]]
) -> None:
    """Keep for webhooks that are told at this point what shows registered works, by work.

    Who watches other artists is not told, and nobody of works that are not registered any more.
    """
    told = [one for one in _asking(session, Event.COPY_FOUND) if one.after is after]
    watched = {one.id: artist_ids(session, one.artists) for one in told}
    for works in chunks(list(copies) if told else [], AT_ONCE):
        wanted = select(Artwork.id, Artwork.artist_id).where(
            Artwork.id.in_(works), Artwork.status == ArtworkStatus.INDEXED
        )
        for work, artist in session.execute(wanted):
            for one in told:
                if not one.artists or artist in watched[one.id]:
                    session.add(_delivery(one, Event.COPY_FOUND, copies[work]))


def _asking(session: Session, event: Event) -> list[Webhook]:
    return [one for one in session.scalars(_open()) if event in one.events]


def _delivery(webhook: Webhook, event: Event, data: Mapping[str, Any]) -> Delivery:
    return Delivery(
        id=uuid4(), tenant=webhook.tenant, webhook_id=webhook.id, event=event, data=dict(data)
    )


def announce_end(session: Session, row: IngestJob | Generation | LookupBatch) -> None:
    """Keep for whoever wants to know it that a job of any kind has ended."""
    with within(row.tenant):
        said = {"kind": KINDS[type(row)], "id": str(row.id), "status": row.status}
        announce(session, Event.JOB_ENDED, said)


def add_webhook(session: Session, row: Webhook) -> None:
    """Keep a webhook that was just made."""
    session.add(row)
    session.flush()


def count_webhooks(session: Session) -> int:
    """Count those that are told something."""
    return session.scalar(select(func.count()).select_from(_open().subquery())) or 0


def webhook_by_id(session: Session, webhook_id: UUID) -> Webhook:
    """Return a webhook; raises NotFound."""
    row = session.get(Webhook, webhook_id)
    if row is None:
        raise NotFound(f"no webhook {webhook_id}; `lawful webhooks list` and /v1/webhooks show ids")
    return row


def list_webhooks(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[Webhook]:
    """Return a page of webhooks, the newest first, also those that ended."""
    wanted = select(Webhook).order_by(Webhook.created_at.desc(), Webhook.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(Webhook.created_at, Webhook.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def list_deliveries(
    session: Session,
    *,
    webhook_id: UUID | None = None,
    status: DeliveryStatus | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Delivery]:
    """Return a page of deliveries, the newest first."""
    wanted = select(Delivery).order_by(Delivery.created_at.desc(), Delivery.id.desc())
    if webhook_id is not None:
        wanted = wanted.where(Delivery.webhook_id == webhook_id)
    if status is not None:
        wanted = wanted.where(Delivery.status == status)
    if cursor is not None:
        wanted = wanted.where(tuple_(Delivery.created_at, Delivery.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def delivery_by_id(session: Session, delivery_id: UUID) -> Delivery:
    """Return a delivery; raises NotFound."""
    row = session.get(Delivery, delivery_id)
    if row is None:
        raise NotFound(
            f"no delivery {delivery_id}; `lawful webhooks deliveries` and /v1/deliveries show ids"
        )
    return row


def are_due(session: Session) -> bool:
    """Tell whether there is anything to deliver, across tenants."""
    return bool(session.scalar(select(exists().select_from(Delivery).where(*_due()))))


def claim_deliveries(
    session: Session, *, limit: int, each: int, lease: timedelta
) -> list[Delivery]:
    """Take deliveries that are due, across tenants, with their webhooks: others leave them alone.

    `each` of one webhook at most, so that none keeps the others waiting. Until the lease is over;
    whoever died meanwhile has them tried again then.
    """
    place = func.row_number().over(partition_by=Delivery.webhook_id, order_by=Delivery.due_at)
    waiting = select(Delivery.id, Delivery.due_at, place.label("place")).where(*_due()).subquery()
    first = select(waiting.c.id).where(waiting.c.place <= each)
    due = select(Delivery.id).where(
        Delivery.id.in_(first.order_by(waiting.c.place, waiting.c.due_at).limit(limit)), *_due()
    )
    ids = session.scalars(due.with_for_update(skip_locked=True)).all()
    session.execute(
        update(Delivery).where(Delivery.id.in_(ids)).values(due_at=now() + lease),
        execution_options=IN_SQL,
    )
    wanted = select(Delivery).where(Delivery.id.in_(ids)).options(joinedload(Delivery.webhook))
    return list(session.scalars(wanted.execution_options(populate_existing=True)))


def note_attempt(
    session: Session,
    delivery_id: UUID,
    *,
    status: DeliveryStatus,
    answered: int | None,
    error: str | None,
    due_at: datetime,
) -> None:
    """Note what came of an attempt; without effect where the webhook has ended meanwhile."""
    is_done = status is DeliveryStatus.DELIVERED
    session.execute(
        update(Delivery)
        .where(Delivery.id == delivery_id, Delivery.status == DeliveryStatus.PENDING)
        .values(
            status=status,
            attempts=Delivery.attempts + 1,
            answered=answered,
            error=error,
            due_at=due_at,
            delivered_at=now() if is_done else None,
        ),
        execution_options=IN_SQL,
    )


def replay(row: Delivery) -> None:
    """Have a delivery sent now, from the first attempt on."""
    row.status, row.attempts, row.due_at = DeliveryStatus.PENDING, 0, now()
    row.delivered_at = row.error = row.answered = None


def end_webhook(session: Session, row: Webhook) -> None:
    """Tell a webhook nothing any more, nor what waits for it."""
    row.ended_at = now()
    session.execute(
        update(Delivery)
        .where(Delivery.webhook_id == row.id, Delivery.status == DeliveryStatus.PENDING)
        .values(status=DeliveryStatus.GIVEN_UP, error="the webhook has ended"),
        execution_options=IN_SQL,
    )


def forget_deliveries(session: Session, *, before: datetime) -> None:
    """Delete the tenant's deliveries of long ago."""
    session.execute(delete(Delivery).where(Delivery.created_at < before), execution_options=IN_SQL)


def add_test_delivery(session: Session, row: Webhook) -> Delivery:
    """Keep an event that says nothing, to see whether it arrives."""
    one = _delivery(row, Event.TEST, {})
    session.add(one)
    session.flush()
    return one


def _open() -> Select[Webhook]:
    return select(Webhook).where(Webhook.ended_at.is_(None))


def _due() -> tuple[ColumnElement[bool], ...]:
    pending = literal(DeliveryStatus.PENDING, Delivery.status.type, literal_execute=True)
    return Delivery.status == pending, Delivery.due_at <= now()  # as its index says it
