"""How far a job is, asked for once or told as it changes."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient

from api.http import streams
from api.http.app import create_app
from api.http.serving import Server
from attribution.catalogue import queries
from attribution.catalogue.models import TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.errors import TooMany
from attribution.services import Services
from attribution.tenants import within
from tests.apis import is_problem, png, settings, upload
from tests.portfolios import wait_until


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(streams, "LOOK_EVERY_S", 0.02)


def services(client: TestClient) -> Services:
    """Return what the application has opened."""
    opened: Services = client.app.state.services  # type: ignore[attr-defined]  # an application's
    return opened


def a_job(client: TestClient, files: int = 0) -> UUID:
    """Open an ingest job that nobody runs; with files it has batches."""
    with services(client).sessions.begin() as session:
        job = queries.create_job(session, source="upload:portfolio.zip")
        if files:
            queries.add_batches(session, job.id, files)
        return job.id


def cancel(client: TestClient, job_id: UUID) -> None:
    """End a job."""
    with services(client).sessions.begin() as session:
        queries.cancel_job(session, job_id)


@dataclass
class Event:
    """One event, as a client reads it."""

    kind: str = ""
    id: str = ""
    data: dict[str, Any] = field(default_factory=dict)


def events(text: str) -> list[Event]:
    """Read a stream; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if line[0] != ":")
        if lines:
            found.append(Event(lines["event"], lines["id"], json.loads(lines["data"])))
    return found


def test_jobs_of_every_kind_have_one_shape(client: TestClient) -> None:
    """With the path of what has all about it."""
    ingested = upload(client, png(1), artist="Ann")["id"]
    drawn = client.post("/v1/generations", json={"prompt": "a boat", "steps": 2}).json()["id"]
    wait_until(lambda: bool(client.get(f"/v1/jobs/{drawn}").json()["has_ended"]))
    one, other = (client.get(f"/v1/jobs/{job}").json() for job in (ingested, drawn))

    assert (one["kind"], one["status"], one["done"], one["total"]) == ("ingest", "done", 1, 1)
    assert (other["kind"], other["status"]) == ("generation", "done")
    assert other["done"] == other["total"] > 0
    assert one.keys() == other.keys()
    for job in (one, other):
        assert client.get(job["location"]).json()["id"] == job["id"]
    is_problem(client.get(f"/v1/jobs/{uuid4()}"), 404, "not-found")
    is_problem(client.get(f"/v1/jobs/{uuid4()}/events"), 404, "not-found")


def test_who_has_the_last_event_is_not_told_again(client: TestClient) -> None:
    """A browser asks again when a stream ends, and stops at 204."""
    job_id = a_job(client)
    cancel(client, job_id)
    path = f"/v1/jobs/{job_id}/events"
    (last,) = events(client.get(path).text)
    assert (last.kind, last.data["status"]) == ("ended", "cancelled")
    assert client.get(path, headers={"last-event-id": last.id}).status_code == 204
    assert events(client.get(path, headers={"last-event-id": "old"}).text) == [last]


class Listening:
    """A client that reads as long as it likes, on the application's own loop."""

    def __init__(self, client: TestClient, job_id: UUID) -> None:
        self._client, self._path = client, f"/v1/jobs/{job_id}/events"
        self.received: list[Any] = []
        self.gone = threading.Event()

    async def listen(self) -> None:
        """Ask, and keep what comes, until `gone`."""
        scope = {
            "type": "http",
            "method": "GET",
            "path": self._path,
            "raw_path": self._path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "client": ("127.0.0.1", 50_000),
            "scheme": "http",
            "http_version": "1.1",
            "server": ("localhost", 80),
        }
        is_sent = False

        async def receive() -> dict[str, Any]:
            nonlocal is_sent
            if not is_sent:
                is_sent = True
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.to_thread(self.gone.wait)
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            self.received.append(message)

        await self._client.app(scope, receive, send)

    @property
    def body(self) -> bytes:
        """What has come."""
        return b"".join(one.get("body", b"") for one in self.received)

    @property
    def status(self) -> int | None:
        """The status, once it has come."""
        return self.received[0]["status"] if self.received else None


@contextmanager
def listening(client: TestClient, job_id: UUID) -> Iterator[Listening]:
    """Listen during the block, then go away."""
    one = Listening(client, job_id)
    assert client.portal is not None
    running = client.portal.start_task_soon(one.listen)
    wait_until(lambda: one.status is not None)
    try:
        yield one
    finally:
        one.gone.set()
        running.result(timeout=20)


