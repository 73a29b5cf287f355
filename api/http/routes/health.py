"""For those who run the service: does it live, can it work, what does it count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.http.access import ScopedRoute, needs
from api.http.dependencies import JobsDep, MetricsDep, ServicesDep
from api.schemas import Readiness
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.errors import LawfulError

if TYPE_CHECKING:
    from collections.abc import Callable

router = APIRouter(tags=["operation"], route_class=ScopedRoute)


@router.get("/healthz", summary="Does the process live?")
def healthz() -> dict[str, str]:
    """Answer, and touch nothing else."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Can it work?",
    responses={503: {"model": Readiness, "description": "A part does not answer"}},
)
def readyz(services: ServicesDep, jobs: JobsDep, response: Response) -> Readiness:
    """Ask database, index, file store, broker and models; 503 when one does not answer."""

    def database() -> None:
        with services.sessions() as session:
            queries.keys_exist(session)  # reads a table, however much is registered

    checks: dict[str, Callable[[], object]] = {
        "database": database,
        "index": services.index.points,
        "storage": services.store.check,
        "jobs": jobs.check,
        "models": lambda: services.encoders.infos,
    }
    said = {name: _outcome(check) for name, check in checks.items()}
    ready = all(one == "ok" for one in said.values())
    response.status_code = 200 if ready else 503
    return Readiness(ready=ready, checks=said)


@router.get(
    "/metrics",
    summary="Numbers for Prometheus",
    response_class=PlainTextResponse,
    dependencies=[needs(Scope.READ)],
)
def show_metrics(services: ServicesDep, metrics: MetricsDep) -> Response:
    """Count requests by operation and status, works, artists, jobs."""
    return Response(metrics.render(services), media_type=CONTENT_TYPE_LATEST)


def _outcome(check: Callable[[], object]) -> str:
    try:
        check()
    except LawfulError as error:
        return str(error)
    return "ok"
