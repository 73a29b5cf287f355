"""Requests for pictures that begin with one, over HTTP and by command, kept and audited."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.http.app import create_app
from attribution.actors import ROLES, Actor, Role, Scope, acting
from attribution.catalogue import queries
from attribution.config import Settings
from attribution.custody import How
from attribution.errors import Conflict, NotAllowed, NotFound
from attribution.generation.generator import ImageRequest
from attribution.images import read_image
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services, open_services
from attribution.tenants import within
from attribution.upkeep.subjects import forget
from ingest.generations import ask, run_generation
from tests.apis import local_client, settings
from tests.commands import lawful
from tests.portfolios import wait_until
from tests.signing import image_bytes

GIVEN = image_bytes(seed=77)
BOAT = ImageRequest("a boat", seed=7, strength=0.5)


@pytest.fixture
def services(ingested: Settings) -> Iterator[Services]:
    """Open a collection of three artists."""
    with open_services(settings(ingested.home)) as opened:
        yield opened


@pytest.fixture
def client(ingested: Settings) -> Iterator[TestClient]:
    """Open an application over such a collection."""
    with local_client(create_app(settings(ingested.home))) as opened:
        yield opened


def looked_up(services: Services, data: bytes = GIVEN) -> Any:
    """Look an image up as if it had been uploaded; returns the id of the answer."""
    image = read_image(data, services.limits)
    keep = keeping(services, image, lambda: data, Obtained(How.UPLOAD))
    return services.attributor.attribute(image, also=keep).id


def ended(client: TestClient, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Have pictures drawn; returns the request when it has ended."""
    response = client.post("/v1/generations", json=dict(asked))
    assert response.status_code == 202, response.text
    where = response.headers["location"]
    wait_until(lambda: client.get(where).json()["finished_at"])
    found: dict[str, Any] = client.get(where).json()
    return found


def test_a_picture_is_made_from_one_that_was_asked_about(client: TestClient) -> None:
    """It is looked up again when it is drawn, and its chain of custody has both questions."""
    answer = client.post("/v1/attributions", files={"image": GIVEN}).json()
    drawn = ended(client, {"prompt": "a boat", "begins_with": answer["id"], "strength": 0.5})

    assert (drawn["status"], drawn["error"]) == ("done", None)
    assert drawn["request"]["begins_with"] == answer["id"]
    source = drawn["made_from"]
    digest = hashlib.sha256(GIVEN).hexdigest()
    assert source["summary"].startswith(f"Made from a picture that was given (SHA-256 {digest}).")
    assert source["attribution"]["artists"] == answer["artists"]
    named = [one["slug"] for one in source["references"]]
    assert named == [one["slug"] for one in answer["artists"]]
    (subject,) = client.get("/v1/subjects", params={"attribution": answer["id"]}).json()["items"]
    uses = client.get(f"/v1/subjects/{subject['id']}").json()["uses"]
    assert [(one["how"], one["job"]) for one in uses] == [
        ("again", drawn["id"]),
        ("upload", None),
    ]
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    with services.sessions() as session:
        entry = queries.last_entry(session, "generate")
    assert entry is not None
    assert (entry.object, entry.details) == (f"generation:{drawn['id']}", {"given": digest})


def test_words_alone_are_made_from_nothing(client: TestClient) -> None:
    """There is no picture to tell of."""
    assert ended(client, {"prompt": "a boat"})["made_from"] is None


@pytest.mark.parametrize(
    ("asked", "status", "says"),
    [
        ({"strength": 0.5}, 422, "without a picture to begin with"),
        ({"begins_with": "x"}, 422, "begins_with"),
        ({"begins_with": "00000000-0000-0000-0000-000000000001"}, 404, "no attribution"),
    ],
    ids=["strength alone", "no id", "nobody's id"],
)
def test_what_cannot_be_begun_with_is_refused_at_once(
    client: TestClient, asked: Mapping[str, Any], status: int, says: str
) -> None:
    """Nothing is kept of it."""
    response = client.post("/v1/generations", json={"prompt": "a boat", **asked})

    assert response.status_code == status
    assert says in response.text
    assert client.get("/v1/generations").json()["items"] == []


