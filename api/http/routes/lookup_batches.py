"""Lookup batches: many images, answered one by one by workers, and what they say together."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.answers import BatchFindingsOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, JobsDep, PageSize, ServicesDep, WorksDep
from api.http.description import also
from api.lookups import LookupBatchDetail, LookupBatchOut, LookupItemOut
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.answers import Verdict
from attribution.catalogue import queries
from attribution.catalogue.models import LookupOutcome
from attribution.lookup.batches import findings_of
from attribution.services import Services
from ingest.lookup_sources import MOST_ITEMS
from ingest.lookups import accept, accept_works, cancel, retry
from ingest.uploads import unpack_limits

router = APIRouter(
    prefix="/lookup-batches",
    tags=["lookup batches"],
    route_class=ScopedRoute,
)


class RegisteredWorks(BaseModel):
    """Registered works to be looked up like images."""

    model_config = ConfigDict(extra="forbid")

    works: list[str] = Field(
        min_length=1,
        max_length=MOST_ITEMS,
        description="Ids of artworks; one that is none is refused by itself.",
        examples=[["5b1f0c1e-4c3b-5d55-9d7d-7a4d7e0a1c11"]],
    )


@router.post(
    "", summary="Look up many images", status_code=202, dependencies=[needs(Scope.LOOK_UP)]
)
def create_lookup_batch(
    file: Annotated[
        UploadFile,
        File(description="A zip, tar or tar.gz archive of images, or a CSV with a column `url`."),
    ],
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    request: Request,
    response: Response,
) -> LookupBatchDetail:
    """Have every image of an archive, or behind every URL of a table, looked up in turn.

    What cannot be read or fetched is refused by itself, and the others go on.
    """
    works.of_upload(file.file, unpack_limits(services))
    return _begun(accept(services, file.file, file.filename), services, jobs, request, response)


@router.post(
    "/works",
    summary="Look up registered works",
    status_code=202,
    dependencies=[needs(Scope.LOOK_UP)],
)
def create_lookup_batch_of_works(
    asked: RegisteredWorks,
    services: ServicesDep,
    jobs: JobsDep,
    works: WorksDep,
    request: Request,
    response: Response,
) -> LookupBatchDetail:
    """Have registered works looked up by their originals, where those were kept."""
    works(len(asked.works))
    return _begun(accept_works(services, asked.works), services, jobs, request, response)


@router.get("", summary="List lookup batches", dependencies=[needs(Scope.READ)])
def list_lookup_batches(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[LookupBatchOut]:
    """List batches in short, the newest first."""
    with services.sessions() as session:
        page = queries.list_lookup_batches(session, cursor=cursor, limit=limit)
        return PageOut[LookupBatchOut].of(page, LookupBatchOut.model_validate)


@router.get("/{batch_id}", summary="Get one lookup batch", dependencies=[needs(Scope.READ)])
def get_lookup_batch(batch_id: UUID, services: ServicesDep) -> LookupBatchDetail:
    """How far a batch is."""
    return _detail(services, batch_id)


@router.get(
    "/{batch_id}/items",
    summary="List the images of a lookup batch",
    dependencies=[needs(Scope.READ)],
)
def list_lookup_items(
    batch_id: UUID,
    services: ServicesDep,
    outcome: Annotated[LookupOutcome | None, Query(description="Only these.")] = None,
    verdict: Annotated[Verdict | None, Query(description="Only answers of this one.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[LookupItemOut]:
    """List what became of every image so far, in the sender's order."""
    with services.sessions() as session:
        queries.lookup_batch_by_id(session, batch_id)
        page = queries.list_lookup_items(
            session,
            batch_id,
            outcomes=[outcome] if outcome else (),
            verdict=verdict,
            cursor=cursor,
            limit=limit,
        )
        return PageOut[LookupItemOut].of(page, LookupItemOut.of)


@router.get(
    "/{batch_id}/findings",
    summary="See what the images of a lookup batch say together",
    dependencies=[needs(Scope.READ)],
)
def get_lookup_findings(
    batch_id: UUID,
    services: ServicesDep,
    level: Annotated[float, Query(gt=0, lt=1, description="False discovery rate.")] = 0.1,
) -> BatchFindingsOut:
    """Name the answers so far that are copies, and those that resemble an artist's style.

    The latter at a false discovery rate; and every registered work and artist found in any image.
    """
    with services.sessions() as session:
        return BatchFindingsOut.of(findings_of(session, batch_id, level=level))


@router.post(
    "/{batch_id}/cancel",
    summary="Cancel a lookup batch",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.LOOK_UP)],
)
def cancel_lookup_batch(batch_id: UUID, services: ServicesDep) -> LookupBatchDetail:
    """Have a batch end after the image in hand; answers stay. 409 when it has ended.

    Whoever sent it may, and operators.
    """
    cancel(services, batch_id)
    return _detail(services, batch_id)


@router.post(
    "/{batch_id}/retry",
    summary="Go on with a lookup batch",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.LOOK_UP)],
)
def retry_lookup_batch(batch_id: UUID, services: ServicesDep, jobs: JobsDep) -> LookupBatchDetail:
    """Have a batch go on that failed, was cancelled, or has images that timed out; else 409.

    Whoever sent it may, and operators.
    """
    retry(services, batch_id)
    jobs.look_up(batch_id)
    return _detail(services, batch_id)


def _begun(
    batch_id: UUID, services: Services, jobs: JobsDep, request: Request, response: Response
) -> LookupBatchDetail:
    jobs.look_up(batch_id)
    where = request.app.url_path_for("get_lookup_batch", batch_id=batch_id)
    response.headers["location"] = str(where)
    return _detail(services, batch_id)


def _detail(services: Services, batch_id: UUID) -> LookupBatchDetail:
    with services.sessions() as session:
        return LookupBatchDetail.of(session, batch_id)
