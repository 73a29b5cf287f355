"""What pages have the service do, and how much of it at once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from api.console.pages.insight import VERIFICATIONS
from api.console.permits import permitted
from api.http.app import create_app
from attribution.actors import Role
from attribution.images import pictures
from attribution.tenants import within
from attribution.upkeep import tenants
from attribution.upkeep.keys import NewKey, create
from tests.apis import is_problem, local_client, png, settings, upload
from tests.commands import lawful
from tests.keys import bearing


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Serve a collection that keeps originals."""
    with local_client(create_app(settings(tmp_path / "home", keep_originals=True))) as opened:
        yield opened


def test_few_pictures_are_made_at_once(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all turns are taken, whoever asks for one more is told when to try again."""
    upload(client, png(1), artist="Ann Örn", consent_display="false")
    image = {"image": ("q.png", png(1))}
    answer = client.post("/v1/attributions", files=image).json()
    one, work = answer["id"], answer["copy_of"]["id"]
    places = (
        f"/v1/attributions/{one}/works/{work}/picture",
        f"/v1/attributions/{one}/report",
        f"/console/lookup/{one}",
        f"/console/compare/{one}/image",
        f"/console/compare/{one}/{work}/work",
        f"/console/works/{work}/picture",
    )
    monkeypatch.setattr(pictures, "PATIENCE_S", 0.01)

    with ExitStack() as turns:
        for _ in range(4):
            turns.enter_context(pictures.showing())
        for place in places:
            refused = client.get(place)
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5"), place
        is_problem(client.get(places[0]), 503, "backend-unavailable")
        sent = client.post(f"/v1/attributions/{one}/report", files=image)
        is_problem(sent, 503, "backend-unavailable")
        card = client.post("/console/lookup", files=image, data={"is_one_of_many": "true"})
        assert card.status_code == 503

    for place in places:
        assert client.get(place).status_code == 200, place


def test_the_audit_is_verified_once_at_a_time(client: TestClient) -> None:
    """Who comes second is told when to try again."""
    place = "/console/insight/audit/verify"
    with permitted(VERIFICATIONS, "a test"):
        refused = client.post(place)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    assert "are as they were recorded" in client.post(place).text


def test_other_tenants_are_not_counted(client: TestClient) -> None:
    """An auditor of a tenant that only shares the service learns nothing of what others have."""
    stores = client.app.state.services  # type: ignore[attr-defined]
    tenants.create(stores, "others")
    with within("others"):
        key = create(stores, NewKey("auditor", Role.AUDITOR)).token
    client.headers.update(bearing(key))

    assert "Verify now" not in client.get("/console/insight/audit").text
    refused = client.post("/console/insight/audit/verify")
    assert (refused.status_code, "one for all tenants" in refused.text) == (403, True)


def test_a_date_holds_to_the_end_of_its_day(client: TestClient) -> None:
    """A key that ends on a day is good on it, wherever it is made; a time is meant as it is."""
    home = client.app.state.services.settings.home  # type: ignore[attr-defined]
    said = {"name": "x", "role": "reader", "expires_at": "2099-12-31"}
    assert client.post("/v1/keys", json=said).status_code == 201
    for name, end in (("y", "2099-12-31"), ("z", "2099-12-31T18:00")):
        made = lawful(
            home, "keys", "create", name, "--role", "operator", "--expires", end, "--json"
        )
        client.headers.update(bearing(json.loads(made.stdout)["token"]))
    form = {"name": "page", "role": "reader", "expires_at": "2099-12-31"}
    assert client.post("/console/insight/keys", data=form).status_code == 200

    listed = client.get("/v1/keys").json()["items"]
    ends = {one["name"]: one["expires_at"][:16] for one in listed}
    day = "2099-12-31T23:59"
    assert ends == {"x": day, "y": day, "z": "2099-12-31T18:00", "page": day}


def test_home_counts_once(client: TestClient) -> None:
    """What is registered is counted for the page, and not again to see whether parts work."""
    asked: list[str] = []

    def note(*said: object) -> None:
        asked.append(str(said[2]))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert client.get("/console").status_code == 200
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    counting = Counter(one for one in asked if "count(" in one.lower())

    assert counting
    assert set(counting.values()) == {1}


def test_who_comes_second_is_told_what_to_do(client: TestClient) -> None:
    """An edit of what somebody else has changed speaks of them, and of no header."""
    upload(client, png(1), artist="Ann Örn")
    (work,) = client.get("/v1/artworks").json()["items"]
    place = f"/v1/artworks/{work['id']}"
    etag = client.get(place).headers["etag"]
    client.patch(place, json={"title": "theirs"})

    refused = client.post(
        f"/console/works/{work['id']}/correct", data={"title": "mine", "etag": etag}
    )

    assert refused.status_code == 412
    assert "somebody else has changed this" in refused.text
    assert "If-Match" not in refused.text
