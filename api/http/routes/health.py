"""For those who run the service: does it live, can it work, what does it count.

Probes are `async`, and so is all that they depend on: lookups may hold every thread.
"""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from api.http.access import ScopedRoute, needs
from api.http.dependencies import MetricsDep, ProbesDep, ServicesDep
from api.schemas import Readiness
from attribution.actors import Scope

router = APIRouter(tags=["operation"], route_class=ScopedRoute)


@router.get("/healthz", summary="Does the process live?")
async def healthz() -> dict[str, str]:
    """Answer, and touch nothing else."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    summary="Can it work?",
    responses={503: {"model": Readiness, "description": "A part does not answer"}},
)
async def readyz(probes: ProbesDep, response: Response) -> Readiness:
    """Ask database, index, file store, broker and models; 503 when one does not answer."""
    said = await probes.ask()
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
