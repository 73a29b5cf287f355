"""`Idempotency-Key`: a request that is sent again is done once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import func, select, update

from attribution.catalogue.columns import now
from attribution.catalogue.models import IngestJob, RecordedAttribution, Reply
from attribution.services import Services
from tests.apis import is_problem, png, upload

KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
IMAGE = {"image": ("a.png", png(1), "image/png")}


def services_of(client: TestClient) -> Services:
    """Return what an application has opened."""
    found: Services = client.app.state.services  # type: ignore[attr-defined]
    return found


def count(client: TestClient, table: type[Any]) -> int:
    """Count rows."""
    with services_of(client).sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_a_repeated_lookup_is_recorded_once(client: TestClient) -> None:
    """The same answer comes again, whatever boundary the client draws; and says that it does."""
    first = client.post("/v1/attributions", files=IMAGE, headers=KEY)
    again = client.post("/v1/attributions", files=IMAGE, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.request.headers["content-type"] != again.request.headers["content-type"]
    assert again.content == first.content
    assert again.headers["location"] == first.headers["location"]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (
        False,
        "true",
    )
    assert count(client, RecordedAttribution) == 1


def test_another_request_needs_another_key(client: TestClient) -> None:
    """Another body, another route and another query are other requests."""
    client.post("/v1/attributions", files=IMAGE, headers=KEY)
    other = {"image": ("a.png", png(2), "image/png")}

    for path, files in (
        ("/v1/attributions", other),
        ("/v1/attributions?limit=3", IMAGE),
        ("/v1/attributions/sets", IMAGE),
    ):
        said = is_problem(client.post(path, files=files, headers=KEY), 422, "key-was-used")
        assert "POST /v1/attributions" in said["detail"]
    new = client.post("/v1/attributions", files=other, headers={"Idempotency-Key": "another"})
    assert new.status_code == 201


def test_what_was_refused_is_refused_again(client: TestClient) -> None:
    """A fault of the caller is an answer like any other."""
    broken = {"image": ("a.png", b"no image", "image/png")}
    first = client.post("/v1/attributions", files=broken, headers=KEY)
    again = client.post("/v1/attributions", files=broken, headers=KEY)

    assert (first.status_code, again.status_code) == (422, 422)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/problem+json"


def test_a_fault_of_the_server_can_be_tried_again(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no answer."""
    attributor = services_of(client).attributor

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(type(attributor), "attribute", fail)
        assert client.post("/v1/attributions", files=IMAGE, headers=KEY).status_code == 500
    assert client.post("/v1/attributions", files=IMAGE, headers=KEY).status_code == 201


@pytest.mark.parametrize("key", ["", " ", "é", "a" * 256, "a\tb"])
def test_a_key_has_a_form(client: TestClient, key: str) -> None:
    """What is no key is refused, not left out: the caller believes in it."""
    headers = {b"Idempotency-Key": key.encode("latin-1")}
    said = is_problem(
        client.post("/v1/attributions", files=IMAGE, headers=headers), 400, "bad-request"
    )
    assert "Idempotency-Key" in said["detail"]


def test_requests_at_the_same_time(client: TestClient) -> None:
    """One is done; the others are told that it is under way, or get its answer."""

    def ask(_: int) -> int:
        return client.post(
            "/v1/ingest-jobs", files={"file": ("a.png", png(3))}, data={"artist": "A"}, headers=KEY
        ).status_code

    with ThreadPoolExecutor(4) as threads:
        codes = list(threads.map(ask, range(4)))
    assert set(codes) <= {202, 409}
    assert 202 in codes
    assert count(client, IngestJob) == 1


def test_answers_are_kept_for_a_day(client: TestClient) -> None:
    """Then the key is free, and nothing is left."""
    client.post("/v1/attributions", files=IMAGE, headers=KEY)
    with services_of(client).sessions.begin() as session:
        session.execute(update(Reply).values(begun_at=now() - timedelta(hours=25)))
    client.post("/v1/attributions", files=IMAGE, headers={"Idempotency-Key": "b"})

    assert count(client, Reply) == 1
    assert client.post("/v1/attributions", files=IMAGE, headers=KEY).status_code == 201
    assert count(client, RecordedAttribution) == 3


def test_a_withdrawal_forgets_answers(client: TestClient) -> None:
    """One of them may say something of the work."""
    upload(client, png(5), artist="Ann Example", title="Sunrise")
    client.post("/v1/attributions", files={"image": ("a.png", png(5))}, headers=KEY)
    assert count(client, Reply) == 1

    made = client.post("/v1/withdrawals", json={"what": "ann-example", "reason": "asked for"})

    assert made.status_code == 201
    assert count(client, Reply) == 0
    assert made.json()["receipt"]["removed"]["answers kept for repeated requests"] == 1
