"""The server that runs the application."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

STARTUP_FAILURE = 3  # exit code, as uvicorn's own


class Server(uvicorn.Server):
    """Ends streams when it is to stop: it waits for whatever is being answered."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have streams end, then stop as ever."""
        self.config.app.state.streams.are_ending = True  # type: ignore[union-attr]  # our own
        super().handle_exit(sig, frame)


def run(app: FastAPI, *, host: str, port: int) -> None:
    """Serve until a signal comes; raises SystemExit where it cannot begin, as `uvicorn.run`."""
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # a line for each request
    server = Server(uvicorn.Config(app, host=host, port=port, log_config=None))
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
