"""Connections that are slow on purpose are closed; those of slow people are not."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from threading import Thread
from typing import Any

import pytest
import uvicorn

from api.http import connections
from api.http.connections import Connection
from tests.portfolios import wait_until

LARGE = 50_000_000  # bytes of an answer: more than a socket buffers


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Read the body, take two seconds where that is asked for, and say how long the body was."""
    if scope["type"] != "http":
        return
    length, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length, more = length + len(message["body"]), message.get("more_body", False)
    if scope["path"] == "/long":
        await asyncio.sleep(2)
    body = b"x" * LARGE if scope["path"] == "/large" else str(length).encode()
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[uvicorn.Server]:
    """Serve with hardly any patience."""
    monkeypatch.setattr(connections, "PATIENCE_S", 0.3)
    monkeypatch.setattr(connections, "STALLED_S", 0.3)
    config = uvicorn.Config(app, port=0, log_level="warning", http=Connection, lifespan="off")
    running = uvicorn.Server(config)
    thread = Thread(target=running.run)
    thread.start()
    wait_until(lambda: running.started)
    yield running
    running.should_exit = True
    thread.join()


def connected(server: uvicorn.Server) -> socket.socket:
    """Connect to it."""
    found = socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=10)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return found


def answered(client: socket.socket) -> bytes:
    """Return all that comes until the server closes, or the body of an answer is there."""
    said = b""
    while not said.endswith((b"\r\n\r\n0", b"\r\n\r\n2000", b"\r\n\r\n5000")):
        some = client.recv(65_536)
        if not some:
            break
        said += some
    return said


@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"GET / HTTP/1.1\r\nhost: x\r\n",
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1",
    ],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    server: uvicorn.Server, begun: bytes
) -> None:
    """However much of it there is."""
    with closing(connected(server)) as client:
        client.sendall(begun)

        assert answered(client) == b""
    wait_until(lambda: not server.server_state.connections)


def test_a_request_that_comes_in_drops_is_not_waited_for(server: uvicorn.Server) -> None:
    """A byte now and then keeps no connection open."""
    with closing(connected(server)) as client, pytest.raises(OSError):  # noqa: PT012, PT011
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n")
        for _ in range(100):
            client.sendall(b"1")
            time.sleep(0.05)


def test_a_slow_upload_and_a_slow_answer_are_waited_for(
    server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And more requests come on the same connection."""
    monkeypatch.setattr(connections, "PATIENCE_S", 1.5)
    with closing(connected(server)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5000\r\n\r\n")
        for _ in range(5):
            client.sendall(b"1" * 1000)
            time.sleep(0.4)
        assert answered(client).endswith(b"5000")
        client.sendall(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n")
        assert answered(client).endswith(b"0")
        client.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2000\r\n\r\n" + b"1" * 2000)
        assert answered(client).endswith(b"2000")


def test_who_does_not_read_is_not_waited_for(server: uvicorn.Server) -> None:
    """What was sent is thrown away."""
    with closing(connected(server)) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")

        wait_until(lambda: bool(server.server_state.connections))
        wait_until(lambda: not server.server_state.connections)
