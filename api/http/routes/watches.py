"""Watches: artists whose copies the desk wants to see, and images that are asked about again."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, End, PageSize, ServicesDep
from api.http.description import also
from api.schemas import PageOut
from api.watches import WatchOut
from attribution.actors import Scope
from attribution.catalogue.models import Watch
from attribution.catalogue.queries import watches
from attribution.collection import Stores
from attribution.desk.people import LONGEST
from attribution.desk.watching import NewWatch, end_watch, release, watch

router = APIRouter(prefix="/watches", tags=["cases"], route_class=ScopedRoute)
READS, ACTS = needs(Scope.CASES), needs(Scope.REVIEW)


class WatchSent(BaseModel):
    """What is watched: an artist's works, or an image that was asked about."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST, examples=["prints were sold before"])
    artist: str | None = Field(None, max_length=200, description="Slug.")
    subject_id: UUID | None = Field(None, description="Of `GET /v1/subjects`.")
    until: End | None = Field(
        None, description="A date: to its end, in UTC. Left out: until somebody ends it."
    )


class WatchEnded(BaseModel):
    """Why a watch ends."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST, examples=["the contract is over"])


class Released(BaseModel):
    """Which work opens cases again, and why."""

    model_config = ConfigDict(extra="forbid")

    artwork_id: UUID
    why: str = Field(min_length=1, max_length=LONGEST, examples=["a campaign with many reposts"])


@router.post(
    "", summary="Watch something", status_code=201, responses=also(404, 409), dependencies=[ACTS]
)
def create_watch(asked: WatchSent, services: ServicesDep) -> WatchOut:
    """Watch an artist's works, or an image that was asked about. 409 where one lasts."""
    return _shown(services, watch(services, NewWatch(**vars(asked))))


@router.get("", summary="List watches", dependencies=[READS])
def list_watches(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[WatchOut]:
    """List watches, the newest first, also those that ended."""
    with services.sessions() as session:
        page = watches.list_watches(session, cursor=cursor, limit=limit)
        return PageOut[WatchOut](items=WatchOut.read(session, page.items), next=page.next)


@router.post("/{watch_id}/end", summary="End a watch", responses=also(409), dependencies=[ACTS])
def end_one(watch_id: UUID, asked: WatchEnded, services: ServicesDep) -> WatchOut:
    """End a watch; it stays in the list, with who ended it and why."""
    return _shown(services, end_watch(services, watch_id, asked.why))


@router.post("/{watch_id}/release", summary="Release a work", dependencies=[ACTS])
def release_work(watch_id: UUID, asked: Released, services: ServicesDep) -> WatchOut:
    """Have a work that was quarantined open cases again, from now on."""
    return _shown(services, release(services, watch_id, asked.artwork_id, asked.why))


def _shown(services: Stores, row: Watch) -> WatchOut:
    with services.sessions() as session:
        return WatchOut.read(session, [row])[0]
