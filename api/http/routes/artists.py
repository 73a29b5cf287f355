"""Artists: who is in the catalogue."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field, StrictBool
from sqlalchemy.orm import Session

from api.changes import ChangeOut, Reasoned
from api.http.access import ScopedRoute, needs
from api.http.conditions import EditingDep, ReadingDep
from api.http.dependencies import Cursor, PageSize, ServicesDep
from api.http.description import also
from api.schemas import ArtistDetail, ArtistName, ArtistOut, PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.names import LONGEST_NAME
from attribution.services import Services
from attribution.upkeep.correction import confirm_alias, merge, rename, split

OTHERS = frozenset({"likely_aliases"})  # what is shown of an artist that is about others

router = APIRouter(prefix="/artists", tags=["artists"], route_class=ScopedRoute)


class Renamed(Reasoned):
    """A name of an artist."""

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["Ann Example"])


class Merged(Reasoned):
    """The artist who remains."""

    into: str = Field(max_length=200, description="Slug.", examples=["ann-example"])
    confirm: StrictBool = Field(
        default=False, description="They are one artist, though their names do not resemble."
    )


class Split(Reasoned):
    """The works that another artist gets."""

    works: list[UUID] = Field(min_length=1, max_length=10_000, description="Ids of artworks.")
    into: str = Field(
        min_length=1,
        max_length=LONGEST_NAME,
        description="Name or slug.",
        examples=["Ann Example"],
    )


@router.get("", summary="List artists", dependencies=[needs(Scope.READ)])
def list_artists(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[ArtistOut]:
    """Every artist by slug, with the number of works that can be found."""
    with services.sessions() as session:
        page = queries.list_artists(session, cursor=cursor, limit=limit)
        return PageOut[ArtistOut].of(page, ArtistOut.of_row)


@router.get("/{slug}", summary="Get one artist", dependencies=[needs(Scope.READ)])
def get_artist(slug: str, services: ServicesDep, reading: ReadingDep) -> ArtistDetail:
    """Names, number of works, and artists of nearly the same name."""
    return reading.tagged(_detail(services, slug))


@router.patch(
    "/{slug}", summary="Rename an artist", responses=also(409), dependencies=[needs(Scope.OPERATE)]
)
def rename_artist(
    slug: str, asked: Renamed, services: ServicesDep, editing: EditingDep
) -> ArtistDetail:
    """Call an artist by another name; the slug stays, the old name becomes an alias."""
    with editing.of(services, partial(_read, slug=slug), OTHERS):
        rename(services, slug, asked.name, asked.origin)
    return editing.tagged(_detail(services, slug))


@router.post(
    "/{slug}/aliases",
    summary="Confirm an alias",
    status_code=201,
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def create_alias(
    slug: str, asked: Renamed, services: ServicesDep, editing: EditingDep
) -> ArtistDetail:
    """Note another name of an artist: works that come under it are theirs from now on."""
    with editing.of(services, partial(_read, slug=slug), OTHERS):
        confirm_alias(services, slug, asked.name, asked.origin)
    return editing.tagged(_detail(services, slug))


@router.post(
    "/{slug}/merge",
    summary="Merge an artist into another",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def merge_artist(
    slug: str, asked: Merged, services: ServicesDep, editing: EditingDep
) -> ArtistDetail:
    """Make one artist of two; the first slug leads to the second artist.

    Where the names do not resemble each other, 409 says how many works it is about, until `confirm`
    is true. `POST /v1/changes/{id}/undo` takes it back.
    """
    with editing.of(services, partial(_read, slug=slug), OTHERS):
        merge(services, slug, asked.into, asked.origin, is_confirmed=asked.confirm)
    return _detail(services, asked.into)


@router.post(
    "/{slug}/split",
    summary="Give some works of an artist to another",
    responses=also(409),
    dependencies=[needs(Scope.OPERATE)],
)
def split_artist(slug: str, asked: Split, services: ServicesDep, editing: EditingDep) -> ChangeOut:
    """Give works to an artist of another name, known or new; returns the change."""
    with editing.of(services, partial(_read, slug=slug), OTHERS):
        made = split(services, slug, asked.works, asked.into, asked.origin)
    with services.sessions() as session:
        return ChangeOut.of(queries.change_by_id(session, made.id))


def _detail(services: Services, slug: str) -> ArtistDetail:
    with services.sessions() as session:
        return _read(session, slug)[1]


def _read(session: Session, slug: str) -> tuple[UUID, ArtistDetail]:
    """Return what is shown of an artist, and the id."""
    artist = queries.artist_by_slug(session, slug)
    alike = queries.likely_aliases(session, {artist.name: artist.id})
    return artist.id, ArtistDetail(
        **vars(ArtistOut.of_row((artist, artist.works))),
        likely_aliases=[ArtistName.of(other) for _, other in alike],
        created_at=artist.created_at,
    )
