"""Non-copies: what a person has looked at and declared to be no copy."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.http.access import ScopedRoute, needs
from api.http.conditions import EditingDep, ReadingDep
from api.http.dependencies import Cursor, End, PageSize, ServicesDep
from api.http.description import also
from api.http.uploads import read_upload
from api.non_copies import NonCopyOut
from api.schemas import PageOut
from attribution.actors import Scope, who
from attribution.catalogue import queries
from attribution.catalogue.queries import Origin
from attribution.upkeep import non_copies
from attribution.upkeep.non_copies import LONGEST_NAME, LONGEST_REASON

router = APIRouter(prefix="/non-copies", tags=["attributions"], route_class=ScopedRoute)

Name = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="Who says so, in their own words.",
        examples=["Ann Example, rights desk"],
    ),
]
Reason = Annotated[str, Field(min_length=1, max_length=LONGEST_REASON)]


class Declared(BaseModel):
    """Which pair is no copy, who says so, and why."""

    image: UploadFile
    artwork_id: UUID = Field(description="The work that the image is no copy of.")
    by: Name
    reason: Reason = Field(examples=["two photographs of one tower"])
    until: End | None = Field(
        None,
        description="When it ends, UTC where no zone is said; a date: to its end. Left out: never.",
    )


class Revoked(BaseModel):
    """Who revokes a declaration, and why."""

    model_config = ConfigDict(extra="forbid")

    by: Name
    reason: Reason = Field(examples=["it is a crop of the work"])


@router.post(
    "",
    summary="Declare that an image is no copy of a work",
    status_code=201,
    responses=also(404, 409),
    dependencies=[needs(Scope.REVIEW)],
)
def create_non_copy(
    asked: Annotated[Declared, Form(media_type="multipart/form-data")],
    services: ServicesDep,
    request: Request,
    response: Response,
) -> NonCopyOut:
    """Keep the copy lane silent about this pair, and have every answer that this changes say so.

    409 when the image has the very pixels of the work, and for a pair that is declared already.
    """
    facts = read_upload(asked.image.file, services.limits).facts
    origin = Origin(who().name, asked.reason, asked.by)
    row = non_copies.declare(services, facts, asked.artwork_id, origin, until=asked.until)
    where = request.app.url_path_for("get_non_copy", non_copy_id=row.id)
    response.headers["location"] = str(where)
    return NonCopyOut.of(row)


@router.get(
    "", summary="List declared non-copies", responses=also(404), dependencies=[needs(Scope.READ)]
)
def list_non_copies(
    services: ServicesDep,
    work: Annotated[UUID | None, Query(description="Id of an artwork.")] = None,
    in_force: Annotated[
        bool | None,
        Query(description="Only those that silence something (true), or that do not any more."),
    ] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[NonCopyOut]:
    """List declarations, also those that are over or revoked, the newest first."""
    with services.sessions() as session:
        page = queries.list_non_copies(
            session,
            artwork_id=queries.artwork_by_id(session, work).id if work else None,
            in_force=in_force,
            cursor=cursor,
            limit=limit,
        )
        return PageOut[NonCopyOut].of(page, NonCopyOut.of)


@router.get("/{non_copy_id}", summary="Get a declared non-copy", dependencies=[needs(Scope.READ)])
def get_non_copy(non_copy_id: UUID, services: ServicesDep, reading: ReadingDep) -> NonCopyOut:
    """Return who declared what, when, why and until when, and who revoked it."""
    with services.sessions() as session:
        return reading.tagged(_read(session, non_copy_id)[1])


@router.post(
    "/{non_copy_id}/revoke",
    summary="Revoke a declared non-copy",
    responses=also(409),
    dependencies=[needs(Scope.REVIEW)],
)
def revoke_non_copy(
    non_copy_id: UUID, asked: Revoked, services: ServicesDep, editing: EditingDep
) -> NonCopyOut:
    """Have the pair found again; the declaration stays in the list, with who revoked it.

    409 for one that was revoked already, or is over.
    """
    origin = Origin(who().name, asked.reason, asked.by)
    with editing.of(services, partial(_read, non_copy_id=non_copy_id)):
        row = non_copies.revoke(services, non_copy_id, origin)
    return editing.tagged(NonCopyOut.of(row))


def _read(session: Session, non_copy_id: UUID) -> tuple[UUID, NonCopyOut]:
    """Return what is shown of a declaration, and the work, which a revoking locks."""
    row = queries.non_copy_by_id(session, non_copy_id)
    return row.artwork_id, NonCopyOut.of(row)
