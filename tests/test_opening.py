"""What the server answers while the application is being opened, and where that fails."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.http import app, opening, serving
from api.http.opening import Opening
from attribution.config import Settings
from attribution.errors import ModelUnavailable
from attribution.services import Services, open_services
from tests.apis import settings
from tests.portfolios import wait_until


def made() -> FastAPI:
    """Return an application with one route."""
    one = FastAPI()
    one.get("/v1/works")(lambda: "works")
    return one


@contextmanager
def waiting(make: Callable[[], FastAPI] = made) -> Iterator[tuple[TestClient, Event]]:
    """Serve an application that is made as soon as the event is set."""
    may_open = Event()

    def later() -> FastAPI:
        may_open.wait()
        return make()

    with TestClient(Opening(later, lambda _: None)) as client:
        try:
            yield client, may_open
        finally:
            may_open.set()


def test_the_server_listens_before_all_else_is_loaded() -> None:
    """Neither models nor index nor routes are needed for that."""
    heavy = {"api.http.app", "celery", "open_clip", "qdrant_client", "sqlalchemy", "torch"}
    code = f"import sys, api.http.serving; print(sorted({heavy!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"


def test_it_lives_before_it_can_work() -> None:
    """Probes tell the two apart; what is waited for is said."""
    with waiting() as (client, _):
        assert client.get("/healthz").json() == {"status": "ok"}
        ready = client.get("/readyz")

    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "checks": {"start": "the program is being loaded"}}
    assert ready.headers["x-content-type-options"] == "nosniff"


def test_other_requests_wait_for_the_application() -> None:
    """They are answered by it, as if they had come later."""
    with waiting() as (client, may_open), ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.get, "/v1/works")
        assert not asked.done()
        may_open.set()

        assert asked.result().json() == "works"


def test_they_do_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some time they are told to come again."""
    monkeypatch.setattr(opening, "WAIT_S", 0.01)
    with waiting() as (client, _):
        told = client.get("/v1/works")

    assert told.status_code == 503
    assert told.headers["retry-after"] == "5"
    assert told.headers["content-type"] == "application/problem+json"
    assert told.json()["type"] == "/problems/backend-unavailable"


def test_the_collection_is_opened_off_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While models are loaded, probes are answered still."""
    may_open = Event()

    @contextmanager
    def slowly(settings: Settings) -> Iterator[Services]:
        may_open.wait()
        with open_services(settings) as opened:
            yield opened

    monkeypatch.setattr(app, "open_services", slowly)
    make = partial(app.create_app, settings(tmp_path / "home"))
    with TestClient(Opening(make, lambda _: None), base_url="http://localhost") as client:
        wait_until(lambda: client.get("/readyz").json()["checks"] == {"start": opening.OPENING})
        may_open.set()
        wait_until(lambda: client.get("/readyz").status_code == 200)
        checks = client.get("/readyz").json()["checks"]

    assert checks["models"] == "ok"


def test_a_service_that_cannot_be_opened_ends(caplog: pytest.LogCaptureFixture) -> None:
    """With the exit code of a failed start, and what went wrong in the log."""

    def fail() -> FastAPI:
        raise ModelUnavailable("cannot load CLIP weights from nowhere")

    ready: list[bool] = []
    with pytest.raises(SystemExit) as ended, caplog.at_level(logging.ERROR):
        serving.run(fail, host="127.0.0.1", port=0, when_ready=lambda: ready.append(True))

    assert ended.value.code == serving.STARTUP_FAILURE
    assert "cannot load CLIP weights from nowhere" in caplog.text
    assert not ready
