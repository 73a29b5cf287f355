"""`Prefer: respond-async` (RFC 7240): the answer is worked out later, and fetched by its job."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse

from api.http.dependencies import JobsDep, ServicesDep
from api.jobs import JobStateOut
from attribution.catalogue import queries

ASYNC = "respond-async"


class Later:
    """Answers with a job where the caller prefers that."""

    def __init__(
        self,
        request: Request,
        services: ServicesDep,
        jobs: JobsDep,
        prefer: Annotated[
            str | None,
            Header(max_length=2000, description=f"`{ASYNC}`: 202 at once, with the job to ask."),
        ] = None,
    ) -> None:
        self._app, self._services, self._jobs = request.app, services, jobs
        asked = (one.partition(";")[0].strip().lower() for one in (prefer or "").split(","))
        self.is_preferred = ASYNC in asked

    def look_up(self, batch_id: UUID) -> JSONResponse:
        """Have a lookup run; returns what is answered meanwhile."""
        self._jobs.look_up(batch_id)
        with self._services.sessions() as session:
            state = JobStateOut.of(queries.state_of_job(session, batch_id))
        where = str(self._app.url_path_for("get_job", job_id=batch_id))
        headers = {"location": where, "preference-applied": ASYNC}
        return JSONResponse(state.model_dump(mode="json"), 202, headers)


LaterDep = Annotated[Later, Depends()]
