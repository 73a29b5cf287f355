"""What routes ask for. The application's lifespan opened it; nothing is built here."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.exceptions import RequestValidationError

from api.metrics import Metrics
from attribution.catalog.queries.pages import LARGEST_PAGE
from attribution.services import Services
from ingest.jobs import JobQueue


def services(request: Request) -> Services:
    """Return the parts of this application."""
    found: Services = request.app.state.services
    return found


def jobs(request: Request) -> JobQueue:
    """Return where jobs run."""
    found: JobQueue = request.app.state.jobs
    return found


def metrics(request: Request) -> Metrics:
    """Return the counters."""
    found: Metrics = request.app.state.metrics
    return found


def known_query(request: Request) -> None:
    """Refuse query parameters that the route does not have: a misspelt one would do nothing."""
    asked = get_flat_params(request.scope["route"].dependant)
    others = (params.Path, params.Header, params.Cookie)
    known = {one.alias for one in asked if not isinstance(one.field_info, others)}
    if unknown := sorted(set(request.query_params) - known):
        said = f"no such parameter; known here: {', '.join(sorted(known)) or 'none'}"
        raise RequestValidationError(
            [{"type": "extra_forbidden", "loc": ("query", name), "msg": said} for name in unknown]
        )


ServicesDep = Annotated[Services, Depends(services)]
JobsDep = Annotated[JobQueue, Depends(jobs)]
MetricsDep = Annotated[Metrics, Depends(metrics)]

Cursor = Annotated[
    str | None, Query(max_length=1000, description="`next` of the page before; leave out to begin.")
]
PageSize = Annotated[int, Query(ge=1, le=LARGEST_PAGE, description="Entries a page.")]
