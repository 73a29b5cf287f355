"""The server listens at once; the application is opened behind it, with models and index.

Until it is open `/healthz` is answered, `/readyz` says what is waited for, and all other requests
wait: they were sent because the answer is wanted.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from api.http.headers import Marked

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

log = logging.getLogger("uvicorn.error")

WAIT_S = 20.0  # of a request for the application; below what uvicorn waits for a body
RETRY_AFTER_S = "5"
LOADING, OPENING = "the program is being loaded", "models and index are being opened"


class Opening:
    """ASGI application that makes and opens another one, and passes requests on to it.

    `when_ended` is called with True as soon as it is open, with False where that fails.
    """

    def __init__(self, make: Callable[[], FastAPI], when_ended: Callable[[bool], None]) -> None:
        self._make, self._when_ended = make, when_ended
        self._waits_for = LOADING
        self._ended, self._closing = asyncio.Event(), asyncio.Event()
        self._answer = Marked(self._unopened)
        self.app: FastAPI | None = None  # once it is open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, if need be later; answer probes meanwhile."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if self.app is None and scope["path"] not in {"/healthz", "/readyz"}:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), WAIT_S)
        served: ASGIApp = self.app or self._answer
        await served(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        """Begin to open the application, and say at once that requests may come."""
        await receive()
        opened = asyncio.create_task(self._open())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._closing.set()
        await opened
        await send({"type": "lifespan.shutdown.complete"})

    async def _open(self) -> None:
        """Hold the application open until the server ends."""
        try:
            app = await run_in_threadpool(self._make)
            self._waits_for = OPENING
            async with app.router.lifespan_context(app):
                self.app = app
                self._end(is_open=True)
                await self._closing.wait()
        except Exception:
            log.exception("Application startup failed. Exiting.")
            self._end(is_open=False)

    def _end(self, *, is_open: bool) -> None:
        self._ended.set()
        self._when_ended(is_open)

    async def _unopened(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            answer = JSONResponse({"status": "ok"})
        elif scope["path"] == "/readyz":
            checks = {"start": self._waits_for}
            answer = JSONResponse({"ready": False, "checks": checks}, 503)
        else:
            answer = JSONResponse(
                {
                    "type": "/problems/backend-unavailable",
                    "title": "Backend unavailable",
                    "status": 503,
                    "detail": f"the service is starting: {self._waits_for}; try again soon",
                },
                503,
                headers={"retry-after": RETRY_AFTER_S},
                media_type="application/problem+json",
            )
        await answer(scope, receive, send)
