"""Searches in pages: nothing comes twice and nothing is passed over, whatever happens meanwhile."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from attribution.errors import BadInput
from attribution.images import read_image_file
from attribution.lookup import search_pages
from attribution.lookup.results import SearchResult
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, png, upload
from tests.portfolios import ingest, picture

WORDS = SearchQuery(text="work")


def following(services: Services, page: SearchResult, limit: int = 5) -> list[SearchResult]:
    """Return the pages behind this one."""
    pages = list[SearchResult]()
    while page.next is not None:
        page = services.attributor.search(WORDS, limit=limit, cursor=page.next)
        pages.append(page)
    return pages


def ids(*pages: SearchResult) -> list[UUID]:
    """Return the works of some pages."""
    return [hit.id for page in pages for hit in page.hits]


def test_pages_hold_every_work_once(services: Services) -> None:
    """In the order of one page with all of them; the last one has no cursor."""
    whole = services.attributor.search(WORDS, limit=50)
    first = services.attributor.search(WORDS, limit=5)
    rest = following(services, first)

    assert [len(page.hits) for page in (first, *rest)] == [5, 5, 2]
    assert ids(first, *rest) == ids(whole)
    assert (whole.next, whole.notes, rest[-1].notes) == (None, (), ())


def test_works_that_arrive_or_go_meanwhile(services: Services, tmp_path: Path) -> None:
    """Those that were there neither repeat nor hide; what arrives may come, what goes does not."""
    before = ids(services.attributor.search(WORDS, limit=50))
    first = services.attributor.search(WORDS, limit=5)
    gone = before[7]
    withdraw(services, str(gone), reason="asked for")
    (tmp_path / "more" / "Artist 0").mkdir(parents=True)
    for seed in range(900, 908):
        picture(seed).save(tmp_path / "more" / "Artist 0" / f"work {seed}.png")
    ingest(services, tmp_path / "more")
    rest = following(services, first)

    listed = ids(first, *rest)
    assert len(listed) == len(set(listed)) == 12 - 1 + 8
    assert set(before) - {gone} <= set(listed)
    assert gone not in listed


def test_a_search_ends_and_says_so(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where more was found than it lists; where it lists all there is, it says nothing."""
    monkeypatch.setattr(search_pages, "MOST", 7)
    first = services.attributor.search(WORDS, limit=5)
    (last,) = following(services, first)
    few = services.attributor.search(replace(WORDS, artists=("artist-1",)), limit=50)

    assert (len(last.hits), last.next, last.notes) == (2, None, (search_pages.END,))
    assert (len(few.hits), few.next, few.notes) == (4, None, ())


@pytest.mark.parametrize(
    "other",
    [
        SearchQuery(text="works"),
        replace(WORDS, artists=("artist-1",)),
        replace(WORDS, year_to=1900),
        replace(WORDS, licences=("CC0-1.0",)),
    ],
)
def test_a_cursor_is_of_one_search(services: Services, other: SearchQuery) -> None:
    """In another one it would leave works out that were never shown."""
    cursor = services.attributor.search(WORDS, limit=5).next
    with pytest.raises(BadInput, match="is the cursor of another search; repeat its words"):
        services.attributor.search(other, cursor=cursor)


def test_the_cursor_of_a_picture(services: Services, tmp_path: Path) -> None:
    """The picture is part of the search."""
    one, other = (
        SearchQuery(image=read_image_file(path)) for path in sorted(tmp_path.glob("p/*/*.png"))[:2]
    )
    first = services.attributor.search(one, limit=3)
    second = services.attributor.search(one, limit=3, cursor=first.next)

    assert len({*ids(first), *ids(second)}) == 6
    with pytest.raises(BadInput, match="another search"):
        services.attributor.search(other, cursor=first.next)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "AAAA", "!!!!", urlsafe_b64encode(bytes(4 * search_pages.MOST + 4)).decode()],
)
def test_what_is_no_cursor_is_refused(services: Services, cursor: str) -> None:
    """By name."""
    with pytest.raises(BadInput, match="is not a cursor of a search; start again without one"):
        services.attributor.search(WORDS, cursor=cursor)


def test_pages_over_http(client: TestClient) -> None:
    """By words and by a picture alike."""
    for seed in range(3):
        upload(client, png(seed), f"boat {seed}.png", artist="Ann", title=f"boat {seed}")
    asked = {"q": "boat", "limit": "2"}

    def by_words(**more: str) -> Any:
        return client.get("/v1/search", params=asked | more)

    def by_picture(**more: str) -> Any:
        return client.post("/v1/search", data=asked | more, files={"image": png(0)})

    for ask in (by_words, by_picture):
        first = ask().json()
        second = ask(cursor=first["next"]).json()
        found = [hit["id"] for hit in (*first["hits"], *second["hits"])]
        assert (len(found), len(set(found)), second["next"]) == (3, 3, None)
        problem = is_problem(ask(cursor="x"), 422, "bad-input")
        assert "'x' is not a cursor of a search" in problem["detail"]


def test_artists_and_licences_are_counted_beyond_the_page(services: Services) -> None:
    """Of the first works found, on whatever page; the page itself stays as it is."""
    plain = services.attributor.search(WORDS, limit=2)

    counted = services.attributor.search(WORDS, limit=2, facets=True)

    every = services.attributor.search(WORDS, limit=200)
    assert plain.facets is None
    assert counted.facets is not None
    assert counted.facets.works == len(every.hits) > 2
    assert counted.facets.artists == Counter(hit.slug for hit in every.hits)
    assert [hit.id for hit in counted.hits] == [hit.id for hit in plain.hits]
    assert counted.next == plain.next
