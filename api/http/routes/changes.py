"""Changes: what was corrected, when, by which door and why; and how it is taken back."""

from __future__ import annotations

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from sqlalchemy.orm import Session

from api.changes import ChangeOut, Reasoned
from api.http.access import ScopedRoute, needs
from api.http.conditions import EditingDep, ReadingDep
from api.http.dependencies import ArtistSlug, Cursor, PageSize, ServicesDep, Since, Until
from api.http.description import also
from api.schemas import ArtworkOut, PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.queries import ChangesWanted
from attribution.upkeep.undoing import undo

router = APIRouter(prefix="/changes", tags=["changes"], route_class=ScopedRoute)


class Undone(Reasoned):
    """What of a change is taken back, and why."""

    works: list[UUID] = Field(
        default=[],
        max_length=10_000,
        description="Of a merge or split, these works only; left out: all that still can be.",
    )


def changes_wanted(
    services: ServicesDep,
    artist: ArtistSlug = None,
    work: Annotated[UUID | None, Query(description="Id of an artwork.")] = None,
    since: Since = None,
    until: Until = None,
) -> ChangesWanted:
    """Return which changes a request asks for."""
    with services.sessions() as session:
        artist_id = queries.artist_by_slug(session, artist).id if artist else None
        artwork_id = queries.artwork_by_id(session, work).id if work else None
    return ChangesWanted(artist_id, artwork_id, since, until)


@router.get("", summary="List corrections", responses=also(404), dependencies=[needs(Scope.READ)])
def list_changes(
    services: ServicesDep,
    wanted: Annotated[ChangesWanted, Depends(changes_wanted)],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[ChangeOut]:
    """List corrections of works and artists, and undos, the newest first."""
    with services.sessions() as session:
        page = queries.list_changes(session, wanted, cursor=cursor, limit=limit)
        return PageOut[ChangeOut].of(page, ChangeOut.of)


@router.get("/{change_id}", summary="Get one correction", dependencies=[needs(Scope.READ)])
def get_change(change_id: UUID, services: ServicesDep, reading: ReadingDep) -> ChangeOut:
    """Return what was changed, by whom and why, and what undid it."""
    return reading.tagged(_shown(services, change_id))


@router.get(
    "/{change_id}/works", summary="List the works of a correction", dependencies=[needs(Scope.READ)]
)
def list_works_of_change(
    change_id: UUID, services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[ArtworkOut]:
    """List the works that it corrected or gave to its artist, as they are now, by id."""
    with services.sessions() as session:
        change = queries.change_by_id(session, change_id)
        page = queries.works_of_change(session, change, cursor=cursor, limit=limit)
        seen = queries.last_seen(session, [row.id for row in page.items])
        return PageOut[ArtworkOut].of(page, lambda row: ArtworkOut.of(row, seen.get(row.id)))


@router.post(
    "/{change_id}/undo",
    summary="Undo a correction",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def undo_change(
    change_id: UUID, services: ServicesDep, editing: EditingDep, asked: Undone | None = None
) -> ChangeOut:
    """Take a change back by another one, which is returned and can be undone itself.

    409 where something has changed since, or it was undone already; then nothing is done.
    """
    asked = asked or Undone(reason=None)
    with editing.of(services, partial(_read, change_id=change_id)):
        made = undo(services, change_id, asked.origin, works=asked.works)
    return _shown(services, made.id)


def _shown(services: ServicesDep, change_id: UUID) -> ChangeOut:
    with services.sessions() as session:
        return _read(session, change_id)[1]


def _read(session: Session, change_id: UUID) -> tuple[UUID, ChangeOut]:
    change = queries.change_by_id(session, change_id)
    return change.id, ChangeOut.of(change)
