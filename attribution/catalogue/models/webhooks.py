"""Who is told what happened, and how far the telling is."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, Sealed, one_of
from attribution.events import After, DeliveryStatus, Event


class Webhook(Sealed, Base):
    """An address that is told of events. A row is never deleted: deliveries are about it."""

    __tablename__ = "webhooks"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    url: Mapped[str]
    secret: Mapped[str] = mapped_column(String(64))  # by which deliveries are signed
    events: Mapped[list[str]]
    # Slugs of those whose works are watched; empty: all. Only copies are about works.
    artists: Mapped[list[str]]
    after: Mapped[After] = mapped_column(default=After.REVIEW)  # when it is told of copies
    created_at: Mapped[datetime] = mapped_column(default=now)
    asked_by: Mapped[str]
    ended_at: Mapped[datetime | None]

    __table_args__ = (one_of("after", After), Index(None, "tenant", "created_at", "id"))


class Delivery(OfTenant, Base):
    """One event for one webhook: kept in the transaction of what it tells of, sent later."""

    __tablename__ = "deliveries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id"), index=True)
    event: Mapped[Event] = mapped_column(String(32))
    data: Mapped[dict[str, Any]]  # ids and states; no names, so that nothing has to be forgotten
    created_at: Mapped[datetime] = mapped_column(default=now)
    status: Mapped[DeliveryStatus] = mapped_column(default=DeliveryStatus.PENDING)
    attempts: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime] = mapped_column(default=now)  # for the next attempt
    answered: Mapped[int | None]  # the status of the last answer
    error: Mapped[str | None]  # why the last attempt failed
    delivered_at: Mapped[datetime | None]

    webhook: Mapped[Webhook] = relationship(lazy="raise")

    __table_args__ = (
        one_of("status", DeliveryStatus),
        Index(None, "tenant", "created_at", "id"),
        Index(
            "ix_deliveries_due",
            "due_at",
            postgresql_where=text("status = 'pending'"),
            sqlite_where=text("status = 'pending'"),
        ),
    )
