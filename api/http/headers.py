"""Headers of every answer: what a browser may do with it, and the number of its request."""

from __future__ import annotations

import re
import uuid
from contextvars import ContextVar
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from structlog.contextvars import bind_contextvars

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

REQUEST_ID = "x-request-id"
WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")

POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""Content-Security-Policy of data: an answer that is opened as a page loads and runs nothing.

What a page may load is added to it.
"""

ALWAYS = {
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "cross-origin-resource-policy": "same-origin",  # no page elsewhere embeds what it can name
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

request_id: ContextVar[str] = ContextVar("request_id", default="-")


class Marked:
    """ASGI middleware: gives every request an id, and every answer its headers.

    The id is the client's where that is well-formed, so that one id goes through several services.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; the headers that a route has set stay."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(REQUEST_ID, "")
        # Not reset: each request has a context of its own, and what failed is answered and logged
        # outside of here.
        request_id.set(given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex)
        bind_contextvars(request=request_id.get())  # in each line of the log

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                mark(MutableHeaders(scope=message))
            await send(message)

        await self._app(scope, receive, sending)


def mark(headers: MutableHeaders) -> None:
    """Add what every answer has."""
    for name, value in ALWAYS.items():
        headers.setdefault(name, value)
    headers[REQUEST_ID] = request_id.get()
