"""The map of the catalogue: alike works near each other, whatever is asked of it is bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from api.http.app import create_app
from attribution.arithmetic.layout import CAPACITY, between, deal, lay_out, tiles_of
from attribution.lookup.maps import MOST
from attribution.types import Box, Matrix
from attribution.upkeep.mapping import build_map, update_map
from tests.apis import is_problem, local_client, png, settings, upload
from tests.homes import copy_ingested


def groups(of: int, works: int, seed: int = 0) -> tuple[Matrix, list[int]]:
    """Make up vectors that lie in groups; returns them, and which group each is of."""
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(of, 32))
    own = [number % of for number in range(works)]
    vectors = middles[own] + 0.3 * rng.normal(size=(works, 32))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), own


def test_alike_works_lie_near_each_other() -> None:
    """The nearest on the map is of the same group; the same vectors are laid out the same way."""
    vectors, own = groups(of=6, works=120)

    places = lay_out(vectors)

    apart = ((places[:, None] - places[None]) ** 2).sum(-1) + 9 * np.eye(len(places))
    assert np.mean([own[one] == own[apart[one].argmin()] for one in range(120)]) > 0.95
    assert places.min() >= 0
    assert places.max() <= 1
    assert np.array_equal(places, lay_out(vectors))


@pytest.mark.parametrize("works", [1, 2, 3, 5, 8])
def test_a_few_works_have_places_too(works: int) -> None:
    """Within the square, however few there are; also where all are the same picture."""
    vectors, _ = groups(of=2, works=works)

    for found in (lay_out(vectors), lay_out(np.repeat(vectors[:1], works, axis=0))):
        assert found.shape == (works, 2)
        assert ((found >= 0) & (found <= 1)).all()


def test_a_new_work_lies_on_its_double_and_among_its_like() -> None:
    """It gets its place from those that have one; nothing else moves."""
    vectors, own = groups(of=4, works=80)
    places = lay_out(vectors[:60])

    found = between(vectors @ vectors[:60].T, places)

    assert np.allclose(found[:60], places, atol=1e-3)
    middles = np.array(
        [places[[own[one] == group for one in range(60)]].mean(0) for group in range(4)]
    )
    nearest = ((found[60:, None] - middles) ** 2).sum(-1).argmin(1)
    assert np.mean(nearest == own[60:]) > 0.9


def test_a_view_is_bounded_and_lacks_nothing_close_by() -> None:
    """The whole map shows a sample; of what lies in a small box every work is found."""
    places = np.random.default_rng(0).random((10_000, 2))
    tiles = np.array(deal(places, Counter()))

    def seen(box: Box) -> int:
        return int(np.isin(tiles, tiles_of(box)).sum())

    assert Counter(tiles.tolist()).most_common(1)[0][1] == CAPACITY
    assert seen((0, 0, 1, 1)) == MOST
    for x, y in places[:50]:
        within = np.abs(places - (x, y)).max(axis=1) < 0.05
        box = (x - 0.05, y - 0.05, x + 0.05, y + 0.05)
        assert np.isin(tiles[within], tiles_of(box)).all()
        assert len(tiles_of(box)) < 100


@pytest.fixture
def client(ingested_once: Path, tmp_path: Path) -> Iterator[httpx2.Client]:
    """Serve the map of three artists with four works each, and of one with one."""
    copy_ingested(ingested_once, tmp_path)
    with local_client(create_app(settings(tmp_path / "home"))) as opened:
        upload(opened, png(31), artist="Map Maker")
        opened.app.state.jobs.wait()  # type: ignore[attr-defined]
        build_map(opened.app.state.services)  # type: ignore[attr-defined]
        yield opened


def works_of(client: httpx2.Client, **asked: Any) -> dict[str, tuple[float, float]]:
    """Return the works that a view shows, and where."""
    found = client.get("/v1/map", params=asked).json()
    return {one["id"]: (one["x"], one["y"]) for one in found["works"]}


def test_the_map_is_walked_box_by_box(client: httpx2.Client) -> None:
    """Two halves are the whole; fewer than there are is a sample, the same every time."""
    every = works_of(client)

    left, right = works_of(client, box="0,0,0.5,1"), works_of(client, box="0.5,0,1,1")

    assert len(every) == 13
    assert left | right == every
    some = client.get("/v1/map", params={"limit": 3}).json()
    assert (len(some["works"]), some["is_sample"]) == (3, True)
    assert works_of(client, limit=3) == works_of(client, limit=3)
    for wrong in ("1,0,0,1", "a", "nan,0,1,1", "0,0,1"):
        is_problem(client.get("/v1/map", params={"box": wrong}), 422, "bad-input")


def test_a_work_that_is_withdrawn_is_on_no_map(client: httpx2.Client) -> None:
    """At once; and the receipt counts its place."""
    gone, *rest = works_of(client)

    receipt = client.post("/v1/withdrawals", json={"what": gone, "reason": "asked for"}).json()

    assert works_of(client).keys() == set(rest)
    assert receipt["receipt"]["removed"]["places on the map"] == 1


def test_a_new_work_is_put_on_the_map_and_nothing_moves(client: httpx2.Client) -> None:
    """Until a tenth has changed; then all is laid out anew."""
    before = works_of(client)
    made_at = client.get("/v1/map").json()["made_at"]

    job = upload(client, png(32), artist="Map Maker")
    client.app.state.jobs.wait()  # type: ignore[attr-defined]

    assert job["status"] == "done"
    after = works_of(client)
    assert len(after) == 14
    assert {one: after[one] for one in before} == before
    assert client.get("/v1/map").json()["made_at"] == made_at
    upload(client, png(33), artist="Map Maker")
    client.app.state.jobs.wait()  # type: ignore[attr-defined]
    assert client.get("/v1/map").json()["made_at"] > made_at
    assert len(works_of(client)) == 15


def test_an_image_lands_among_its_like(client: httpx2.Client) -> None:
    """A registered picture lies where it is registered; a blank one nowhere."""
    found = client.post("/v1/map", files={"image": ("a.png", png(31))}).json()

    nearest = found["nearest"][0]
    assert (nearest["name"], nearest["cosine"]) == ("Map Maker", pytest.approx(1, abs=1e-4))
    assert (found["x"], found["y"]) == pytest.approx((nearest["x"], nearest["y"]), abs=1e-3)
    assert len(found["nearest"]) == 5


def test_without_a_map_nothing_lies_anywhere(tmp_path: Path) -> None:
    """The view is empty and says so; an image finds no place."""
    with local_client(create_app(settings(tmp_path / "home"))) as client:
        assert client.get("/v1/map").json() == {
            "made_at": None,
            "space": None,
            "works": [],
            "is_sample": False,
        }
        answer = client.post("/v1/map", files={"image": ("a.png", png(1))})
        is_problem(answer, 404, "not-found")


def test_a_map_takes_the_place_of_the_last_one(client: httpx2.Client) -> None:
    """Laid out next to it: what was stopped is never shown, and leaves nothing."""
    services = client.app.state.services  # type: ignore[attr-defined]
    before = client.get("/v1/map").json()

    assert build_map(services, stopping=lambda: True) is None
    update_map(services)

    assert client.get("/v1/map").json() == before
    assert build_map(services) is not None
    after = client.get("/v1/map").json()
    assert after["made_at"] > before["made_at"]
    assert after["works"] == before["works"]  # the same works, the same places
