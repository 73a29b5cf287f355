"""What tests ask of an open collection."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.images import read_image_file
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services
from attribution.upkeep.reconcile import reconcile
from tests.portfolios import picture


def a_work(services: Services, slug: str = "artist-1", title: str = "work-0") -> Artwork:
    """Return a work of an artist."""
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, slug)
        works = queries.list_artworks(session, artist_id=artist.id).items
    return next(work for work in works if work.title == title)


def ids_of(
    services: Services, slug: str, status: ArtworkStatus | None = ArtworkStatus.INDEXED
) -> set[UUID]:
    """Return the ids of an artist's works in one state, or in any."""
    with services.sessions() as session:
        artist = queries.artist_by_slug(session, slug)
        page = queries.list_artworks(session, artist_id=artist.id, status=status, limit=500)
    return {work.id for work in page.items}


def sizes(services: Services) -> dict[str, int]:
    """Return how many works each artist has, by slug."""
    with services.sessions() as session:
        return {artist.slug: works for artist, works in queries.all_artists(session)}


def words(services: Services, text: str) -> set[UUID]:
    """Return the works that the letters of some words find."""
    hits = services.attributor.search(SearchQuery(text=text)).hits
    return {hit.id for hit in hits if "text" in hit.legs}


def ask_about(services: Services, folder: Path, seed: int = 777) -> Attribution:
    """Attribute a picture that nobody registered, by default."""
    path = folder / "asked.png"
    picture(seed).save(path)
    return services.attributor.attribute(read_image_file(path))


def agree(services: Services) -> None:
    """State that catalogue, index and classifier say the same."""
    report = reconcile(services, repair=False)
    assert report.is_clean, report
