"""Search: works by words, by a picture, or by both."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, Form, Query, UploadFile
from pydantic import BaseModel, Field

from api.answers import SearchOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import ServicesDep, WorksDep
from api.http.description import also
from api.http.uploads import read_upload
from attribution.actors import Scope
from attribution.images import CheckedImage
from attribution.lookup.search_pages import LONGEST_CURSOR
from attribution.lookup.search_query import SearchBy, SearchQuery
from attribution.services import Services

router = APIRouter(prefix="/search", tags=["search"], route_class=ScopedRoute)


class Asked(BaseModel):
    """Words and filters of a search; values of one filter are joined by OR, filters by AND."""

    q: str | None = Field(None, max_length=1000, examples=["red sailing boat"])
    artist: list[str] = Field([], description="Slugs.")
    licence: list[str] = Field(
        [], description="In any spelling; what names no known licence, by its exact text."
    )
    year_from: int | None = Field(None, ge=-10_000, le=10_000)
    year_to: int | None = Field(None, ge=-10_000, le=10_000)
    by: list[SearchBy] = Field(
        list(SearchQuery.by),
        min_length=1,
        description=(
            "What works are compared by: `subject`, what is shown; `style`, how it is drawn, which "
            "needs a picture; `words`, the letters of title, tags and artist. Several are fused."
        ),
    )
    limit: int = Field(20, ge=1, le=200, description="Works at most.")
    facets: bool = Field(
        default=False,
        description="Count artists and licences of the first 200 works found.",
    )
    cursor: str | None = Field(
        None,
        max_length=LONGEST_CURSOR,
        description="`next` of the page before, with the same words, picture and filters; leave "
        "out to begin.",
    )


class AskedWithImage(Asked):
    """The same with a picture; empty when there is none."""

    image: Annotated[UploadFile | None, File(description="A picture to look for.")] = None


@router.get("", summary="Search by words", responses=also(404), dependencies=[needs(Scope.LOOK_UP)])
def search(asked: Annotated[Asked, Query()], services: ServicesDep) -> SearchOut:
    """Find works by words: by their meaning (CLIP) and by their letters (BM25)."""
    return find(services, asked, None)


@router.post(
    "",
    summary="Search by words and a picture",
    responses=also(404),
    dependencies=[needs(Scope.LOOK_UP)],
)
def search_with_image(
    asked: Annotated[AskedWithImage, Form(media_type="multipart/form-data")],
    services: ServicesDep,
    works: WorksDep,
) -> SearchOut:
    """Find works by a picture, by words, or by both; each hit says what every leg gave."""
    if asked.image is None:
        return find(services, asked, None)
    works()
    return find(services, asked, read_upload(asked.image.file, services.limits))


def find(services: Services, asked: Asked, image: CheckedImage | None) -> SearchOut:
    """Find works as somebody asks for them, by a picture where there is one."""
    query = SearchQuery(
        text=asked.q,
        image=image,
        by=tuple(asked.by),
        artists=tuple(asked.artist),
        licences=tuple(asked.licence),
        year_from=asked.year_from,
        year_to=asked.year_to,
    )
    found = services.attributor.search(
        query, limit=asked.limit, cursor=asked.cursor, facets=asked.facets
    )
    return SearchOut.of(found)
