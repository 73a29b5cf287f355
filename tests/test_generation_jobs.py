"""Requests for pictures as durable jobs: over HTTP, cancelled, interrupted, sent to workers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from redis import Redis

from api.http.app import create_app
from api.http.routes.generations import get_generation
from attribution.catalogue import queries
from attribution.catalogue.models import TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, BadInput, Conflict, TooMany
from attribution.files import Store
from attribution.generation.generator import Drawing, ImageRequest
from attribution.generation.stub import StubGenerator
from attribution.services import Services, open_services
from ingest.generations import ask, run_generation
from ingest.listing import plan
from ingest.sources import read_source
from ingest.work.jobs import BrokerQueue, job_queue
from tests.apis import local_client, settings
from tests.portfolios import has_ended, wait_until, works

BOAT = ImageRequest("a red boat", count=2, seed=7)


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


def ended(client: TestClient, where: str) -> dict[str, Any]:
    """Wait for a request to end."""
    wait_until(lambda: client.get(where).json()["status"] not in ("queued", "running"))
    found: dict[str, Any] = client.get(where).json()
    return found


def status(stores: Stores, generation_id: UUID) -> str:
    """Return where a request stands."""
    with stores.sessions() as session:
        return queries.generation_by_id(session, generation_id).status


def watched(services: Services, on_step: Callable[[int], None]) -> Services:
    """Return services whose generator calls this before every step of its own."""

    class Watched(StubGenerator):
        def generate(
            self,
            request: ImageRequest,
            *,
            on_step: Callable[[int, int], None],
            given: Image.Image | None = None,
        ) -> Drawing:
            def step(done: int, steps: int) -> None:
                seen(done)
                on_step(done, steps)

            return super().generate(request, on_step=step, given=given)

    seen = on_step
    return replace(services, studio=replace(services.studio, generator=Watched()))


def test_pictures_come_with_their_artists(client: TestClient) -> None:
    """202 and a job; then images, each with its answer, consent and warnings."""
    response = client.post("/v1/generations", json={"prompt": "a red boat", "count": 2, "seed": 7})
    assert response.status_code == 202, response.text
    where = response.headers["location"]
    done = ended(client, where)

    assert (done["status"], done["done"], done["steps"], done["error"]) == ("done", 4, 4, None)
    assert done["generator"]["family"] == "StubGenerator"
    assert done["request"]["prompt"] == "a red boat"
    assert [one["seed"] for one in done["images"]] == [7, 8]
    for number, one in enumerate(done["images"]):
        named = [artist["slug"] for artist in one["attribution"]["artists"]]
        assert [each["slug"] for each in one["references"]] == named
        assert {each["consent"] for each in one["references"]} == {"unasked"}
        image = client.get(f"{where}/images/{number}")
        assert image.headers["content-type"] == "image/png"
        with Image.open(io.BytesIO(image.content)) as png:
            assert png.size == (64, 64)
    assert client.get(f"{where}/images/2").status_code == 404
    (listed,) = client.get("/v1/generations").json()["items"]
    assert listed["id"] == done["id"]
    assert client.post(f"{where}/cancel").status_code == 409


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"prompt": ""}, "the prompt is empty"),
        ({"prompt": "x" * 5000}, "5000 characters"),
        ({"prompt": "a", "count": 1000}, "1000 pictures"),
        ({"prompt": "a", "width": 7}, "width 7"),
        ({"prompt": "a", "model": "/etc"}, "model"),
        ({}, "prompt"),
    ],
)
def test_bad_requests_are_refused_at_once(
    client: TestClient, body: dict[str, Any], says: str
) -> None:
    """What cannot be drawn never becomes a job; nobody chooses the model over HTTP."""
    response = client.post("/v1/generations", json=body)

    assert response.status_code == 422
    assert says in response.text
    assert client.get("/v1/generations").json()["items"] == []


def test_unknown_ones_are_not_found(client: TestClient) -> None:
    """An id that nobody has."""
    nobody = f"/v1/generations/{UUID(int=1)}"
    for response in (
        client.get(nobody),
        client.post(f"{nobody}/cancel"),
        client.get(f"{nobody}/images/0"),
    ):
        assert response.status_code == 404


def test_a_withheld_picture_is_not_handed_out(client: TestClient, tmp_path: Path) -> None:
    """403, and its bytes are nowhere."""
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    with services.sessions.begin() as session:
        row = queries.add_generation(session, {"prompt": "a"})
        row.result = {
            "images": [{"seed": 0, "sha256": None, "attribution": None, "withheld": "copy"}]
        }
        where = f"/v1/generations/{row.id}"

    assert client.get(f"{where}/images/0").status_code == 403
    assert client.get(where).json()["images"][0]["withheld"] == "copy"
    assert not (tmp_path / "home" / "generations").exists()


def test_cancelled_between_two_steps(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The step in hand is the last; no picture is written, and the next request is drawn."""
    monkeypatch.setattr("ingest.generations.NOTED_EVERY_S", 0)
    generation_id = ask(services, BOAT)
    steps = []

    def cancel(done: int) -> None:
        steps.append(done)
        if done == 2:
            with services.sessions.begin() as session:
                queries.cancel_generation(session, generation_id)

    run_generation(watched(services, cancel), generation_id, stopping=lambda: False)

    assert steps == [1, 2]
    assert status(services, generation_id) == "cancelled"
    assert not (services.settings.home / "generations").exists()
    following = ask(services, BOAT)
    run_generation(services, following, stopping=lambda: False)
    assert status(services, following) == "done"


