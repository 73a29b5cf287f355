"""Jobs of every kind: where one stands, asked for once or told as it changes."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ServicesDep, StreamsDep
from api.http.description import BYTES, also
from api.http.streams import MEDIA_TYPE, JobStream, event_id
from api.jobs import JobStateOut
from attribution.actors import Scope, who
from attribution.catalogue import queries
from attribution.services import Services

router = APIRouter(prefix="/jobs", tags=["jobs"], route_class=ScopedRoute)


@router.get("/{job_id}", summary="Get the state of a job", dependencies=[needs(Scope.READ)])
def get_job(job_id: UUID, services: ServicesDep) -> JobStateOut:
    """Where a job stands, in one shape for jobs of every kind."""
    return _state(services, job_id)


@router.get(
    "/{job_id}/events",
    summary="Be told how far a job is",
    response_class=StreamingResponse,
    responses=also(429)
    | {
        200: {"description": "Events", "content": {MEDIA_TYPE: {"schema": BYTES}}},
        204: {"description": "It has ended, and the client has its last event"},
    },
    dependencies=[needs(Scope.READ)],
)
async def get_job_events(
    job_id: UUID,
    services: ServicesDep,
    streams: StreamsDep,
    last_event_id: Annotated[
        str | None, Header(max_length=100, description="`id` of the last event you have.")
    ] = None,
) -> Response:
    """Send events until the job has ended: `progress` when its state changes, `ended` at last.

    `data` is the state as `GET /v1/jobs/{id}` has it. A comment comes every 15 seconds when nothing
    else does.
    """
    read = partial(_state, services, job_id)
    state = await run_in_threadpool(read)  # 404 before anything is sent
    if state.has_ended and last_event_id == event_id(state):
        return Response(status_code=204)  # has browsers not ask again
    return JobStream(streams, who().id, read, last_event_id)


def _state(services: Services, job_id: UUID) -> JobStateOut:
    with services.sessions() as session:
        return JobStateOut.of(queries.state_of_job(session, job_id))
