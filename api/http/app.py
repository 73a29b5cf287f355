"""The HTTP application: opens everything and puts the parts together. No route lives here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, Depends, FastAPI
from PIL import Image

from api.http import problems
from api.http.access import Access
from api.http.dependencies import known_names
from api.http.guards import Guard
from api.http.idempotency import Idempotency
from api.http.metrics import Meter, Metrics
from api.http.rates import Rates
from api.http.routes import (
    artists,
    artworks,
    attributions,
    audit,
    calibration,
    changes,
    generations,
    health,
    ingest_jobs,
    keys,
    non_copies,
    search,
    withdrawals,
)
from api.http.tables import Tables
from api.http.uploads import spooled_below
from attribution.config import Settings
from attribution.services import Services, open_services
from ingest.work.jobs import job_queue

DESCRIPTION = """Whose work does this image draw on, how sure are we, and what is the evidence?

Errors are problem details (RFC 9457). Lists come in pages: give `next` as `cursor`.
Callers send a key, `Authorization: Bearer lk_…`; each operation says which scope it needs. Until
the first key is made, the machine that the service runs on is let in without one."""


def create_app(settings: Settings) -> FastAPI:
    """Build the application; its lifespan opens the collection and closes it again.

    Starting raises IndexLocked, ProfileMismatch, SchemaMismatch, ModelUnavailable.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with (
            open_services(settings) as services,
            spooled_below(settings.home),
            job_queue(services) as jobs,
        ):
            _warm(services)
            app.state.services = services
            app.state.jobs = jobs
            yield

    app = FastAPI(
        title="Lawful Diffusion",
        version=version("lawful-diffusion"),
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=problems.RESPONSES,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.metrics = Metrics()
    problems.install(app)
    app.add_middleware(Tables)
    app.add_middleware(Idempotency)
    app.add_middleware(Rates, settings=settings)
    app.add_middleware(Access)  # those that are added later are passed first
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Meter, metrics=app.state.metrics)
    first = APIRouter(prefix="/v1", dependencies=[Depends(known_names)])
    for part in (
        artists,
        artworks,
        ingest_jobs,
        withdrawals,
        changes,
        attributions,
        audit,
        calibration,
        non_copies,
        search,
        generations,
        keys,
    ):
        first.include_router(part.router)
    app.include_router(first)
    app.include_router(health.router)
    return app


def _warm(services: Services) -> None:
    """Encode one picture, so that the first request does not pay for what models do once."""
    blank = Image.new("RGB", (64, 64))
    services.encoders.encode([blank])
