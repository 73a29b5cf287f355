"""Webhooks: who is told what happened."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, PageSize, ServicesDep
from api.http.description import also
from api.schemas import PageOut
from api.webhooks import DeliveryOut, MadeWebhookOut, WebhookOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.events import After, DeliveryStatus, Event
from attribution.upkeep import webhooks
from attribution.upkeep.webhooks import ASKED, LONGEST_URL, NewWebhook

router = APIRouter(tags=["webhooks"], route_class=ScopedRoute)


class WebhookWanted(BaseModel):
    """An address, and what it is to be told."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(
        min_length=1,
        max_length=LONGEST_URL,
        description="https://…; plain HTTP and our own network only where LAWFUL_WEBHOOK_HOSTS "
        "names the host.",
        examples=["https://rights.example.org/lawful"],
    )
    events: list[Event] = Field(list(ASKED), max_length=len(Event), description="Left out: all.")
    artists: list[str] = Field(
        [],
        max_length=1_000,
        description="Slugs of those whose works are watched for copies; left out: every artist's.",
        examples=[["ann-example"]],
    )
    after: After = Field(
        After.REVIEW,
        description="When it is told of copies: `review`, when people have decided in a case that "
        "the image shows the work; `found`, at once, when nobody has looked.",
    )


@router.post(
    "/webhooks",
    summary="Make a webhook",
    status_code=201,
    responses=also(404, 409),
    dependencies=[needs(Scope.ADMINISTER)],
)
def create_webhook(asked: WebhookWanted, services: ServicesDep) -> MadeWebhookOut:
    """Have an address told of events from now on, signed as Standard Webhooks are."""
    return MadeWebhookOut.of_made(webhooks.create(services, NewWebhook(**vars(asked))))


@router.get("/webhooks", summary="List webhooks", dependencies=[needs(Scope.ADMINISTER)])
def list_webhooks(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[WebhookOut]:
    """List webhooks, also those that ended, the newest first; no secret is shown again."""
    with services.sessions() as session:
        page = queries.list_webhooks(session, cursor=cursor, limit=limit)
        return PageOut[WebhookOut].of(page, WebhookOut.of)


@router.post(
    "/webhooks/{webhook_id}/end", summary="End a webhook", dependencies=[needs(Scope.ADMINISTER)]
)
def end_webhook(webhook_id: UUID, services: ServicesDep) -> WebhookOut:
    """Tell it nothing any more, nor what still waits. 409 for one that ended already."""
    return WebhookOut.of(webhooks.end(services, webhook_id))


@router.post(
    "/webhooks/{webhook_id}/test",
    summary="Try a webhook",
    status_code=202,
    dependencies=[needs(Scope.ADMINISTER)],
)
def try_webhook(webhook_id: UUID, services: ServicesDep) -> DeliveryOut:
    """Tell it that nothing happened; the list of deliveries says whether that arrived."""
    return DeliveryOut.of(webhooks.try_out(services, webhook_id))


@router.get("/deliveries", summary="List deliveries", dependencies=[needs(Scope.ADMINISTER)])
def list_deliveries(
    services: ServicesDep,
    webhook: Annotated[UUID | None, Query(description="Id of a webhook.")] = None,
    status: DeliveryStatus | None = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[DeliveryOut]:
    """List what was told to webhooks in the last 30 days, the newest first."""
    with services.sessions() as session:
        page = queries.list_deliveries(
            session,
            webhook_id=queries.webhook_by_id(session, webhook).id if webhook else None,
            status=status,
            cursor=cursor,
            limit=limit,
        )
        return PageOut[DeliveryOut].of(page, DeliveryOut.of)


@router.post(
    "/deliveries/{delivery_id}/replay",
    summary="Send a delivery again",
    status_code=202,
    dependencies=[needs(Scope.ADMINISTER)],
)
def replay_delivery(delivery_id: UUID, services: ServicesDep) -> DeliveryOut:
    """Send it once more under the same id, or now where it waits for its next attempt."""
    return DeliveryOut.of(webhooks.replay(services, delivery_id))