def test_a_job_is_told_until_it_has_ended(client: TestClient) -> None:
    """Each state once, the last one as `ended`."""
    job_id = a_job(client, files=200)
    with listening(client, job_id) as one:

        def told(status: str, done: int) -> bool:
            last = [event.data for event in events(one.body.decode())][-1:]
            said = [(one["status"], one["done"], one["total"]) for one in last]
            return said == [(status, done, 200)]

        wait_until(lambda: told("queued", 0))
        for number, done in ((1, 128), (2, 200)):
            key = TaskKey(TaskKind.INGEST, job_id, number)
            with services(client).sessions.begin() as session:
                queries.claim_task(session, key, owner="me", lease_s=60)
            wait_until(partial(told, "running", 128 * (number - 1)))
            with services(client).sessions.begin() as session:
                queries.finish_task(session, key, owner="me")
                queries.settle(session, key)
            wait_until(partial(told, "done" if done == 200 else "queued", done))
        wait_until(lambda: not one.received[-1]["more_body"])
        seen = events(one.body.decode())

    assert [one.kind for one in seen] == ["progress"] * 4 + ["ended"]
    assert len({one.id for one in seen}) == 5
    assert seen[-1].data == client.get(f"/v1/jobs/{job_id}").json()


def test_a_stream_ends_with_its_client(client: TestClient) -> None:
    """Of one caller a few may be open; one that went makes room, and none holds a connection."""
    job_id, pool = a_job(client), services(client).sessions.kw["bind"].pool
    with listening(client, job_id) as first:
        wait_until(lambda: b"event: progress" in first.body)
        wait_until(lambda: pool.checkedout() == 0)  # only now and then one is taken
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "MOST_STREAMS", 2)
        with listening(client, job_id), listening(client, job_id):
            with listening(client, job_id) as third:
                assert third.status == 429
            assert b"has 2 streams open" in third.body
        with listening(client, job_id) as again:
            assert again.status == 200


def test_a_tenant_and_all_together_have_a_number_of_streams() -> None:
    """One tenant with many keys cannot take all; what ends makes room."""
    open_ones = streams.Streams(callers=2)
    most = streams.MOST_STREAMS
    with ExitStack() as first, ExitStack() as second:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(streams, "MOST_IN_ALL", 2 * most + 1)
            for caller in ("one", "another"):
                for _ in range(most):
                    first.enter_context(open_ones.opened(caller))
            with (
                pytest.raises(TooMany, match=f"the tenant default has {2 * most} streams open"),
                open_ones.opened("a third"),
            ):
                pass
            with within("museum"):
                second.enter_context(open_ones.opened("theirs"))
                with (
                    pytest.raises(TooMany, match=f"this service has {2 * most + 1} streams open"),
                    open_ones.opened("theirs"),
                ):
                    pass
        first.close()
        second.enter_context(open_ones.opened("a third"))


def test_silence_is_filled(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """A comment says that the stream lives, where nothing changes."""
    monkeypatch.setattr(streams, "HEARTBEAT_S", 0.05)
    job_id = a_job(client)
    with listening(client, job_id) as one:
        wait_until(lambda: one.body.count(streams.HEARTBEAT) >= 2)
        assert len(events(one.body.decode())) == 1
        cancel(client, job_id)
        wait_until(lambda: b"event: ended" in one.body)


def test_a_server_that_stops_ends_its_streams(tmp_path: Path) -> None:
    """And does not wait for their jobs."""
    app = create_app(settings(tmp_path / "home"))
    with socket.create_server(("127.0.0.1", 0)) as listening_at:
        running = Server(lambda: app, lambda: None, host="127.0.0.1", port=0)
        thread = threading.Thread(target=partial(running.run, sockets=[listening_at]))
        thread.start()
        wait_until(lambda: running.is_open)
        with app.state.services.sessions.begin() as session:
            job = queries.create_job(session, source="upload:portfolio.zip")
        host, port = listening_at.getsockname()
        with closing(HTTPConnection(host, port, timeout=20)) as connection:
            connection.request("GET", f"/v1/jobs/{job.id}/events")
            response = connection.getresponse()
            assert response.readline() == b"event: progress\n"
            running.handle_exit(signal.SIGTERM, None)
            assert b"event: ended" not in response.read()
        thread.join(timeout=20)
        assert not thread.is_alive()
