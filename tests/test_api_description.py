"""What `/openapi.json` promises: whole enough to build on, and true."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.kinds import KINDS, kind_of
from attribution import errors
from attribution.errors import LawfulError
from tests.apis import is_problem
from tests.contract import description, violation

ROOT = Path(__file__).parents[1]
API = (ROOT / "docs" / "api.md").read_text("utf-8")
OPERATIONS = [
    (path, method, one)
    for path, methods in description()["paths"].items()
    for method, one in methods.items()
]


def schema_of_answer(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of what an operation answers as data, where it has a name."""
    good = next(answer for status, answer in operation["responses"].items() if status < "300")
    schema = good.get("content", {}).get("application/json", {}).get("schema", {})
    return schema if "$ref" in schema else {}


def test_every_operation_is_described() -> None:
    """A short id of its own, a summary, and a tag that is described."""
    tags = {one["name"]: one["description"] for one in description()["tags"]}

    assert len({one["operationId"] for *_, one in OPERATIONS}) == len(OPERATIONS) >= 50
    for *_, one in OPERATIONS:
        assert one["operationId"].isidentifier()
        assert one["summary"]
        assert all(tags[name] for name in one["tags"])
        assert one["tags"]


def test_no_two_schemas_share_a_title() -> None:
    """Generated clients name classes by them."""
    schemas = description()["components"]["schemas"]
    titles = Counter(schema.get("title", name) for name, schema in schemas.items())

    assert [title for title, times in titles.items() if times > 1] == []
    assert [name for name in schemas if name.endswith(("-Input", "-Output"))] == []


def test_every_error_is_listed_with_its_kinds() -> None:
    """Whatever has an id may be missing, whatever has a body may be too large, and so on."""
    for path, method, one in OPERATIONS:
        problems = {int(status) for status in one["responses"] if status.isdigit()}
        expected = {421, 500} | ({404} if "{" in path else set())
        expected |= {422, 503} if path.startswith("/v1/") else set()
        expected |= {403, 413} if method != "get" else set()
        assert expected <= problems, path
        for status in problems - {503}:
            if status >= 400:
                content = one["responses"][str(status)]["content"]["application/problem+json"]
                assert content["schema"]["$ref"].endswith("/Problem")
                assert set(content["examples"]) <= set(KINDS)
        assert "application/problem+json" in one["responses"]["default"]["content"]


@pytest.mark.parametrize(
    "operation", [one for *_, one in OPERATIONS], ids=lambda one: one["operationId"]
)
def test_answers_have_examples_that_fit(operation: dict[str, Any]) -> None:
    """Data that an operation answers is shown as it really looks."""
    if schema := schema_of_answer(operation):
        name = schema["$ref"].rsplit("/", 1)[1]
        (example,) = description()["components"]["schemas"][name]["examples"]
        assert violation(schema, example) == ""


def test_kinds_of_problems_are_documented() -> None:
    """In docs/api.md, with their statuses and in the same words."""
    rows = re.findall(r"^\| `/problems/([a-z-]+)` \| (\d{3}) \| (.*) \|$", API, re.MULTILINE)

    assert rows == [(name, str(kind.status), kind.when) for name, kind in KINDS.items()]


def test_every_error_has_a_kind() -> None:
    """That of its class or of one above it, with the same status."""
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, LawfulError):
            error = one.__new__(one)
            assert KINDS[kind_of(error)].status == error.status


def test_the_type_of_a_problem_is_a_page(client: TestClient) -> None:
    """For programs and for people; an unknown one names those there are."""
    said = is_problem(client.get("/v1/artists/nobody"), 404, "not-found")
    page = client.get(said["type"], headers={"accept": "text/html,*/*"})

    assert client.get(said["type"]).json()["when"] == KINDS["not-found"].when
    assert page.headers["content-type"].startswith("text/html")
    assert KINDS["not-found"].remedy in page.text
    assert "bad-image" in is_problem(client.get("/problems/x"), 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/artists/ann", "GET, PATCH"),
        ("PUT", "/v1/attributions", "GET, POST"),
        ("PUT", "/v1/attributions/sets", "POST"),
        ("POST", "/healthz", "GET"),
        ("POST", "/docs", "GET"),
    ],
)
def test_allow_names_all_methods_of_a_path(
    client: TestClient, method: str, path: str, allowed: str
) -> None:
    """Also where several routes share it."""
    response = client.request(method, path)

    is_problem(response, 405, "method-not-allowed")
    assert response.headers.get_list("allow") == [allowed]


def test_a_malformed_cursor_is_named(client: TestClient) -> None:
    """In every list; never an error of the server."""
    lists = [
        path
        for path, _, one in OPERATIONS
        if "{" not in path and "cursor" in {given["name"] for given in one.get("parameters", ())}
        if path != "/v1/search"  # needs words: see `test_search_pages`
    ]
    assert len(lists) >= 8
    for path in lists:
        for cursor in ("nonsense", "bm8", "", "\0", "W10", "0" * 900):
            response = client.get(path, params={"cursor": cursor})
            assert repr(cursor[:60]) in is_problem(response, 422, "bad-input")["detail"], path


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/changes?since=0.5", None),  # seconds since 1970, as a library has it
        ("GET", "/v1/changes?since=20261101", None),
        ("PATCH", "/v1/artworks/{id}", {"consent": {"generate": 1}}),  # 1 is no yes in JSON
        ("PATCH", "/v1/artworks/{id}", {"year": True}),
        ("POST", "/v1/artists/ann/merge", {"into": "bob", "confirm": "yes"}),
        ("POST", "/v1/generations", {"prompt": "a", "guidance": False}),
    ],
)
def test_values_of_another_type_are_refused(
    client: TestClient, method: str, path: str, body: object
) -> None:
    """What the description forbids is not read as something similar."""
    path = path.format(id="00000000-0000-0000-0000-000000000000")
    is_problem(client.request(method, path, json=body), 422, "invalid-request")
