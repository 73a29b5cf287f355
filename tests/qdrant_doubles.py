"""A Qdrant server for tests: the real REST client, over a transport that asks an owner.

It notes every request, and fails on demand the way a server does.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from qdrant_client import QdrantClient

from attribution.index import ServerOptions
from attribution.index.owner import Owner
from attribution.index.server import ServerClient

URL = "http://qdrant.test:6333"
Answer = Callable[[httpx.Request], httpx.Response]
Fault = Callable[[httpx.Request, Answer], httpx.Response]


@dataclass
class Server:
    """An owner behind a transport; `faults` meet the next requests, one each."""

    owner: Owner
    requests: list[httpx.Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request, or fail it."""
        self.requests.append(request)
        if self.faults:
            return self.faults.pop(0)(request, self._answer)
        return self._answer(request)

    def client(self, options: ServerOptions | None = None) -> ServerClient:
        """Return our client over the real REST client."""
        options = options or ServerOptions()
        rest = QdrantClient(
            url=URL,
            headers={"api-key": options.api_key} if options.api_key else None,
            transport=httpx.MockTransport(self),
            check_compatibility=False,
        )
        return ServerClient(rest, writer=rest, url=URL, options=options)

    def sent(self) -> list[tuple[str, str, Any]]:
        """Return what was asked: method with path and query, and the object of the body."""
        return [
            (r.method, r.url.raw_path.decode(), json.loads(r.content or b"null"))
            for r in self.requests
        ]

    def _answer(self, request: httpx.Request) -> httpx.Response:
        status, content = self.owner.answer(
            request.method,
            request.url.path,
            query=request.url.params,
            headers=request.headers,
            body=request.content,
        )
        return httpx.Response(status, json=content)


def server(folder: Path) -> Server:
    """Return a server without a key."""
    return Server(Owner(folder, api_key=None))


def none(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Let a request pass."""
    return answer(request)


def answering(status: int, said: str, headers: dict[str, str] | None = None) -> Fault:
    """Refuse with this status, as a server words it."""
    error = {"status": {"error": said}, "time": 0.0}
    return lambda _request, _answer: httpx.Response(status, json=error, headers=headers)


def raw(status: int, content: bytes) -> Fault:
    """Answer with bytes that are none of Qdrant's."""
    return lambda _request, _answer: httpx.Response(status, content=content)


def after_it_was_done(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Do it, then say that it failed."""
    answer(request)
    return httpx.Response(500, json={"status": {"error": "Service internal error"}, "time": 0.0})


def timed_out_after_it_was_done(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Do it, and never say so."""
    answer(request)
    raise httpx.ReadTimeout("timed out", request=request)


def refused(request: httpx.Request, _answer: Answer) -> httpx.Response:
    """Let nobody answer."""
    raise httpx.ConnectError("[Errno 111] Connection refused", request=request)


def half_done(request: httpx.Request, answer: Answer) -> httpx.Response:
    """Write the first half of the points, then fail."""
    points = json.loads(request.content)["points"]
    half = json.dumps({"points": points[: len(points) // 2]}).encode()
    answer(httpx.Request(request.method, request.url, content=half))
    return httpx.Response(500, json={"status": {"error": "No space left on device"}, "time": 0.0})
