"""What happened is told to webhooks: signed, and tried again with growing pauses.

Headers and signature are those of Standard Webhooks 1.0 (standardwebhooks.com), for which receivers
have libraries: the id of a delivery is the same at every attempt, so that a second one can be left
out, and the time is signed, so that an old one can be refused.
"""

from __future__ import annotations

import hmac
import json
import logging
import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256

import httpcore
import httpx

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Delivery
from attribution.collection import Stores
from attribution.config import Settings
from attribution.errors import AddressRefused
from attribution.events import DeliveryStatus
from attribution.network import CheckedNetwork, is_public
from attribution.threads import Threads
from attribution.upkeep.webhooks import SECRET

log = logging.getLogger(__name__)

PAUSES = tuple(  # behind each failed attempt; behind the last it is given up, after three days
    timedelta(seconds=seconds)
    for seconds in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
AT_MOST_S = 10.0  # for a connection, a request and the beginning of an answer
AT_ONCE = 8
CLAIMED = AT_ONCE  # deliveries in one round: between two of them it may end
EACH = 2  # of one webhook in a round: one that is slow leaves the others room
ONE_GO_S = 30.0
LEASE = timedelta(seconds=AT_MOST_S * 6)
LONGEST_ERROR = 200  # characters
KEPT_FOR = timedelta(days=30)
GONE = 410  # the receiver wants nothing more


@dataclass(frozen=True)
class Sender:
    """Sends to addresses on the public internet, and to hosts that the settings name."""

    hosts: frozenset[str]
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    at_most_s: float = AT_MOST_S

    @classmethod
    def of(cls, settings: Settings) -> Sender:
        """Return the sender of some settings."""
        return cls(frozenset(settings.webhook_hosts))

    def send(self, url: str, headers: dict[str, str], body: bytes) -> int:
        """Return the status of the answer, of which no more is read; raises httpcore's errors."""
        is_ours = httpx.URL(url).host in self.hosts
        until = time.monotonic() + self.at_most_s
        network = CheckedNetwork(until, is_allowed=lambda one: is_ours or is_public(one))
        with (
            httpcore.ConnectionPool(self.tls, network_backend=network) as pool,
            pool.stream("POST", url, headers=[*headers.items()], content=body) as answer,
        ):
            return int(answer.status)


def deliver(stores: Stores, sender: Sender, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Send what is due, of all tenants; returns how many were tried.

    Ends after ONE_GO_S even where more is due, and does nothing while another process is at it.
    """
    until = time.monotonic() + ONE_GO_S
    with stores.sessions() as holder:
        if not queries.take_turn(holder, "deliveries"):
            return 0
        return _deliver(stores, sender, lambda: stopping() or time.monotonic() > until)


def _deliver(stores: Stores, sender: Sender, stopping: Callable[[], bool]) -> int:
    tried = 0
    with tenants.across(), Threads(AT_ONCE) as threads:
        while not stopping():
            with stores.sessions() as session:  # SQLite lets one write at a time
                if not queries.are_due(session):
                    break
            with stores.sessions.begin() as session:
                due = queries.claim_deliveries(session, limit=CLAIMED, each=EACH, lease=LEASE)
            list(threads.map(lambda one: _attempt(stores, sender, one), due))
            tried += len(due)
    return tried


def forget_old(stores: Stores) -> None:
    """Forget the tenant's deliveries of long ago."""
    with stores.sessions.begin() as session:
        queries.forget_deliveries(session, before=now() - KEPT_FOR)


def body_of(delivery: Delivery) -> bytes:
    """Return what is sent: the same bytes at every attempt."""
    said = {
        "type": delivery.event,
        "timestamp": delivery.created_at.isoformat(),
        "data": delivery.data,
    }
    return json.dumps(said, separators=(",", ":"), sort_keys=True).encode()


def signed(delivery: Delivery, secret: str, at: datetime) -> dict[str, str]:
    """Return the headers of an attempt: HMAC-SHA-256 over id, time and body."""
    seconds = str(int(at.timestamp()))
    said = f"{delivery.id}.{seconds}.".encode() + body_of(delivery)
    code = hmac.new(b64decode(secret.removeprefix(SECRET)), said, sha256).digest()
    return {
        "content-type": "application/json",
        "user-agent": "lawful-diffusion",
        "webhook-id": str(delivery.id),
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{b64encode(code).decode()}",
    }


def _attempt(stores: Stores, sender: Sender, delivery: Delivery) -> None:
    answered, error = None, None
    try:
        headers = signed(delivery, delivery.webhook.secret, now())
        answered = sender.send(delivery.webhook.url, headers, body_of(delivery))
        if not 200 <= answered < 300:
            error = f"answered {answered}"
    except httpcore.TimeoutException:
        error = f"no answer within {sender.at_most_s:g} s"
    except (httpcore.NetworkError, ssl.SSLError) as failure:
        error = f"cannot be reached: {failure}"
    except httpcore.ProtocolError as failure:  # whose words are not for whoever named the server
        log.info("delivery %s: %s", delivery.id, failure)
        error = "answered what is not HTTP"
    except AddressRefused as failure:
        error = f"{failure}; LAWFUL_WEBHOOK_HOSTS can allow it"
    except Exception as failure:
        log.exception("delivery %s", delivery.id)
        error = f"cannot be sent: {type(failure).__name__}: {failure}"
    status, due_at = _after(delivery.attempts, answered, error)
    with stores.sessions.begin() as session:
        queries.note_attempt(
            session,
            delivery.id,
            status=status,
            answered=answered,
            error=error and error[:LONGEST_ERROR],
            due_at=due_at,
        )


def _after(
    attempts: int, answered: int | None, error: str | None
) -> tuple[DeliveryStatus, datetime]:
    """Return where a delivery stands after one more attempt, and when the next is due."""
    if error is None:
        return DeliveryStatus.DELIVERED, now()
    if answered == GONE or attempts >= len(PAUSES):
        return DeliveryStatus.GIVEN_UP, now()
    return DeliveryStatus.PENDING, now() + PAUSES[attempts]
