"""Evidence packs: what is known of attributions, in one signed file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import IO, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ONE_WORK, ServicesDep, WorksDep
from api.http.description import BYTES, also
from api.reports.evidence import contents_of, contents_of_case
from attribution.actors import Scope
from attribution.catalogue.queries import desk
from attribution.desk.packing import Contents, write_pack
from attribution.errors import Conflict
from attribution.services import Services
from attribution.temporary import temporary_folder

router = APIRouter(prefix="/attributions", tags=["attributions"], route_class=ScopedRoute)
of_cases = APIRouter(prefix="/cases", tags=["cases"], route_class=ScopedRoute)

MOST_LOOKUPS = 25  # of a pack: it is waited for
PIECE = 1 << 20
ZIP = "application/zip"
PACK: dict[int | str, dict[str, Any]] = {
    200: {"description": "The pack", "content": {ZIP: {"schema": BYTES}}}
}

Stamped = Annotated[
    bool, Query(description="With the time by the timestamp authority of the service, if any.")
]


class PackWanted(BaseModel):
    """What a pack is about."""

    model_config = ConfigDict(extra="forbid")

    attributions: list[UUID] = Field(min_length=1, max_length=MOST_LOOKUPS)


@router.post(
    "/{attribution_id}/evidence",
    summary="Get the evidence pack of an attribution",
    response_class=StreamingResponse,
    responses=PACK,
    dependencies=[needs(Scope.REVIEW), ONE_WORK],
)
def make_evidence(
    attribution_id: UUID, services: ServicesDep, *, timestamp: Stamped = True
) -> StreamingResponse:
    """Return a ZIP that `lawful verify` checks without this service; the audit says who got it."""
    return _pack(services, contents_of(services, [attribution_id], is_stamped=timestamp))


@router.post(
    "/evidence",
    summary="Get one evidence pack of several attributions",
    response_class=StreamingResponse,
    responses=also(404) | PACK,
    dependencies=[needs(Scope.REVIEW)],
)
def make_joint_evidence(
    wanted: PackWanted, services: ServicesDep, works: WorksDep, *, timestamp: Stamped = True
) -> StreamingResponse:
    """Return a ZIP about several earlier answers; `lawful verify` checks it anywhere."""
    works(len(wanted.attributions))
    return _pack(services, contents_of(services, wanted.attributions, is_stamped=timestamp))


@of_cases.post(
    "/{case_id}/evidence",
    summary="Get the evidence pack of a case",
    response_class=StreamingResponse,
    responses=also(409) | PACK,
    dependencies=[needs(Scope.REVIEW)],
)
def make_case_evidence(
    case_id: UUID, services: ServicesDep, works: WorksDep, *, timestamp: Stamped = True
) -> StreamingResponse:
    """Return a ZIP about a case: its answers, what people assessed and decided, and the proof.

    What people wrote to each other and how parties can be reached stay out. 409 for a case without
    an answer, and for one with too many to wait for.
    """
    with services.sessions() as session:
        images = desk.case_by_id(session, case_id).subjects
    if images > MOST_LOOKUPS:
        raise Conflict(
            f"the case has {images:,} images; over HTTP a pack has at most {MOST_LOOKUPS}: have an "
            f"operator write it with `lawful cases pack`"
        )
    works(images)
    return _pack(services, contents_of_case(services, case_id, is_stamped=timestamp))


def _pack(services: Services, contents: Contents) -> StreamingResponse:
    with temporary_folder(services.settings.home) as folder:
        made = write_pack(services, contents, folder / "pack.zip")
        file = (folder / "pack.zip").open("rb")
    headers = {
        "content-disposition": f'attachment; filename="evidence-{made.id}.zip"',
        "content-length": str(made.size),
    }
    return StreamingResponse(_pieces(file), media_type=ZIP, headers=headers)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(partial(file.read, PIECE), b"")
