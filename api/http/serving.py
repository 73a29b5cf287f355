"""The server that runs the application."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from api.http.connections import Connection
from api.http.opening import Opening

if TYPE_CHECKING:
    from fastapi import FastAPI

STARTUP_FAILURE = 3  # exit code, as uvicorn's own


class Server(uvicorn.Server):
    """Listens while the application is opened, and ends if that fails.

    Ends streams when it is to stop: it waits for what is answered.
    """

    def __init__(
        self, make: Callable[[], FastAPI], when_ready: Callable[[], None], *, host: str, port: int
    ) -> None:
        self._opening = Opening(make, self._opened)
        self._when_ready = when_ready
        self.is_open = False  # or was, when it ended
        super().__init__(
            uvicorn.Config(self._opening, host=host, port=port, log_config=None, http=Connection)
        )

    def _opened(self, is_open: bool) -> None:  # noqa: FBT001  what `Opening` calls
        self.is_open = is_open
        if is_open:
            self._when_ready()
        else:
            self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Have streams end, then stop as ever."""
        if self._opening.app is not None:
            self._opening.app.state.streams.are_ending = True
        super().handle_exit(sig, frame)


def run(
    make: Callable[[], FastAPI], *, host: str, port: int, when_ready: Callable[[], None]
) -> None:
    """Serve what `make` makes until a signal comes; SystemExit where it cannot be opened.

    `when_ready` is called once, as soon as requests are answered.
    """
    logging.getLogger("uvicorn").setLevel(logging.INFO)  # a line for each request
    server = Server(make, when_ready, host=host, port=port)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.is_open:
        sys.exit(STARTUP_FAILURE)
