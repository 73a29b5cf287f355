"""How webhooks and their deliveries look over HTTP and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field

from attribution.catalogue.models import Delivery, Webhook
from attribution.events import After, DeliveryStatus, Event


class WebhookOut(BaseModel):
    """An address that is told of events, without its secret."""

    id: UUID
    url: str
    events: list[Event]
    artists: list[str] = Field(description="Slugs of those whose works are watched; empty: all.")
    after: After = Field(description="When it is told of copies.")
    created_at: datetime
    asked_by: str
    ended_at: datetime | None = Field(description="It is told nothing since then.")

    @classmethod
    def of(cls, row: Webhook) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in WebhookOut.model_fields})


class MadeWebhookOut(WebhookOut):
    """A webhook that was just made."""

    secret: str = Field(description="Shown this once: receivers check signatures by it.")

    @classmethod
    def of_made(cls, row: Webhook) -> Self:
        """Shape a row with its secret."""
        return cls(**vars(WebhookOut.of(row)), secret=row.secret)


class DeliveryOut(BaseModel):
    """One event for one webhook."""

    id: UUID = Field(description="Sent as `webhook-id`, the same at every attempt.")
    webhook_id: UUID
    event: Event
    data: dict[str, Any]
    created_at: datetime
    status: DeliveryStatus
    attempts: int
    due_at: datetime = Field(description="Of the next attempt, while it is pending.")
    answered: int | None = Field(description="The status of the last answer.")
    error: str | None = Field(description="Why the last attempt failed.")
    delivered_at: datetime | None

    @classmethod
    def of(cls, row: Delivery) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})
