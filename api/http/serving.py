"""The server that runs the application."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from api.http.connections import Connection

STARTUP_FAILURE = 3  # exit code, as uvicorn's own


class Server(uvicorn.Server):
    """Says when it answers, and ends streams when it is to stop: it waits for what is answered."""

    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_ready = when_ready

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Open the application, which loads models, and listen."""
        await super().startup(sockets)
        if self.started:
            self._when_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have streams end, then stop as ever."""
        self.config.app.state.streams.are_ending = True  # type: ignore[union-attr]  # our own
        super().handle_exit(sig, frame)


def run(app: FastAPI, *, host: str, port: int, when_ready: Callable[[], None]) -> None:
    """Serve until a signal comes; raises SystemExit where it cannot begin, as `uvicorn.run`.

    `when_ready` is called once, as soon as requests are answered.
    """
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # a line for each request
    config = uvicorn.Config(app, host=host, port=port, log_config=None, http=Connection)
    server = Server(config, when_ready)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
