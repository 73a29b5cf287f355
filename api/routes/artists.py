"""Artists: who is in the catalogue."""

from __future__ import annotations

from fastapi import APIRouter

from api.dependencies import Cursor, PageSize, ServicesDep
from api.schemas import ArtistDetail, ArtistName, ArtistOut, PageOut
from attribution.catalog import queries

router = APIRouter(prefix="/artists", tags=["artists"])


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
