"""Artworks: what is known of a work, and its picture where its consent allows that."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.orm import Session

from api.changes import Corrected, Reasoned
from api.http.access import ScopedRoute, needs
from api.http.conditions import EditingDep, IfNoneMatch, ReadingDep, is_named
from api.http.dependencies import (
    ONE_WORK,
    ArtistSlug,
    Cursor,
    JobsDep,
    Licence,
    PageSize,
    ServicesDep,
    State,
    works_wanted,
)
from api.http.description import BYTES, also
from api.http.routes.ingest_jobs import Upload
from api.http.uploads import read_upload
from api.schemas import Arriving, ArtworkDetail, ArtworkOut, PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, artwork_id
from attribution.errors import NotAllowed
from attribution.services import Services
from attribution.upkeep.correction import correct, move
from ingest.exports import FORMATS, AsSent, read_pages
from ingest.uploads import accept

router = APIRouter(prefix="/artworks", tags=["artworks"], route_class=ScopedRoute)


Kind = Literal["csv", "json", "jsonl", "parquet"]


class Moved(Reasoned):
    """Whose the work is."""

    artist: str = Field(max_length=200, description="Slug.", examples=["ann-example"])


def _schema(kind: str) -> dict[str, object]:
    """Return how an export of a kind is described."""
    return {"type": "array", "items": {"type": "object"}} if kind == "json" else BYTES


@router.get("", summary="List artworks", responses=also(404), dependencies=[needs(Scope.READ)])
def list_artworks(
    services: ServicesDep,
    artist: ArtistSlug = None,
    licence: Licence = None,
    status: State = ArtworkStatus.INDEXED,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[ArtworkOut]:
    """List works with all that is recorded of them, the newest first."""
    with services.sessions() as session:
        wanted = works_wanted(session, artist, status, licence)
        page = queries.list_artworks(session, **vars(wanted), cursor=cursor, limit=limit)
        seen = queries.last_seen(session, [row.id for row in page.items])
        return PageOut[ArtworkOut].of(page, lambda row: ArtworkOut.of(row, seen.get(row.id)))


@router.get(
    "/export",
    summary="Export artworks as a table",
    response_class=StreamingResponse,
    responses=also(404)
    | {
        200: {
            "content": {one.media_type: {"schema": _schema(name)} for name, one in FORMATS.items()}
        }
    },
    dependencies=[needs(Scope.READ)],
)
def export_artworks(
    services: ServicesDep,
    kind: Annotated[Kind, Query(alias="format", description="How the table is written.")] = "csv",
    artist: ArtistSlug = None,
    licence: Licence = None,
    status: State = "any",
) -> StreamingResponse:
    """Stream every work with every field that ingest reads, and what is recorded besides.

    `file_name` is the name within the upload or folder that the work came from last.
    """
    with services.sessions() as session:
        wanted = works_wanted(session, artist, status, licence)
    pages = read_pages(services, wanted, AsSent())
    return StreamingResponse(
        FORMATS[kind].write(pages),
        media_type=FORMATS[kind].media_type,
        headers={"content-disposition": f'attachment; filename="works.{kind}"'},
    )


@router.post(
    "",
    summary="Add one artwork",
    status_code=202,
    responses=also(409),
    dependencies=[needs(Scope.CONTRIBUTE), ONE_WORK],
)
def create_artwork(
    upload: Annotated[Upload, Form(media_type="multipart/form-data")],
    services: ServicesDep,
    jobs: JobsDep,
    request: Request,
    response: Response,
) -> Arriving:
    """Take one image in; it can be found within seconds, when its job is done.

    The artwork's id is known at once: it follows from the bytes. A bad image is refused at once,
    and so are one that was withdrawn and one for which the tenant's quota has no room (409).
    """
    file = upload.file.file
    sha256 = read_upload(file, services.limits).facts.sha256
    if not upload.reinstate:
        with services.sessions() as session:
            queries.check_not_withdrawn(session, sha256)
    file.seek(0)
    job_id = accept(
        services,
        file,
        upload.file.filename,
        upload.described(),
        upload.reading(),
        upload.options(),
    )
    jobs.submit(job_id)
    response.headers["location"] = str(request.app.url_path_for("get_ingest_job", job_id=job_id))
    return Arriving(id=artwork_id(sha256), job=job_id)


@router.get("/{artwork_id}", summary="Get one artwork", dependencies=[needs(Scope.READ)])
def get_artwork(artwork_id: UUID, services: ServicesDep, reading: ReadingDep) -> ArtworkDetail:
    """Everything recorded, with the rights found in the file and conflicting claims."""
    return reading.tagged(_detail(services, artwork_id))


@router.patch(
    "/{artwork_id}",
    summary="Correct one artwork",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def correct_artwork(
    artwork_id: UUID, asked: Corrected, services: ServicesDep, editing: EditingDep
) -> ArtworkDetail:
    """Change what is said of a work: fields that are left out stay, null empties one."""
    with editing.of(services, partial(_read, artwork_id=artwork_id)):
        correct(services, artwork_id, asked.said, asked.origin)
    return editing.tagged(_detail(services, artwork_id))


@router.post(
    "/{artwork_id}/move",
    summary="Give an artwork to another artist",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def move_artwork(
    artwork_id: UUID, asked: Moved, services: ServicesDep, editing: EditingDep
) -> ArtworkDetail:
    """Say that a work is another artist's; a claim of theirs to it is settled by that."""
    with editing.of(services, partial(_read, artwork_id=artwork_id)):
        move(services, artwork_id, asked.artist, asked.origin)
    return editing.tagged(_detail(services, artwork_id))


def _detail(services: Services, artwork_id: UUID) -> ArtworkDetail:
    with services.sessions() as session:
        return _read(session, artwork_id)[1]


def _read(session: Session, artwork_id: UUID) -> tuple[UUID, ArtworkDetail]:
    row = queries.artwork_by_id(session, artwork_id)
    seen = queries.last_seen(session, [artwork_id]).get(artwork_id)
    claims = queries.claims_for(session, [artwork_id]).get(artwork_id, [])
    stands = queries.standing_consents(session, [row])[row.id]
    return row.id, ArtworkDetail.of_row(row, seen, claims, stands)


@router.get(
    "/{artwork_id}/thumbnail",
    summary="Get the picture of an artwork",
    response_class=Response,
    responses=also(403)
    | {200: {"description": "WebP, 256 px at most", "content": {"image/webp": {"schema": BYTES}}}},
    dependencies=[needs(Scope.READ)],
)
def get_thumbnail(
    artwork_id: UUID, services: ServicesDep, if_none_match: IfNoneMatch = None
) -> Response:
    """Return a small WebP; 403 where the consent to display is missing."""
    with services.sessions() as session:
        row = queries.artwork_by_id(session, artwork_id)
    if not row.consent_display or row.status is ArtworkStatus.WITHDRAWN:
        raise NotAllowed(
            f"artwork {artwork_id} may not be shown: it was withdrawn, "
            f"or its consent for the purpose 'display' is missing"
        )
    # Asked again each time, so that a picture goes when its consent goes; the answer is then 304.
    headers = {"etag": f'"{row.sha256}"', "cache-control": "private, no-cache"}
    if if_none_match and is_named(headers["etag"], if_none_match, weakly=True):
        return Response(status_code=304, headers=headers)  # without reading the picture
    picture = services.store.thumbnail(row.sha256)
    return Response(picture, media_type="image/webp", headers=headers)
