"""The owner process over HTTP: several workers of one machine share an Edge folder.

It speaks what `attribution.index.owner` answers, which is the part of Qdrant's REST API that this
program uses; a door for workers, not for people.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from attribution.index.owner import BODY_LIMIT, Owner, unsound


def create_index_app(owner: Owner) -> Starlette:
    """Serve an owner, and close it when the server stops."""

    async def answer(request: Request) -> Response:
        try:
            body = await _body(request)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody is there to read it
        status, content = await run_in_threadpool(
            owner.answer,
            request.method,
            request.url.path,
            query=request.query_params,
            headers=request.headers,
            body=body,
        )
        # Closed, or the server would go on reading what nobody wants.
        headers = {"connection": "close"} if len(body) > BODY_LIMIT else None
        try:
            return JSONResponse(content, status, headers)
        except ValueError:  # NaN
            status, content = unsound()
            return JSONResponse(content, status)

    def ready(_: Request) -> Response:
        """Answer health checks, which have no key."""
        return PlainTextResponse("all shards are ready")

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(owner.close)

    return Starlette(
        routes=[
            Route("/readyz", ready),
            Route("/{path:path}", answer, methods=["GET", "PUT", "POST", "DELETE"]),
        ],
        lifespan=lifespan,
    )


async def _body(request: Request) -> bytes:
    """Read the body, and no more of one that is too large than shows it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_LIMIT:
            break
    return bytes(body)