def test_cancelled_while_it_is_written(services: Services) -> None:
    """Pictures that were kept already go again."""
    generation_id = ask(services, BOAT)

    class Slow(Store):
        def put_generated(self, generation_id: UUID, number: int, png: bytes) -> None:
            super().put_generated(generation_id, number, png)
            if number == 1:
                with services.sessions.begin() as session:
                    queries.cancel_generation(session, generation_id)

    slow = replace(services, store=Slow(services.settings.storage_url))
    run_generation(slow, generation_id, stopping=lambda: False)

    assert status(services, generation_id) == "cancelled"
    assert list((services.settings.home / "generations").iterdir()) == []


def test_what_waits_is_cancelled_too(services: Services) -> None:
    """A request that nobody has begun is never drawn; a second cancel is a conflict."""
    generation_id = ask(services, BOAT)
    with services.sessions.begin() as session:
        queries.cancel_generation(session, generation_id)
    run_generation(services, generation_id, stopping=lambda: False)

    assert status(services, generation_id) == "cancelled"
    with services.sessions.begin() as session, pytest.raises(Conflict, match="cancelled"):
        queries.cancel_generation(session, generation_id)


def test_the_queue_has_a_length(services: Services) -> None:
    """Who asks for more is told to come again; what is cancelled makes room."""
    few = replace(services, settings=services.settings.model_copy(update={"most_drawings": 2}))
    first, _ = (ask(few, BOAT) for _ in range(2))

    with pytest.raises(TooMany, match="2 requests for pictures wait already") as full:
        ask(few, BOAT)
    assert (full.value.status, full.value.retry_after_s) == (429, 60)
    with services.sessions.begin() as session:
        queries.cancel_generation(session, first)
    ask(few, BOAT)


def test_a_shutdown_leaves_it_to_the_next(services: Services) -> None:
    """What a stopping process had begun is drawn, from its start, by the next one."""
    generation_id = ask(services, BOAT)
    run_generation(services, generation_id, stopping=lambda: True)
    assert status(services, generation_id) == "queued"

    with job_queue(services):
        wait_until(lambda: status(services, generation_id) == "done")
    assert len(services.store.generated(generation_id, 1)) > 0


def test_an_outage_is_tried_again_and_an_error_is_not(services: Services) -> None:
    """A store that is away gives the request back; a model that cannot be had ends it."""

    def away(_: int) -> None:
        raise BackendUnavailable("the store is away")

    def missing(_: int) -> None:
        raise BadInput("no such model; name another")

    waiting, wrong = ask(services, BOAT), ask(services, BOAT)
    with pytest.raises(BackendUnavailable):
        run_generation(watched(services, away), waiting, stopping=lambda: False)
    with pytest.raises(BadInput):
        run_generation(watched(services, missing), wrong, stopping=lambda: False)

    assert status(services, waiting) == "queued"
    with services.sessions() as session:
        row = queries.generation_by_id(session, wrong)
    assert (row.status, row.error) == ("failed", "no such model; name another")


def test_a_defect_is_tried_again(services: Services) -> None:
    """What nobody foresaw may go well the next time, as with a batch; meanwhile it is told."""
    fails = iter([True])

    def defect(_: int) -> None:
        if next(fails, False):
            raise ZeroDivisionError("by zero")

    generation_id = ask(services, BOAT)
    failing = watched(services, defect)
    with pytest.raises(ZeroDivisionError):
        run_generation(failing, generation_id, stopping=lambda: False)
    told = get_generation(generation_id, services)
    assert (told.status, told.waiting) == ("queued", "ZeroDivisionError: by zero")
    run_generation(failing, generation_id, stopping=lambda: False)
    assert status(services, generation_id) == "done"


def test_a_drawing_keeps_its_lease(services: Services) -> None:
    """One step may take longer than a lease: nobody else can have it, and it is drawn once."""
    short = services.settings.model_copy(update={"job_lease_s": 0.3})
    slow = replace(services, settings=short)
    generation_id = ask(services, BOAT)
    others: list[object] = []

    def step(done: int) -> None:
        if done == 1:
            Event().wait(0.6)  # twice its lease
            with services.sessions.begin() as session:
                key = TaskKey(TaskKind.DRAW, generation_id)
                others.append(queries.sweep(session))
                others.append(queries.claim_task(session, key, owner="other", lease_s=60))

    run_generation(watched(slow, step), generation_id, stopping=lambda: False)

    assert others == [[], False]
    assert status(services, generation_id) == "done"


def test_works_come_in_while_a_picture_is_drawn(services: Services, tmp_path: Path) -> None:
    """An upload does not wait for the pictures that were asked for before it."""
    is_drawing, may_go_on = Event(), Event()

    def wait(_: int) -> None:
        is_drawing.set()
        may_go_on.wait(60)

    generation_id = ask(services, BOAT)
    source = works(tmp_path / "new" / "zoe", 901).parent
    job_id = plan(services, "new", read_source(source), staged=False)
    with job_queue(watched(services, wait)):
        assert is_drawing.wait(60)
        wait_until(lambda: has_ended(services, job_id))
        assert status(services, generation_id) == "running"
        may_go_on.set()
        wait_until(lambda: status(services, generation_id) == "done")


def test_a_request_has_its_queue(tmp_path: Path, redis_url: str) -> None:
    """With a broker an id goes to `generate`; what could not be sent is swept up."""
    with (
        Redis.from_url(redis_url) as broker,
        open_stores(settings(tmp_path / "home", broker_url=redis_url)) as stores,
    ):
        broker.flushall()
        BrokerQueue(stores).draw(sent := ask(stores, BOAT))
        (message,) = broker.lrange("generate", 0, -1)
        assert json.loads(message)["headers"]["argsrepr"] == f"('{sent}', 0)"
        unsent = ask(stores, BOAT)
        with stores.sessions.begin() as session:
            assert queries.sweep(session) == [TaskKey(TaskKind.DRAW, unsent)]
