"""Artists: who is in the catalogue."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from api.changes import Reasoned
from api.dependencies import Cursor, PageSize, ServicesDep
from api.schemas import ArtistDetail, ArtistName, ArtistOut, PageOut
from attribution.catalog import queries
from attribution.correction import confirm_alias, merge, rename
from attribution.services import Services

router = APIRouter(prefix="/artists", tags=["artists"])


class Renamed(Reasoned):
    """A name of an artist."""

    name: str = Field(min_length=1, max_length=500, examples=["Ann Example"])


class Merged(Reasoned):
    """The artist who remains."""

    into: str = Field(max_length=200, description="Slug.", examples=["ann-example"])


@router.get("", summary="List artists")
def list_artists(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[ArtistOut]:
    """Every artist by slug, with the number of works that can be found."""
    with services.sessions() as session:
        page = queries.list_artists(session, cursor=cursor, limit=limit)
        return PageOut[ArtistOut].of(page, ArtistOut.of_row)


@router.get("/{slug}", summary="Get one artist")
def get_artist(slug: str, services: ServicesDep) -> ArtistDetail:
    """Names, number of works, and artists of nearly the same name."""
    return _detail(services, slug)


@router.patch("/{slug}", summary="Rename an artist")
def rename_artist(slug: str, asked: Renamed, services: ServicesDep) -> ArtistDetail:
    """Call an artist by another name; the slug stays, the old name becomes an alias."""
    rename(services, services.index, slug, asked.name, asked.origin)
    return _detail(services, slug)


@router.post("/{slug}/aliases", summary="Confirm an alias", status_code=201)
def create_alias(slug: str, asked: Renamed, services: ServicesDep) -> ArtistDetail:
    """Note another name of an artist: works that come under it are theirs from now on."""
    confirm_alias(services, slug, asked.name, asked.origin)
    return _detail(services, slug)


@router.post("/{slug}/merge", summary="Merge an artist into another")
def merge_artist(slug: str, asked: Merged, services: ServicesDep) -> ArtistDetail:
    """Make one artist of two; the first slug leads to the second artist. Cannot be undone."""
    merge(services, services.index, slug, asked.into, asked.origin)
    return _detail(services, asked.into)


def _detail(services: Services, slug: str) -> ArtistDetail:
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, slug)
        pairs = [pair for pair in queries.proposed_aliases(session) if artist in pair]
        others = [one for pair in pairs for one in pair if one is not artist]
        return ArtistDetail(
            **vars(ArtistOut.of_row((artist, artist.works))),
            identifiers=artist.identifiers,
            likely_aliases=[ArtistName.of(other) for other in others],
            created_at=artist.created_at,
        )
