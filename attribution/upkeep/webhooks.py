"""Webhooks: made, tried, ended; and their deliveries sent again by hand."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import httpx

from attribution.actors import who
from attribution.catalogue import chain, queries
from attribution.catalogue.models import Delivery, Webhook
from attribution.collection import Stores
from attribution.config import Settings
from attribution.errors import BadInput, Conflict
from attribution.events import After, Event
from attribution.network import parsed

LONGEST_URL = 2_000  # characters
MOST_WEBHOOKS = 20  # of a tenant that are told something: each event asks all of them
SECRET = "whsec_"  # noqa: S105  how Standard Webhooks begin a secret
SECRET_BYTES = 32
ASKED = tuple(one for one in Event if one is not Event.TEST)


@dataclass(frozen=True)
class NewWebhook:
    """An address, and what it is to be told."""

    url: str
    events: Collection[Event] = ASKED
    artists: Collection[str] = ()  # slugs of those whose works are watched; empty: all
    after: After = After.REVIEW  # what nobody has reviewed is told only to those who ask for it


def create(stores: Stores, new: NewWebhook) -> Webhook:
    """Make a webhook; its secret is shown this once.

    Raises BadInput for an address that cannot be told, NotFound for an artist that is not
    registered, Conflict where there are MOST_WEBHOOKS.
    """
    url = checked_url(new.url, stores.settings)
    if not new.events:
        raise BadInput(f"the webhook would be told nothing: name events ({', '.join(ASKED)})")
    with stores.sessions.begin() as session:
        if queries.count_webhooks(session) >= MOST_WEBHOOKS:
            raise Conflict(f"there are {MOST_WEBHOOKS} webhooks, and no more may be; end one first")
        row = Webhook(
            url=url,
            secret=SECRET + b64encode(secrets.token_bytes(SECRET_BYTES)).decode(),
            events=sorted(set(new.events)),
            artists=sorted({queries.artist_by_slug(session, one).slug for one in new.artists}),
            after=new.after,
            asked_by=who().name,
        )
        queries.add_webhook(session, row)
        said = {"host": httpx.URL(url).host, "events": row.events, "artists": row.artists}
        chain.note(session, "create-webhook", f"webhook:{row.id}", **said, after=row.after)
        return row


def end(stores: Stores, webhook_id: UUID) -> Webhook:
    """Tell a webhook nothing any more. Raises NotFound, Conflict for one that ended."""
    with stores.sessions.begin() as session:
        row = queries.webhook_by_id(session, webhook_id)
        _check_open(row)
        queries.end_webhook(session, row)
        chain.note(session, "end-webhook", f"webhook:{row.id}")
        return row


def try_out(stores: Stores, webhook_id: UUID) -> Delivery:
    """Tell a webhook that nothing happened. Raises NotFound, Conflict for one that ended."""
    with stores.sessions.begin() as session:
        row = queries.webhook_by_id(session, webhook_id)
        _check_open(row)
        return queries.add_test_delivery(session, row)


def replay(stores: Stores, delivery_id: UUID) -> Delivery:
    """Send a delivery again, or now where it waits for its next attempt; under the same id.

    Raises NotFound, Conflict for one whose webhook ended.
    """
    with stores.sessions.begin() as session:
        row = queries.delivery_by_id(session, delivery_id)
        _check_open(queries.webhook_by_id(session, row.webhook_id))
        queries.replay(row)
        return row


def checked_url(url: str, settings: Settings) -> str:
    """Return an address that can be told something; raises BadInput.

    Plain HTTP, and our own network, only where LAWFUL_WEBHOOK_HOSTS names the host.
    """
    if len(url) > LONGEST_URL:
        raise BadInput(f"{url[:60]}… has more than {LONGEST_URL} characters")
    place = parsed(url)
    is_ours = place.host in settings.webhook_hosts
    if not place.host or place.scheme not in ({"https", "http"} if is_ours else {"https"}):
        raise BadInput(
            f"{url[:200]!r} cannot be told anything: give https://…; plain http:// only to hosts "
            f"that LAWFUL_WEBHOOK_HOSTS names"
        )
    return str(place)


def _check_open(row: Webhook) -> None:
    if row.ended_at is not None:
        raise Conflict(f"the webhook {row.id} ended on {row.ended_at:%Y-%m-%d}; make another")
