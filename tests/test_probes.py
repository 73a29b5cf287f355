"""Probes answer while everything else is stuck: they need no thread that lookups take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from threading import Event

import anyio.to_thread
import pytest
from anyio import CapacityLimiter
from fastapi.testclient import TestClient

from api.http import probes
from api.http.app import create_app
from api.http.probes import Probes
from tests.apis import local_client, settings
from tests.portfolios import wait_until

LOOKUPS = 60  # more than there are threads for


@contextmanager
def stuck(client: TestClient) -> Iterator[None]:
    """Have every thread that sync routes run in wait for something that does not come."""
    end, portal = Event(), client.portal
    assert portal is not None
    limiter: CapacityLimiter = portal.call(anyio.to_thread.current_default_thread_limiter)
    for _ in range(LOOKUPS):
        portal.start_task_soon(partial(anyio.to_thread.run_sync, end.wait))
    try:
        wait_until(lambda: limiter.available_tokens == 0)
        yield
    finally:
        end.set()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """Open an application of its own."""
    with local_client(create_app(settings(tmp_path / "home"))) as opened:
        yield opened


def test_probes_answer_while_all_threads_are_stuck(client: TestClient) -> None:
    """Neither whether the process lives nor whether it can work waits behind lookups."""
    with stuck(client):
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/readyz").json()["ready"]


def test_a_part_that_hangs_is_named_and_asked_once_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Probes that come every few seconds do not pile up behind it."""
    monkeypatch.setattr(probes, "ANSWER_S", 0.1)
    end, asked = Event(), []

    def hangs() -> None:
        asked.append(1)
        end.wait()

    async def ask() -> None:
        with closing(Probes({"index": hangs, "models": lambda: None})) as parts:
            for _ in range(3):
                assert await parts.ask() == {"index": "no answer within 0.1 s", "models": "ok"}
            assert len(asked) == 1
            end.set()
            assert await parts.ask() == {"index": "ok", "models": "ok"}

    try:
        asyncio.run(ask())
    finally:
        end.set()
