"""Insight: how lookups go, what the service does, who did what, and who may do what."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from threading import BoundedSemaphore
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import SecretStr

from api.audit import VerifiedOut
from api.console.charts import SIDE, Chart, reliability, stacked
from api.console.permits import permitted
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, End, ServicesDep
from api.http.routes.audit import entries_wanted, list_audit
from api.http.routes.calibration import get_calibration
from api.http.routes.generations import list_generations
from api.http.routes.ingest_jobs import list_ingest_jobs
from api.http.routes.keys import list_keys, revoke_key
from api.http.routes.lookup_batches import list_lookup_batches
from api.http.routes.webhooks import (
    end_webhook,
    list_deliveries,
    list_webhooks,
    replay_delivery,
    try_webhook,
)
from attribution import tenants
from attribution.actors import ROLES, Role, Scope, who
from attribution.catalogue import queries
from attribution.catalogue.chain import NO_HEAD
from attribution.catalogue.models import JobStatus
from attribution.catalogue.queries import EntriesWanted
from attribution.catalogue.verification import kept_head, verify
from attribution.config import Settings
from attribution.errors import NotAllowed
from attribution.events import After, DeliveryStatus, Event
from attribution.lookup import wording
from attribution.services import Services
from attribution.upkeep import keys, webhooks
from attribution.upkeep.keys import NewKey
from attribution.upkeep.overview import BINS, DAYS, MOST, Spread, kept_of, late
from attribution.upkeep.webhooks import ASKED, NewWebhook

router = APIRouter(prefix="/insight", route_class=PageRoute)

SHOWN = 50  # of a list
JOBS = 20  # of each kind
MOST_VERIFIED = 10_000  # entries: a few seconds
VERIFIED = (1_000, MOST_VERIFIED)  # to choose from
VERIFICATIONS = BoundedSemaphore(1)  # each keeps a snapshot of the database open
NO_PLACE = re.compile(r"(?<=://)\S*@|(?<=\?)\S*")  # users and passwords of a URL, its parameters

ADMINISTERS = needs(Scope.ADMINISTER)


@dataclass(frozen=True)
class Job:
    """A job of any kind, as a list shows it."""

    place: str
    what: str
    at: datetime
    status: JobStatus
    error: str | None


@router.get("", dependencies=[needs(Scope.READ)])
def show_insight(request: Request, services: ServicesDep) -> Response:
    """Show how lookups went, and what the last calibration has found."""
    with services.sessions() as session:
        row = queries.calibration_of(session, services.row.fingerprint)
    kept = row and kept_of(row)
    found = late(services)
    by_day = {
        f"{day:%Y-%m-%d}": {verdict.value: number for verdict, number in counted.items()}
        for day, counted in found.days.items()
    }
    return page(
        request,
        "insight.html",
        calibration=get_calibration(services),
        kept=kept,
        right=kept and _bins(kept.right),
        strangers=kept and _bins(kept.strangers),
        bins=BINS,
        diagram=reliability(kept.reliability.bins) if kept and kept.reliability else [],
        side=SIDE,
        reliability_said=wording.reliability_said(kept.reliability) if kept else "",
        late=found,
        days=DAYS,
        most=MOST,
        chart=stacked(by_day),
        words=wording.VERDICTS,
        spaces=wording.SPACES,
    )


def _bins(spread: Spread) -> Chart:
    step = 100 // BINS
    return stacked(
        {
            f"{number * step} to {(number + 1) * step}%": {"share": share}
            for number, share in enumerate(spread.shares)
        }
    )


@router.get("/jobs", dependencies=[needs(Scope.READ)])
def show_jobs(request: Request, services: ServicesDep) -> Response:
    """Show the last jobs of every kind."""
    return page(
        request,
        "insight_jobs.html",
        jobs=sorted(_jobs(services), key=lambda one: one.at, reverse=True),
        shown=JOBS,
    )


def _jobs(services: Services) -> Iterable[Job]:
    for one in list_ingest_jobs(services, limit=JOBS).items:
        yield Job(f"ingest/{one.id}", one.source, one.created_at, one.status, one.error)
    for batch in list_lookup_batches(services, limit=JOBS).items:
        yield Job(f"batches/{batch.id}", batch.name, batch.created_at, batch.status, batch.error)
    for drawn in list_generations(services, limit=JOBS).items:
        words = drawn.request["prompt"]
        yield Job(f"generate/{drawn.id}", words, drawn.created_at, drawn.status, drawn.error)


@router.get("/settings", dependencies=[ADMINISTERS])
def show_settings(request: Request, services: ServicesDep) -> Response:
    """Show the settings in force, without secrets, to whoever runs the service."""
    settings = services.settings if runs_the_service(services) else None
    return page(
        request, "insight_settings.html", settings=settings and list(shown_settings(settings))
    )


def runs_the_service(services: Services) -> bool:
    """Tell whether the caller's tenant is the deployment's own: others share the machine only."""
    return tenants.current() == services.settings.tenant


def shown_settings(settings: Settings) -> Iterable[tuple[str, str, bool]]:
    """Yield name, value and whether it was set, of each."""
    for name in type(settings).model_fields:
        is_set = name in settings.model_fields_set
        yield f"LAWFUL_{name.upper()}", _said(getattr(settings, name)), is_set


def _said(value: Any) -> str:
    if isinstance(value, SecretStr):
        return "set, and not shown"
    if value in (None, "", [], {}):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {said}" for name, said in value.items())
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return NO_PLACE.sub("…", text) if "://" in text else text


@router.get("/audit", dependencies=[needs(Scope.AUDIT)])
def show_audit(
    request: Request,
    services: ServicesDep,
    wanted: Annotated[EntriesWanted, Depends(entries_wanted)],
    cursor: Cursor = None,
) -> Response:
    """Show who did what, and how far the audit goes."""
    asked = {"action": wanted.action, "actor": wanted.actor, "object": wanted.about}
    asked["since"] = request.query_params.get("since")
    given = EntriesWanted(
        wanted.action or None, wanted.actor or None, wanted.about or None, wanted.since
    )
    entries = list_audit(services, given, cursor=cursor, limit=SHOWN)
    runs = runs_the_service(services)
    with services.sessions() as session:
        head = kept_head(session) if runs else None
    return page(
        request,
        "insight_audit.html",
        entries=entries,
        asked=asked,
        runs=runs,
        head=head,
        no_head=NO_HEAD,
        verified=VERIFIED,
    )


@router.post("/audit/verify", dependencies=[needs(Scope.AUDIT)])
def verify_audit(
    request: Request,
    services: ServicesDep,
    entries: Annotated[int, Form(ge=1, le=MOST_VERIFIED)] = VERIFIED[0],
) -> Response:
    """Walk the last entries, and compare what they vouch for.

    For whoever runs the service: the audit is one for all tenants.
    """
    if not runs_the_service(services):
        raise NotAllowed(
            "the audit is one for all tenants: whoever runs the service verifies it, with `lawful "
            "audit verify`"
        )
    with permitted(VERIFICATIONS, "the audit is being verified already"):
        with services.sessions() as session:
            head = kept_head(session)
        since = max((head.sequence if head else 0) - entries, 0) + 1
        found = verify(services.sessions, lambda *_: None, since=since, most=entries)
    return page(request, "insight_verified.html", found=VerifiedOut.of(found), since=since)


@router.get("/keys", dependencies=[ADMINISTERS])
def show_keys(request: Request, services: ServicesDep, cursor: Cursor = None) -> Response:
    """Show who may do what, and ask for another key."""
    return page(
        request,
        "insight_keys.html",
        keys=list_keys(services, cursor=cursor, limit=SHOWN),
        are_needed=keys.are_needed(services),
        roles=[role for role in Role if ROLES[role] <= who().scopes],
        longest=keys.LONGEST_NAME,
    )


@router.post("/keys", dependencies=[ADMINISTERS])
def create_key(
    request: Request,
    services: ServicesDep,
    role: Annotated[Role, Form()],
    name: Annotated[str, Form()] = "",
    artists: Annotated[str, Form(max_length=10_000)] = "",
    expires_at: Annotated[End | None, Form()] = None,
) -> Response:
    """Make a key; its token is shown this once."""
    new = NewKey(name, role, artists=_slugs(artists), expires_at=expires_at)
    made = keys.create(services, new)
    return page(request, "insight_made.html", what="key", place="keys", secret=made.token)


@router.post("/keys/{key_id}/revoke", dependencies=[ADMINISTERS])
def revoke(request: Request, key_id: UUID, services: ServicesDep) -> Response:
    """Have a key open nothing from now on."""
    revoke_key(key_id, services)
    return went(request, "insight/keys")


@router.get("/webhooks", dependencies=[ADMINISTERS])
def show_webhooks(
    request: Request,
    services: ServicesDep,
    webhook: Annotated[UUID | None, Query()] = None,
    status: DeliveryStatus | None = None,
    cursor: Cursor = None,
) -> Response:
    """Show who is told what, and what was told of late."""
    return page(
        request,
        "insight_webhooks.html",
        webhooks=list_webhooks(services, limit=SHOWN),
        deliveries=list_deliveries(services, webhook, status, cursor=cursor, limit=SHOWN),
        webhook=webhook,
        only=status,
        statuses=list(DeliveryStatus),
        events=ASKED,
        afters=list(After),
        longest=webhooks.LONGEST_URL,
    )


@router.post("/webhooks", dependencies=[ADMINISTERS])
def create_webhook(
    request: Request,
    services: ServicesDep,
    after: Annotated[After, Form()] = After.REVIEW,
    url: Annotated[str, Form()] = "",
    events: Annotated[list[Event], Form()] = [],  # noqa: B006  FastAPI copies it
    artists: Annotated[str, Form(max_length=10_000)] = "",
) -> Response:
    """Make a webhook; its secret is shown this once."""
    made = webhooks.create(services, NewWebhook(url, events, _slugs(artists), after))
    return page(request, "insight_made.html", what="webhook", place="webhooks", secret=made.secret)


@router.post("/webhooks/{webhook_id}/end", dependencies=[ADMINISTERS])
def end(request: Request, webhook_id: UUID, services: ServicesDep) -> Response:
    """Tell a webhook nothing any more."""
    end_webhook(webhook_id, services)
    return went(request, "insight/webhooks")


@router.post("/webhooks/{webhook_id}/test", dependencies=[ADMINISTERS])
def try_out(request: Request, webhook_id: UUID, services: ServicesDep) -> Response:
    """Tell a webhook that nothing happened."""
    try_webhook(webhook_id, services)
    return went(request, f"insight/webhooks?webhook={webhook_id}")


@router.post("/deliveries/{delivery_id}/replay", dependencies=[ADMINISTERS])
def replay(request: Request, delivery_id: UUID, services: ServicesDep) -> Response:
    """Send a delivery once more."""
    delivery = replay_delivery(delivery_id, services)
    return went(request, f"insight/webhooks?webhook={delivery.webhook_id}")


def _slugs(text: str) -> list[str]:
    return text.replace(",", " ").split()
