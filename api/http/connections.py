"""Connections of the server: one on which nothing comes, or is taken, does not stay open.

uvicorn waits for ever for the rest of a request, and for whoever does not read an answer.
"""

from __future__ import annotations

from asyncio import Handle, Transport

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE_S = 30  # in which LEAST bytes of a request have to come, or its head be complete
LEAST = 1_000
STALLED_S = 60  # that a client may take to read what was sent


class Connection(H11Protocol):
    """Closes when a request comes too slowly, or an answer is not read."""

    _coming: Handle | None = None  # until when enough of a request has to be there
    _going: Handle | None = None  # until when more of an answer has to be read
    _came = 0  # bytes since `_coming` began

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for the head of a request."""
        super().connection_made(transport)
        self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came of a request."""
        self._came += len(data)
        super().data_received(data)
        if self._coming is None:
            self._expect()

    def on_response_complete(self) -> None:
        """Leave it to uvicorn how long a connection waits for its next request."""
        super().on_response_complete()
        self._stop()

    def pause_writing(self) -> None:
        """Begin to wait for a client that does not read."""
        super().pause_writing()
        self._going = self._going or self.loop.call_later(STALLED_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client has read."""
        super().resume_writing()
        if self._going is not None:
            self._going.cancel()
            self._going = None

    def _expect(self) -> None:
        self._came, self._coming = 0, self.loop.call_later(PATIENCE_S, self._look)

    def _stop(self) -> None:
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None

    def _look(self) -> None:
        self._coming = None
        if self.conn.their_state not in {h11.IDLE, h11.SEND_BODY}:
            return  # all of it came
        if self.conn.their_state is h11.SEND_BODY and (
            self._came >= LEAST or self.flow.read_paused
        ):
            self._expect()
            return
        self.transport.close()
