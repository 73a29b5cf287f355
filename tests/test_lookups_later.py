"""`Prefer: respond-async`: the same answer, fetched by a job."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient

from attribution.catalogue.models import LookupItem
from tests.apis import is_problem, png, upload
from tests.portfolios import wait_until

LATER = {"prefer": "respond-async"}
OWN = ("id", "created_at", "pins")  # what two answers about one image differ in


def asked(client: TestClient, seed: int, *, limit: int = 5, prefer: str = "respond-async") -> Any:
    """Ask about a picture."""
    return client.post(
        f"/v1/attributions?limit={limit}",
        files={"image": ("secret name.png", png(seed))},
        headers={"prefer": prefer},
    )


def ended(client: TestClient, where: str) -> dict[str, Any]:
    """Wait for a job; returns its state."""
    wait_until(lambda: bool(client.get(where).json()["has_ended"]))
    state: dict[str, Any] = client.get(where).json()
    return state


@pytest.mark.parametrize("limit", [1, 5])
def test_the_answer_is_that_of_who_waits(client: TestClient, limit: int) -> None:
    """For as many artists as were asked for; recorded like any other."""
    for seed, artist in enumerate(("Ann", "Bob", "Cy")):
        upload(client, png(seed), artist=artist)
    now = asked(client, 1, limit=limit, prefer="wait=5")
    response = asked(client, 1, limit=limit)
    assert (now.status_code, response.status_code) == (201, 202)
    assert response.headers["preference-applied"] == "respond-async"
    assert response.json()["id"] == response.headers["location"].rsplit("/", 1)[1]
    state = ended(client, response.headers["location"])

    assert (state["kind"], state["status"], state["done"]) == ("lookup", "done", 1)
    later, first = client.get(state["answer"]).json(), now.json()
    assert {k: v for k, v in later.items() if k not in OWN} == {
        k: v for k, v in first.items() if k not in OWN
    }
    assert len(later["artists"]) <= limit
    briefs = client.get("/v1/attributions").json()["items"]
    assert [one["id"] for one in briefs] == [later["id"], first["id"]]


def test_a_bad_image_is_refused_at_once(client: TestClient) -> None:
    """As without the preference: there is no job to ask."""
    broken = {"image": ("a.png", b"no picture")}
    is_problem(client.post("/v1/attributions", files=broken, headers=LATER), 422, "bad-image")
    assert client.get("/v1/lookup-batches").json()["items"] == []


def test_it_may_be_preferred_among_others(client: TestClient) -> None:
    """In any case, with parameters; `wait` alone is no such preference."""
    assert asked(client, 1, prefer="wait=10, Respond-Async; x=1").status_code == 202
    assert asked(client, 1, prefer="return=minimal").status_code == 201


def test_nothing_stays_of_the_file_but_its_answer(client: TestClient) -> None:
    """Neither its name nor its bytes."""
    response = asked(client, 1)
    state = ended(client, response.headers["location"])
    (item,) = client.get(f"{state['location']}/items").json()["items"]
    assert item["answer"]["id"] in state["answer"]
    assert "secret" not in client.get(state["location"]).text + str(item)
    services = client.app.state.services  # type: ignore[attr-defined]  # an application's
    left = [path for path in services.settings.home.glob("**/*") if state["id"] in str(path)]
    assert not [path for path in left if path.is_file()]


def test_a_lookup_that_fails_says_why(client: TestClient) -> None:
    """In the state of its job, which has no answer."""
    services = client.app.state.services  # type: ignore[attr-defined]  # an application's
    where = asked(client, 1).headers["location"]
    ended(client, where)
    batch = UUID(where.rsplit("/", 1)[1])
    with services.sessions.begin() as session:
        item = session.get_one(LookupItem, {"batch_id": batch, "position": 0})
        item.attribution_id, item.reason = None, "it cannot be processed"
    state = client.get(where).json()
    assert (state["answer"], state["error"]) == (None, "it cannot be processed")


def test_sent_again_it_is_the_same_job(client: TestClient) -> None:
    """With an idempotency key."""
    headers = LATER | {"idempotency-key": "once"}
    first, again = (
        client.post("/v1/attributions", files={"image": png(1)}, headers=headers) for _ in range(2)
    )
    assert again.headers["location"] == first.headers["location"]
    assert again.status_code == 202


def test_its_job_is_told_like_any_other(client: TestClient) -> None:
    """The last event leads to the answer."""
    where = asked(client, 1).headers["location"]
    last = client.get(f"{where}/events").text.split("\n\n")[-2]
    assert last.startswith("event: ended")
    assert '"answer":"/v1/attributions/' in last
