"""`Idempotency-Key`: a POST that is sent again gets the answer of the first time.

After draft-ietf-httpapi-idempotency-key-header. An answer is kept for 24 hours, for whoever sent
the request; what ended in a fault of the server is not kept, so that it can be tried again.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response

from api.http.problems import problem
from attribution.actors import who
from attribution.catalogue import queries
from attribution.catalogue.queries import ReplyKey

if TYPE_CHECKING:
    from sqlalchemy.orm import Session, sessionmaker
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from attribution.catalogue.models import Reply

HEADER = "idempotency-key"
TOO_MANY = 429
REPLAYED = "idempotency-replayed"
LONGEST_KEY = 255
LARGEST_ANSWER = 1 << 18  # bytes; more is answered, and not kept
# Tokens are shown once; what only asks may show what may not be shown tomorrow, and is asked again.
NEVER_KEPT = re.compile(r"/v1/(keys|webhooks|search)\b|/(report|regions|members|findings)$")
NOT_KEPT = ("date", "server", "content-length", "x-request-id", "connection")
BOUNDARY = re.compile(r'boundary="?([^";,]+)', re.IGNORECASE)


class Idempotency:
    """ASGI middleware, inside of what knows the actor."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the first time, or pass the request on and keep what is answered."""
        is_post = scope["type"] == "http" and scope["method"] == "POST"
        headers = Headers(scope=scope) if is_post else Headers()
        if HEADER not in headers or not is_kept(scope["path"]):
            await self._app(scope, receive, send)
            return
        name = headers[HEADER].strip()
        if not (0 < len(name) <= LONGEST_KEY and name.isascii() and name.isprintable()):
            said = f"Idempotency-Key has 1 to {LONGEST_KEY} printable ASCII characters"
            await problem(400, "bad-request", said)(scope, receive, send)
            return
        caller = hashlib.sha256(who().id.encode()).hexdigest()  # a name may be of any length
        key, body = ReplyKey(caller, name), _Body(receive, headers)
        sessions = scope["app"].state.services.sessions
        earlier = await run_in_threadpool(_begin, sessions, key, _route(scope))
        if earlier is None:
            await self._first(scope, send, sessions, key, body)
        else:
            await body.read()
            await _again(earlier, _route(scope), body.sha256)(scope, receive, send)

    async def _first(
        self, scope: Scope, send: Send, sessions: sessionmaker[Session], key: ReplyKey, body: _Body
    ) -> None:
        answer = _Answer(send)
        try:
            await self._app(scope, body.receive, answer.send)
        except BaseException:
            await run_in_threadpool(_drop, sessions, key)
            raise
        if answer.is_whole and body.is_whole and _is_kept(answer.status):
            await run_in_threadpool(_keep, sessions, key, body.sha256, answer)
        else:
            await run_in_threadpool(_drop, sessions, key)


def _is_kept(status: int) -> bool:
    """Tell whether an answer is for ever: a fault and a request that came too early are not."""
    return status < 500 and status != TOO_MANY


def _again(earlier: Reply, route: str, sha256: str) -> Response:
    """Return the answer of the first time, or why there is none."""
    if earlier.body_sha256 is None:
        said = "a request with this Idempotency-Key is under way; ask again when it is answered"
        return problem(409, "conflict", said, headers={"retry-after": "5"})
    if (earlier.route, earlier.body_sha256) != (route, sha256):
        said = (
            f"this Idempotency-Key was used for another request, {earlier.route}, or with another "
            f"body; a new request needs a new key"
        )
        return problem(422, "key-was-used", said)
    return Response(earlier.body, earlier.status, {**earlier.headers, REPLAYED: "true"})


def _begin(sessions: sessionmaker[Session], key: ReplyKey, route: str) -> Reply | None:
    with sessions.begin() as session:
        return queries.begin_reply(session, key, route)


def _keep(sessions: sessionmaker[Session], key: ReplyKey, sha256: str, answer: _Answer) -> None:
    with sessions.begin() as session:
        queries.keep_reply(
            *(session, key),
            body_sha256=sha256,
            status=answer.status,
            headers=answer.headers,
            body=bytes(answer.body),
        )


def _drop(sessions: sessionmaker[Session], key: ReplyKey) -> None:
    with sessions.begin() as session:
        queries.drop_reply(session, key)


def is_kept(path: str) -> bool:
    """Tell whether answers of a route are kept: of those that do something."""
    return path.startswith("/v1/") and not NEVER_KEPT.search(path)


def _route(scope: Scope) -> str:
    """Return what a request asks, without what its query says: that may hold anything."""
    query = scope["query_string"]
    said = f" (query {hashlib.sha256(query).hexdigest()[:12]})" if query else ""
    return f"{scope['method']} {scope['path']}{said}"


class _Body:
    """The body of a request on its way, and its hash: without the boundary, which clients draw."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive, self._hash, self._held = receive, hashlib.sha256(), b""
        found = BOUNDARY.search(headers.get("content-type", ""))
        self._boundary = found[1].encode("latin-1") if found else b""
        self.is_whole = False

    @property
    def sha256(self) -> str:
        """Of what has come, all of it where `is_whole`."""
        return self._hash.hexdigest()

    async def receive(self) -> Message:
        """Pass a piece on."""
        message = await self._receive()
        if message["type"] == "http.request":
            self._count(message.get("body", b""), is_last=not message.get("more_body", False))
        return message

    async def read(self) -> None:
        """Read what there is."""
        while not self.is_whole:
            if (await self.receive())["type"] != "http.request":
                return

    def _count(self, piece: bytes, *, is_last: bool) -> None:
        held = (self._held + piece).replace(self._boundary, b"") if self._boundary else piece
        keep = 0 if is_last or not self._boundary else len(self._boundary) - 1
        ready, self._held = (held[:-keep], held[-keep:]) if keep else (held, b"")
        self._hash.update(ready)
        self.is_whole = is_last


class _Answer:
    """An answer on its way, kept as far as it is not too long."""

    def __init__(self, send: Send) -> None:
        self._send, self.body, self.status = send, bytearray(), 0
        self.headers: dict[str, str] = {}
        self.is_whole = False

    async def send(self, message: Message) -> None:
        """Pass a piece on."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = MutableHeaders(scope=message)
            self.headers = {name: one for name, one in given.items() if name not in NOT_KEPT}
        elif message["type"] == "http.response.body":
            piece: Any = message.get("body", b"")
            if len(self.body) + len(piece) <= LARGEST_ANSWER:
                self.body += piece
                self.is_whole = not message.get("more_body", False)
            else:
                self.is_whole = False
        await self._send(message)
