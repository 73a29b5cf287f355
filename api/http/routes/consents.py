"""Consents: what was said about the use of works, by whom and on which paper."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.consents import ConsentOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import ArtistSlug, Cursor, End, Moment, PageSize, ServicesDep
from api.http.description import BYTES, also
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.queries import ConsentsWanted, WorksWanted
from attribution.consents import LONGEST_DOCUMENT, Answer, ConsentPurpose, ConsentSource
from attribution.upkeep.consents import Saying, say
from ingest.exports import RESERVATIONS, publish

router = APIRouter(prefix="/consents", tags=["consents"], route_class=ScopedRoute)

Kind = Literal["tdmrep", "robots", "aipref", "cawg"]


class Said(BaseModel):
    """What is said of one purpose: of one work, or of an artist's whole portfolio."""

    model_config = ConfigDict(extra="forbid")

    purpose: ConsentPurpose
    answer: Answer
    artwork_id: UUID | None = None
    artist: str | None = Field(None, max_length=200, description="Slug.", examples=["ann-example"])
    document: str | None = Field(
        None,
        max_length=LONGEST_DOCUMENT,
        description="Where it is written: an address, or words.",
        examples=["https://example.org/agreements/12.pdf"],
    )
    valid_from: Moment | None = None
    valid_until: End | None = Field(
        None, description="From then on it says nothing; a date is meant to its end, in UTC."
    )


def consents_wanted(
    services: ServicesDep,
    artist: ArtistSlug = None,
    work: Annotated[UUID | None, Query(description="Id of an artwork.")] = None,
    purpose: ConsentPurpose | None = None,
    source: ConsentSource | None = None,
) -> ConsentsWanted:
    """Return which statements a request asks for."""
    with services.sessions() as session:
        artist_id = queries.artist_by_slug(session, artist).id if artist else None
        artwork_id = queries.artwork_by_id(session, work).id if work else None
    return ConsentsWanted(artist_id, artwork_id, purpose, source)


@router.get(
    "", summary="List statements of consent", responses=also(404), dependencies=[needs(Scope.READ)]
)
def list_consents(
    services: ServicesDep,
    wanted: Annotated[ConsentsWanted, Depends(consents_wanted)],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[ConsentOut]:
    """List statements, the newest first; those of an artist with those of the artist's works."""
    with services.sessions() as session:
        page = queries.list_consents(session, wanted, cursor=cursor, limit=limit)
        return PageOut[ConsentOut].of(page, ConsentOut.of)


@router.get(
    "/export",
    summary="Export what was said for crawlers",
    response_class=StreamingResponse,
    responses=also(404)
    | {
        200: {
            "content": {
                one.media_type.partition(";")[0]: {"schema": BYTES} for one in RESERVATIONS.values()
            }
        }
    },
    dependencies=[needs(Scope.READ)],
)
def export_consents(
    services: ServicesDep,
    kind: Annotated[Kind, Query(alias="format", description="How it is written.")] = "cawg",
    site: Annotated[
        str | None,
        Query(
            max_length=500,
            description="Only works whose source is on this site; tdmrep and robots need it.",
            examples=["https://ann.example"],
        ),
    ] = None,
    artist: ArtistSlug = None,
) -> StreamingResponse:
    """Stream what stands for works of which somebody has said something."""
    with services.sessions() as session:
        artist_id = queries.artist_by_slug(session, artist).id if artist else None
    form = RESERVATIONS[kind]
    return StreamingResponse(
        publish(kind, services, WorksWanted(artist_id), site),
        media_type=form.media_type,
        headers={"content-disposition": f'attachment; filename="{form.file_name}"'},
    )


@router.get("/{consent_id}", summary="Get one statement", dependencies=[needs(Scope.READ)])
def get_consent(consent_id: UUID, services: ServicesDep) -> ConsentOut:
    """Return who said what of which work or portfolio, when and where."""
    with services.sessions() as session:
        return ConsentOut.of(queries.consent_by_id(session, consent_id))


@router.post(
    "",
    summary="Say what may be done with works",
    status_code=201,
    responses=also(403, 404, 409),
    dependencies=[needs(Scope.OPERATE)],
)
def create_consent(
    asked: Said, services: ServicesDep, request: Request, response: Response
) -> ConsentOut:
    """Keep a statement of consent; works follow it at once, and when it begins or ends.

    A no to `index` withdraws, for good. 403 for a yes that the file itself forbids, without a
    document.
    """
    row = say(services, Saying(**asked.model_dump()))
    response.headers["location"] = str(request.app.url_path_for("get_consent", consent_id=row.id))
    return ConsentOut.of(row)
