"""Search: works by words, by a picture, by both, or like a work that is registered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response

from api.answers import FacetsOut, SearchOut
from api.console.rendering import PageRoute, page
from api.http.access import needs
from api.http.dependencies import ServicesDep, WorksDep
from api.http.routes.search import Asked, AskedWithImage, find
from api.http.uploads import read_upload
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus
from attribution.errors import NotFound
from attribution.images import CheckedImage, read_image
from attribution.lookup.attributor import COUNTED
from attribution.lookup.search_query import SearchBy
from attribution.services import Services

router = APIRouter(prefix="/search", route_class=PageRoute)

NO_FACETS = FacetsOut(works=0, artists={}, names={}, licences={})
WAYS = {
    SearchBy.SUBJECT: "the same subject",
    SearchBy.STYLE: "the same hand (needs a picture)",
    SearchBy.WORDS: "the words of title, tags and artist",
}


class Sought(Asked):
    """A search whose address can be kept and shared."""

    like: UUID | None = None  # an artwork whose picture is what to look for


class SoughtWithImage(AskedWithImage):
    """The same with a picture."""

    like: UUID | None = None


Seeking = Sought | SoughtWithImage


@router.get("", dependencies=[needs(Scope.LOOK_UP)])
def show_search(
    request: Request,
    asked: Annotated[Sought, Query()],
    services: ServicesDep,
    works: WorksDep,
) -> Response:
    """Ask for words or a picture, and show what was found by an address."""
    found = None
    if asked.q or asked.like:
        found = _find(services, asked, _picture_of(services, asked.like, works))
    return _shown(request, services, asked, found)


@router.post("", dependencies=[needs(Scope.LOOK_UP)])
def search(
    request: Request,
    asked: Annotated[SoughtWithImage, Form(media_type="multipart/form-data")],
    services: ServicesDep,
    works: WorksDep,
) -> Response:
    """Find works; without a picture the browser shows the address of the search."""
    if asked.image is None or not asked.image.size:
        found = _find(services, asked, _picture_of(services, asked.like, works))
        answer = _shown(request, services, asked, found)
        if asked.cursor is None:
            answer.headers["hx-push-url"] = _address(request, asked)
        return answer
    works()
    found = _find(services, asked, read_upload(asked.image.file, services.limits))
    return _shown(request, services, asked, found)


def _find(services: Services, asked: Seeking, image: CheckedImage | None) -> SearchOut:
    """Find works; artists and licences are counted with the first page."""
    return find(services, asked.model_copy(update={"facets": not asked.cursor}), image)


def _picture_of(
    services: Services, like: UUID | None, works: Callable[[], None]
) -> CheckedImage | None:
    """Return the picture of a work as it is kept, counted; raises NotFound where none is."""
    if like is None:
        return None
    works()
    with services.sessions() as session:
        row = queries.artworks_by_id(session, [like], status=ArtworkStatus.INDEXED).get(like)
    if row is None:
        raise NotFound(f"no work {like} can be found: it was never registered, or withdrawn")
    store = services.store
    kept = store.original if store.has_original(row.sha256) else store.thumbnail
    return read_image(kept(row.sha256), services.limits)


def _shown(
    request: Request, services: Services, asked: Seeking, found: SearchOut | None
) -> Response:
    """Show what was found; behind a cursor htmx gets the works alone."""
    hits = found.hits if found else ()
    with services.sessions() as session:
        rows = queries.artworks_by_id(session, [hit.id for hit in hits])
        chosen = {slug: queries.artist_by_slug(session, slug).name for slug in asked.artist}
    facets = found.facets if found and found.facets else NO_FACETS
    part = "search_hits.html" if asked.cursor else "search_found.html"
    return page(
        request,
        part if "hx-request" in request.headers else "search.html",
        asked=asked,
        found=found,
        visible={row.id for row in rows.values() if row.consent_display},
        counted=facets.works,
        is_cut=facets.works == COUNTED,
        artists=dict.fromkeys(asked.artist, 0) | facets.artists,
        licences=dict.fromkeys(asked.licence, 0) | facets.licences,
        names=chosen | facets.names,
        ways=WAYS,
    )


def _address(request: Request, asked: Seeking) -> str:
    said = asked.model_dump(
        include={"q", "like", "artist", "licence", "by", "year_from", "year_to"}
    )
    given = {name: value for name, value in said.items() if value not in (None, "", [])}
    return f"{request.url.path}?{urlencode(given, doseq=True)}"
