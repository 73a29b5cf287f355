"""`ETag`, `If-None-Match` and `If-Match`: nobody overwrites what they have not seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Select, select

from api.http.app import create_app
from api.http.conditions import is_named
from attribution.catalogue.database import connect
from attribution.catalogue.models import Artist, Artwork
from tests.apis import is_problem, local_client, png, settings, upload
from tests.databases import at_once
from tests.portfolios import wait_until
from tests.test_undo_races import one_after_the_other


@pytest.fixture
def work(client: TestClient) -> str:
    """Register a work by Ann; returns its path."""
    upload(client, png(1), artist="Ann", title="Boat")
    (one,) = client.get("/v1/artworks").json()["items"]
    return f"/v1/artworks/{one['id']}"


def tag(client: TestClient, path: str) -> str:
    """Return the tag of what is at a path."""
    return str(client.get(path).headers["etag"])


def changes(client: TestClient) -> int:
    """Count what was changed."""
    return len(client.get("/v1/changes").json()["items"])


@pytest.mark.parametrize(
    ("header", "weakly", "is_it"),
    [
        ('"a"', False, True),
        ('"b", "a"', False, True),
        ("*", False, True),
        ('W/"a"', False, False),
        ('W/"a"', True, True),
        ('"b"', True, False),
        ("a", True, False),
        ("", True, False),
    ],
)
def test_which_tags_a_header_names(header: str, weakly: bool, is_it: bool) -> None:  # noqa: FBT001
    """A weak one is good enough to read by, and not to edit by."""
    assert is_named('"a"', header, weakly=weakly) is is_it


def test_what_was_read_is_not_sent_again(client: TestClient, work: str) -> None:
    """304 without a body until something of it has changed, or of what is shown with it."""
    for path in (work, "/v1/artists/ann"):
        known = {"if-none-match": tag(client, path)}
        again = client.get(path, headers=known)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == known["if-none-match"]

    before = {path: tag(client, path) for path in (work, "/v1/artists/ann")}
    client.patch("/v1/artists/ann", json={"name": "Ann Example"})
    for path, old in before.items():
        assert client.get(path, headers={"if-none-match": old}).status_code == 200


def test_an_edit_of_what_was_read_is_done(client: TestClient, work: str) -> None:
    """Its answer has the tag that the next edit needs; `*` and no header ask for nothing."""
    first = tag(client, work)
    done = client.patch(work, json={"title": "Red boat"}, headers={"if-match": f'"x", {first}'})
    assert done.status_code == 200
    assert done.headers["etag"] == tag(client, work) != first
    for headers in ({"if-match": done.headers["etag"]}, {"if-match": "*"}, {}):
        assert client.patch(work, json={"year": 1901}, headers=headers).status_code == 200


def edits(work: str) -> dict[str, tuple[str, Any]]:
    """Return edits, by the path of what they are about."""
    return {
        work: ("PATCH", {"title": "Sea"}),
        f"{work}/move": ("POST", {"artist": "bob"}),
        "/v1/artists/ann": ("PATCH", {"name": "Ann Example"}),
        "/v1/artists/ann/aliases": ("POST", {"name": "A. Example"}),
        "/v1/artists/ann/merge": ("POST", {"into": "bob", "confirm": True}),
        "/v1/artists/ann/split": ("POST", {"works": [work.rsplit("/", 1)[1]], "into": "Anne"}),
    }


def test_an_edit_of_what_has_changed_is_refused(client: TestClient, work: str) -> None:
    """Whatever it would edit, nothing of it is done; with the tag of now it is done."""
    upload(client, png(2), artist="Bob")
    stale = tag(client, work)
    client.patch(work, json={"title": "Red boat"})
    count = changes(client)
    for path, (method, asked) in edits(work).items():
        problem = is_problem(
            client.request(method, path, json=asked, headers={"if-match": stale}),
            412,
            "precondition-failed",
        )
        assert stale in problem["detail"]
    assert changes(client) == count

    for path, (method, asked) in edits(work).items():
        of = path if method == "PATCH" else path.rsplit("/", 1)[0]
        headers = {"if-match": tag(client, of)}
        response = client.request(method, path, json=asked, headers=headers)
        assert response.status_code < 300, response.text
        change = client.get("/v1/changes").json()["items"][0]
        client.post(f"/v1/changes/{change['id']}/undo").raise_for_status()


def test_undos_and_revokings_have_conditions_too(client: TestClient, work: str) -> None:
    """A change that was undone, and a declaration that was revoked, are not as they were read."""
    said = {"artwork_id": work.rsplit("/", 1)[1], "by": "Ann", "reason": "another tower"}
    where = client.post("/v1/non-copies", data=said, files={"image": png(7)}).headers["location"]
    client.patch(work, json={"title": "Red boat"})
    change = f"/v1/changes/{client.get('/v1/changes').json()['items'][0]['id']}"
    for path, verb, asked in (
        (change, "undo", {}),
        (where, "revoke", {"by": "Bob", "reason": "it is"}),
    ):
        wrong = client.post(f"{path}/{verb}", json=asked, headers={"if-match": '"old"'})
        is_problem(wrong, 412, "precondition-failed")
        headers = {"if-match": tag(client, path)}
        assert client.post(f"{path}/{verb}", json=asked, headers=headers).status_code == 200
        twice = client.post(f"{path}/{verb}", json=asked, headers=headers)
        is_problem(twice, 412, "precondition-failed")


def test_of_edits_at_once_with_one_tag_one_is_done(client: TestClient, work: str) -> None:
    """On SQLite, which has one writer at a time."""
    headers = {"if-match": tag(client, work)}

    def edit(title: str) -> int:
        return client.patch(work, json={"title": title}, headers=headers).status_code

    assert sorted(at_once(edit, ["a", "b", "c", "d"])) == [200, 412, 412, 412]


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[TestClient]:
    """Serve a collection with a work by Ann."""
    database = connect(database_url)
    database.upgrade()
    database.dispose()
    chosen = settings(tmp_path / "home", database_url=database_url)
    with local_client(create_app(chosen)) as client:
        upload(client, png(1), artist="Ann", title="Boat")
        yield client


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("path", "other", "held"),
    [
        ("{work}", "/move", select(Artwork.id)),
        ("/v1/artists/ann", "/aliases", select(Artist.id).where(Artist.slug == "ann")),
        ("/v1/artists/ann", "/merge", select(Artist.id).where(Artist.slug == "ann")),
        ("/v1/artists/ann", "/split", select(Artist.id).where(Artist.slug == "ann")),
    ],
)
def test_an_edit_that_waited_for_another_sees_it(
    served: TestClient, path: str, other: str, held: Select[Any]
) -> None:
    """On PostgreSQL both have read the same; the first one to get the lock is done."""
    work = f"/v1/artworks/{served.get('/v1/artworks').json()['items'][0]['id']}"
    upload(served, png(2), artist="Bob")
    # What goes on behind a job takes locks as well, and would be counted among those that wait
    wait_until(lambda: len(served.get("/v1/map").json()["works"]) == 2)
    at = path.format(work=work)
    headers = {"if-match": tag(served, at)}

    def editing(to: str) -> Any:
        method, asked = edits(work)[to]
        return lambda: served.request(method, to, json=asked, headers=headers)

    services = served.app.state.services  # type: ignore[attr-defined]  # an application's
    first, second = one_after_the_other(
        services, held.with_for_update(), editing(at), editing(at + other)
    )
    assert (first.status_code, second.status_code) == (200, 412)
    assert changes(served) == 1
