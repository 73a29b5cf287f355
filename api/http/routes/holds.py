"""Legal holds of a case, and the sealed exhibits that it keeps."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.cases import ExhibitOut, HoldOut, OpenedExhibitOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, End, PageSize, ServicesDep
from api.http.description import also
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue.queries import desk, holds
from attribution.desk.holding import NewHold, end_hold, exhibit, put_on_hold
from attribution.desk.people import LONGEST

router = APIRouter(prefix="/cases", tags=["cases"], route_class=ScopedRoute)
READS, ACTS = needs(Scope.CASES), needs(Scope.REVIEW)


class HoldSent(BaseModel):
    """What is put on hold: a work, all works of an artist, or an image that was asked about."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST, examples=["a claim was announced"])
    artwork_id: UUID | None = None
    artist: str | None = Field(None, max_length=200, description="Slug.")
    subject_id: UUID | None = Field(None, description="Of `GET /v1/subjects`.")
    until: End | None = Field(
        None, description="A date: to its end, in UTC. Left out: until somebody ends it."
    )


class HoldEnded(BaseModel):
    """Why a hold ends."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST, examples=["the claim was settled"])


@router.post(
    "/{case_id}/holds",
    summary="Put something on hold",
    status_code=201,
    responses=also(409),
    dependencies=[ACTS],
)
def create_hold(case_id: UUID, asked: HoldSent, services: ServicesDep) -> HoldOut:
    """Keep a work, an artist's works or an image for a case, whatever is withdrawn meanwhile.

    A withdrawn work is found no more, on hold or not. What is kept of it is one sealed exhibit.
    """
    return HoldOut.of(put_on_hold(services, case_id, NewHold(**vars(asked))))


@router.post(
    "/{case_id}/holds/{hold_id}/end",
    summary="End a hold",
    responses=also(409),
    dependencies=[ACTS],
)
def end_case_hold(case_id: UUID, hold_id: UUID, asked: HoldEnded, services: ServicesDep) -> HoldOut:
    """End a hold: what nothing else keeps goes, and the receipt of the withdrawal says so."""
    return HoldOut.of(end_hold(services, case_id, hold_id, asked.why))


@router.get("/{case_id}/exhibits", summary="List sealed exhibits", dependencies=[READS])
def list_case_exhibits(
    case_id: UUID, services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[ExhibitOut]:
    """List what the case keeps of works that were withdrawn while they were on hold."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        page = holds.list_exhibits(session, case_id, cursor=cursor, limit=limit)
        return PageOut[ExhibitOut].of(page, ExhibitOut.of)


@router.get(
    "/{case_id}/exhibits/{artwork_id}",
    summary="Open a sealed exhibit",
    responses=also(409),
    dependencies=[ACTS],
)
def open_case_exhibit(case_id: UUID, artwork_id: UUID, services: ServicesDep) -> OpenedExhibitOut:
    """Return what is kept of a withdrawn work; the audit says who has seen it."""
    return OpenedExhibitOut.model_validate(exhibit(services, case_id, artwork_id))
