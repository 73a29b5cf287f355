"""The HTTP application: opens everything and puts the parts together. No route lives here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from fastapi.concurrency import contextmanager_in_threadpool
from PIL import Image

from api.console.pages import router as console
from api.http import pages, problems
from api.http.access import Access
from api.http.conditions import Unchanged
from api.http.dependencies import known_names
from api.http.description import describe
from api.http.guards import Guard
from api.http.headers import Marked
from api.http.idempotency import Idempotency
from api.http.metrics import Meter, Metrics
from api.http.oidc.login import login_of
from api.http.oidc.provider import provider_of
from api.http.probes import Probes, checks
from api.http.rates import Allowance, Rates
from api.http.routes import (
    artists,
    artworks,
    attributions,
    audit,
    calibration,
    cases,
    changes,
    consents,
    credentials,
    documents,
    evidence,
    generations,
    health,
    holds,
    ingest_jobs,
    jobs,
    keys,
    login,
    lookup_batches,
    maps,
    models,
    non_copies,
    search,
    subjects,
    watches,
    webhooks,
    withdrawals,
)
from api.http.sessions import Sessions
from api.http.streams import Streams
from api.http.tables import Tables
from api.http.uploads import spooled_below
from attribution.collection import check_tenants
from attribution.config import Settings
from attribution.services import Services, open_services
from attribution.tracing import trace_requests
from attribution.upkeep.quotas import OTHERS
from attribution.upkeep.refusals import recorded
from attribution.upkeep.training_summary import Summaries
from ingest.work.jobs import job_queue

DESCRIPTION = f"""{pages.SUMMARY}

Errors are problem details (RFC 9457), whose `type` leads to a page about the kind of error. Lists
come in pages: give `next` as `cursor`. Every answer has an `X-Request-Id`: the request's own, where
that is 1 to 128 of `A-Z a-z 0-9 . _ -`; the service's log has it in every line about the request.

Callers send a key, `Authorization: Bearer lk_…`, or a token of the OpenID provider that the service
is set to; each operation says which scope it needs. Until the first key is made or a provider is
set, the machine that the service runs on is let in without one."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; its lifespan opens the collection and closes it again.

    Starting raises IndexLocked, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextmanager_in_threadpool(_opened(app, settings)):  # probes are answered
            yield

    app = FastAPI(
        title=pages.NAME,
        version=version("lawful-diffusion"),
        description=DESCRIPTION,
        lifespan=lifespan,
        responses={"default": {}},  # in place of the framework's; `describe` says what it is
        docs_url=None,  # the framework's pages load scripts from elsewhere; `pages` has ours
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.openapi = partial(describe, app)  # type: ignore[method-assign]  # as FastAPI documents it
    app.state.metrics = Metrics()
    app.state.allowance = Allowance(settings)
    app.state.summaries = Summaries()
    app.state.streams = Streams(callers=settings.rate_tenant)
    app.state.provider = provider_of(settings)
    app.state.sessions = Sessions(settings)
    app.state.login = login_of(settings, app.state.provider)
    problems.install(app)
    app.add_middleware(Tables)
    app.add_middleware(Unchanged)
    app.add_middleware(Idempotency)
    app.add_middleware(Rates, allowance=app.state.allowance)
    app.add_middleware(Access)  # those that are added later are passed first
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Meter, metrics=app.state.metrics)
    app.add_middleware(Marked)
    _add_routes(app)
    if settings.traces:
        trace_requests(app)
    return app


@contextmanager
def _opened(app: FastAPI, settings: Settings) -> Iterator[None]:
    """Open all that routes ask for."""
    with (
        open_services(settings) as services,
        spooled_below(settings.home),
        job_queue(services) as jobs,
        recorded(services) as refusals,
        closing(Probes(checks(services, jobs))) as probes,
    ):
        check_tenants(services, settings.oidc_tenants.values())
        check_tenants(services, {*settings.quota_works, *settings.quota_mb} - {OTHERS})
        _warm(services)
        app.state.services = services
        app.state.jobs = jobs
        app.state.refusals = refusals
        app.state.probes = probes
        yield


def _add_routes(app: FastAPI) -> None:
    first = APIRouter(dependencies=[Depends(known_names)])
    for part in (
        artists,
        artworks,
        ingest_jobs,
        jobs,
        withdrawals,
        changes,
        consents,
        attributions,
        evidence,
        lookup_batches,
        audit,
        calibration,
        models,
        non_copies,
        subjects,
        cases,
        documents,
        holds,
        watches,
        search,
        maps,
        generations,
        credentials,
        keys,
        webhooks,
    ):
        first.include_router(part.router)
    first.include_router(evidence.of_cases)
    app.include_router(first, prefix="/v1")  # here: without one, each route is worked out at once
    app.include_router(health.router)
    app.include_router(login.router)
    app.include_router(pages.router)
    app.include_router(console)


def _warm(services: Services) -> None:
    """Encode one picture, so that the first request does not pay for what models do once."""
    blank = Image.new("RGB", (64, 64))
    services.encoders.encode([blank])
