"""Forms of the API: a field that is misspelt or given twice is refused, never passed over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from tests.apis import is_problem, local_client, png, settings, upload
from tests.contract import watched


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Open one application for all of these; its answers keep to its description."""
    app = create_app(settings(tmp_path_factory.mktemp("forms") / "home"))
    with local_client(app, raise_server_exceptions=False) as opened:
        yield watched(opened)


def refused(response: Any) -> dict[str, Any]:
    """State that a form was refused for one of its fields; returns the first error."""
    errors: list[dict[str, Any]] = is_problem(response, 422, "invalid-request")["errors"]
    return errors[0]


@pytest.mark.parametrize("path", ["/v1/ingest-jobs", "/v1/artworks"])
@pytest.mark.parametrize(
    "field", ["consent_trian", "consent-train", "Consent_Train", "licens", "artists", "year ", ""]
)
def test_a_misspelt_field_of_an_upload_is_refused(
    client: TestClient, path: str, field: str
) -> None:
    """The answer names the field and lists the known ones; nothing was taken in."""
    said = {"artist": "Ann", field: "no"}
    before = client.get("/v1/ingest-jobs").json()
    response = client.post(path, files={"file": ("a.png", png(1))}, data=said)

    error = refused(response)
    assert error["loc"] == ["body", field]
    for known in ("artist", "consent_train", "licence", "file"):
        assert known in error["msg"]
    assert client.get("/v1/ingest-jobs").json() == before


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("/v1/attributions", {"image": png(1)}),
        ("/v1/attributions/sets", {"images": png(1)}),
        ("/v1/attributions/members", {"image": png(1)}),
        ("/v1/attributions/00000000-0000-0000-0000-000000000000/regions", {"image": png(1)}),
        ("/v1/search", {"image": png(1)}),
        ("/v1/non-copies", {"image": png(1)}),
    ],
)
def test_every_form_knows_its_fields(
    client: TestClient, path: str, files: dict[str, bytes]
) -> None:
    """A field that a route does not have is refused by all of them, be it a text or a file."""
    (name,) = files
    for extra in ({"data": {"colour": "red"}}, {"files": {"colour": png(2)} | files}):
        error = refused(client.post(path, **{"files": files} | extra))

        assert error["loc"] == ["body", "colour"]
        assert name in error["msg"]


def test_a_form_without_files_is_checked_too(client: TestClient) -> None:
    """What is sent as a query's text is a form like the others."""
    error = refused(client.post("/v1/search", data={"q": "boat", "artits": "ann"}))

    assert error["loc"] == ["body", "artits"]


def test_a_field_that_is_given_twice_is_refused(client: TestClient) -> None:
    """Of two answers to one question none is chosen; lists may repeat."""
    for answers in (["no", "yes"], ["yes", "no"], ["no", "no"]):
        said = {"artist": "Ann", "consent_train": answers}
        response = client.post("/v1/artworks", files={"file": ("a.png", png(1))}, data=said)

        assert refused(response)["loc"] == ["body", "consent_train"]
    two = [("file", ("a.png", png(1))), ("file", ("b.png", png(2)))]
    response = client.post("/v1/ingest-jobs", files=two, data={"artist": "Ann"})
    assert refused(response)["loc"] == ["body", "file"]
    assert refused(client.get("/v1/artworks?limit=1&limit=2"))["loc"] == ["query", "limit"]

    upload(client, png(1), artist="Ann")
    both = {"q": "a", "artist": ["ann", "ann"]}
    assert client.post("/v1/search", data=both).status_code == 200
    assert client.get("/v1/search?q=a&artist=ann&artist=ann").status_code == 200


@pytest.mark.parametrize(
    ("word", "is_granted"),
    [
        ("yes", True),
        ("on", True),
        ("1", True),
        ("TRUE", True),
        ("no", False),
        ("No", False),
        ("off", False),
        ("0", False),
        ("false", False),
        (" n", False),
        ("nein", False),
        ("ja", True),
    ],
)
def test_consent_is_said_in_words(client: TestClient, word: str, is_granted: bool) -> None:  # noqa: FBT001
    """The words are those of tables."""
    picture = png(crc32(word.encode()))
    upload(client, picture, artist="Ann", title=word, consent_train=word, consent_display=word)

    work, *_ = client.get("/v1/artworks").json()["items"]
    assert work["title"] == word.strip()
    assert ("train" in work["consent"], "display" in work["consent"]) == (is_granted, is_granted)


@pytest.mark.parametrize("word", ["maybe", "nope", "2", "nein danke", "-", "no no", "None", " "])
def test_what_is_neither_yes_nor_no_is_refused(client: TestClient, word: str) -> None:
    """An answer that cannot be read is no yes, and no default either."""
    said = {"artist": "Ann", "consent_display": word}
    response = client.post("/v1/artworks", files={"file": ("a.png", png(1))}, data=said)

    assert refused(response)["loc"] == ["body", "consent_display"]


def test_no_answer_is_no_answer(client: TestClient) -> None:
    """A field that is left empty says nothing, as an empty cell of a table does."""
    upload(client, png(2), artist="Ann", consent_train="", consent_display="", title="")

    work, *_ = client.get("/v1/artworks").json()["items"]
    assert (work["consent"], work["title"]) == (["index", "display", "evidence"], "a")
