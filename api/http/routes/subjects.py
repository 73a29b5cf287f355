"""Subjects: the images that were asked about, and what is kept of them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, PageSize, ServicesDep
from api.http.description import BYTES, also
from api.schemas import PageOut
from api.subjects import SubjectDetail, SubjectOut, file_name
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.custody import Kept
from attribution.lookup.subjects import seen
from attribution.upkeep import subjects
from attribution.upkeep.subjects import LONGEST_REASON

router = APIRouter(prefix="/subjects", tags=["attributions"], route_class=ScopedRoute)


class Forgetting(BaseModel):
    """Why an image is deleted."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(
        min_length=1, max_length=LONGEST_REASON, examples=["sent by mistake: a private photograph"]
    )


@router.get(
    "",
    summary="List images that were asked about",
    responses=also(404),
    dependencies=[needs(Scope.READ)],
)
def list_subjects(
    services: ServicesDep,
    sha256: Annotated[str | None, Query(description="Of the file that was asked about.")] = None,
    attribution: Annotated[UUID | None, Query(description="Id of an answer about it.")] = None,
    kept: Annotated[Kept | None, Query(description="Only those of which this is kept.")] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[SubjectOut]:
    """List images, each once however often it was asked about, the newest first."""
    with services.sessions() as session:
        page = queries.list_subjects(
            session,
            sha256=sha256,
            attribution_id=attribution,
            kept=kept,
            cursor=cursor,
            limit=limit,
        )
        return PageOut[SubjectOut].of(page, SubjectOut.of)


@router.get(
    "/{subject_id}", summary="Get an image's chain of custody", dependencies=[needs(Scope.READ)]
)
def get_subject(subject_id: UUID, services: ServicesDep) -> SubjectDetail:
    """Return what is kept of an image, and who asked about it when, how and what for."""
    with services.sessions() as session:
        row = queries.subject_by_id(session, subject_id)
        return SubjectDetail.of_uses(row, queries.uses_of_subject(session, subject_id))


@router.get(
    "/{subject_id}/image",
    summary="Get the image that was asked about",
    response_class=Response,
    responses=also(409)
    | {
        200: {"description": "The file", "content": {"application/octet-stream": {"schema": BYTES}}}
    },
    dependencies=[needs(Scope.REVIEW)],
)
def get_subject_image(subject_id: UUID, services: ServicesDep) -> Response:
    """Return the very bytes, to be saved and not shown; the audit says who has seen them.

    404 where nothing is kept, 409 where they were encrypted with a key that is not at hand.
    """
    row, data = seen(services, subject_id)
    headers = {"content-disposition": f'attachment; filename="{file_name(row)}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.post(
    "/{subject_id}/forget",
    summary="Delete an image that was asked about",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def forget_subject(subject_id: UUID, asked: Forgetting, services: ServicesDep) -> SubjectOut:
    """Delete what is kept of the image, and keep it no more; its answers stay.

    409 where nothing is kept.
    """
    return SubjectOut.of(subjects.forget(services, subject_id, asked.reason))
