"""What surrounds every answer: headers for browsers, ids of requests, the pages of the service."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import logging
import logging.config
import re

import pytest
from fastapi.testclient import TestClient

from api.http.headers import ALWAYS
from attribution import logs
from tests.apis import is_problem, png

VENDORED = {
    "docs/swagger-ui-bundle.js": "e6a898692f2d768e807c3ba4626068a69a2c5dd960dd6c76f3e4d3a3de180af2",
    "docs/swagger-ui.css": "5ed08757e53da3e026d6cbecc61fe5d43585c9560b302d534ad56692519a273d",
    "console/static/htmx.min.js": (
        "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    ),
}


def test_every_answer_has_its_headers(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data, refusals before and within a route, and what nobody foresaw."""
    answers = [
        client.get("/v1/artists"),
        client.get("/v1/artists/nobody"),
        client.get("/nothing"),
        client.get("/healthz", headers={"host": "evil.example"}),
        client.post("/v1/search", headers={"origin": "http://evil.example"}),
    ]
    monkeypatch.setattr("attribution.catalogue.queries.list_artists", lambda *_, **__: 1 / 0)
    answers.append(client.get("/v1/artists"))

    assert [one.status_code for one in answers] == [200, 404, 404, 421, 403, 500]
    for one in answers:
        assert {name: one.headers.get(name) for name in ALWAYS} == ALWAYS
        assert one.headers["x-request-id"]


def test_pages_run_no_script_of_others(client: TestClient) -> None:
    """The documentation loads files of this service alone, and has no script or style within."""
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script>|<style|style=|https?:", page.text)
    for path in set(loaded) - {"data:,"}:
        answer = client.get(f"/{path}")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(("text/css", "text/javascript"))


@pytest.mark.parametrize("path", VENDORED)
def test_scripts_of_others_are_as_released(client: TestClient, path: str) -> None:
    """The files that NOTICE names, byte for byte."""
    assert hashlib.sha256(client.get(f"/{path}").content).hexdigest() == VENDORED[path]


def test_a_report_is_shown_and_runs_nothing(client: TestClient) -> None:
    """Its one style is named by its hash, so no other would apply."""
    answer = client.post("/v1/attributions", files={"image": png(1)}).json()
    report = client.get(f"/v1/attributions/{answer['id']}/report")
    policy = report.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", report.text, re.DOTALL)

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert f"'sha256-{base64_sha256(style)}'" in policy
    assert " style=" not in report.text


def base64_sha256(text: str) -> str:
    """Return the hash as browsers compare it."""
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b64encode(digest).decode()


def test_the_root_says_what_answers(client: TestClient) -> None:
    """A page for browsers, data for programs; its links lead somewhere."""
    about = client.get("/").json()
    page = client.get("/", headers={"accept": "text/html"})

    assert about["name"] == "Lawful Diffusion"
    assert about["links"]["docs"] == "/docs"
    for path in about["links"].values():
        assert client.get(path).status_code == 200
        assert f'href="{path}"' in page.text


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [("a-1._Z", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("", False)],
)
def test_the_id_of_a_request_comes_back(client: TestClient, given: str, is_kept: bool) -> None:  # noqa: FBT001
    """As it was given where it is well-formed; else a new one."""
    ids = [client.get("/healthz", headers={"x-request-id": given}).headers["x-request-id"]]
    ids.append(client.get("/v1/no", headers={"x-request-id": given}).headers["x-request-id"])

    assert all((one == given) is is_kept for one in ids)
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", one) for one in ids)


def test_every_line_of_the_log_has_the_id(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also that of a defect, which is logged outside of all middleware."""

    def broken(*_: object, **__: object) -> None:
        logging.getLogger("attribution.catalogue").warning("it is slow")
        raise RuntimeError("no")

    monkeypatch.setattr("attribution.catalogue.queries.list_artists", broken)
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(logs.formatter("json"))
    handler.setLevel(logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        answer = client.get("/v1/artists", headers={"x-request-id": "r-1"})
    finally:
        logging.getLogger().removeHandler(handler)

    is_problem(answer, 500, "internal-error")
    assert answer.headers["x-request-id"] == "r-1"
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(one["request"], one["event"]) for one in said] == [
        ("r-1", "it is slow"),
        ("r-1", "GET /v1/artists failed"),
    ]
    assert "RuntimeError: no" in said[1]["exception"]