def test_an_image_that_is_not_kept_is_none_to_begin_with(services: Services) -> None:
    """Forgotten before it is asked for: a conflict; before it is drawn: the request fails."""
    answer = looked_up(services)
    waiting = ask(services, BOAT, begins_with=answer)
    with services.sessions() as session:
        subject, _ = queries.subject_of_answer(session, answer)
    assert subject is not None
    forget(services, subject.id, "asked to")

    for refused in (
        lambda: ask(services, BOAT, begins_with=answer),
        lambda: run_generation(services, waiting, stopping=lambda: False),
    ):
        with pytest.raises(Conflict, match="cannot be used again: The image was deleted on"):
            refused()
    with services.sessions() as session:
        row = queries.generation_by_id(session, waiting)
    assert row.status == "failed"


def test_others_need_to_be_allowed_to_see_it(services: Services) -> None:
    """What is drawn may look like the image: who asked about it may, and reviewers."""
    scopes = ROLES[Role.READER] | {Scope.GENERATE}
    with acting(Actor("key lk_1 (ann)", scopes)):
        answer = looked_up(services)
    with acting(Actor("key lk_1 (ann, renamed)", scopes)):
        ask(services, BOAT, begins_with=answer)
    with (
        acting(Actor("key lk_2 (bob)", scopes)),
        pytest.raises(NotAllowed, match="needs the scope 'review'"),
    ):
        ask(services, BOAT, begins_with=answer)
    with acting(Actor("key lk_2 (bob)", scopes | {Scope.REVIEW})):
        ask(services, BOAT, begins_with=answer)


def test_no_other_tenant_finds_the_answer(services: Services) -> None:
    """For them there is none."""
    answer = looked_up(services)
    with within("others"), pytest.raises(NotFound):
        ask(services, BOAT, begins_with=answer)


def test_a_withdrawal_takes_what_was_made_from_the_work(client: TestClient, tmp_path: Path) -> None:
    """Pictures that were made from a copy of it are handed out no more, nor can more be made."""
    path = next((tmp_path / "p").rglob("*.png"))
    answer = client.post("/v1/attributions", files={"image": path.read_bytes()}).json()
    drawn = ended(client, {"prompt": "a boat", "begins_with": answer["id"], "strength": 1})
    picture = f"/v1/generations/{drawn['id']}/images/0"
    assert "not allowed by default" in drawn["made_from"]["warnings"][0]
    assert client.get(picture).status_code == 200

    asked = {"what": answer["copy_of"]["id"], "reason": "asked to"}
    assert client.post("/v1/withdrawals", json=asked).status_code == 201

    refused = client.get(picture)
    assert refused.status_code == 403
    assert "made from a copy of a withdrawn work" in refused.text
    again = {"prompt": "a boat", "begins_with": answer["id"]}
    assert client.post("/v1/generations", json=again).status_code == 409


def test_the_command_line_takes_a_file(ingested: Settings, tmp_path: Path) -> None:
    """It says what the file shows, and keeps it as one that was asked about."""
    path, out = tmp_path / "given.png", tmp_path / "out"
    path.write_bytes(GIVEN)
    draw = ("generate", "a boat", "-o", str(out), "--image", str(path), "--strength", "0.4")

    def done(*words: str) -> str:
        ran = lawful(ingested.home, *words, generator="stub")
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    assert "Made from a picture that was given (SHA-256" in " ".join(done(*draw).split())
    found = json.loads(done(*draw, "--json"))["made_from"]
    assert found["attribution"]["image_sha256"] == hashlib.sha256(GIVEN).hexdigest()
    (subject,) = (
        json.loads(line)
        for line in done("subjects", "list", "--json").splitlines()
        if hashlib.sha256(GIVEN).hexdigest() in line
    )
    assert subject["kept"] == "image"
