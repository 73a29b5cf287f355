"""Server-sent events: how far a job is, as it changes, until it has ended.

Between two looks nothing is held: no connection to the database, no thread. A stream ends with its
job, when its client has gone, and when the server stops.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from api.jobs import JobStateOut
from attribution import tenants
from attribution.errors import BackendUnavailable, TooMany

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

MEDIA_TYPE = "text/event-stream"
MOST_STREAMS = 10  # at once, of one caller and one process of the service
MOST_IN_ALL = 200  # likewise, of all callers: each looks once a second
LOOK_EVERY_S = 1.0
LONGEST_S = 600.0  # then the client asks again, and may not any more
HEARTBEAT_S = 15.0  # proxies close what is silent for longer
RETRY_AFTER_S = 15
HEARTBEAT = b": still there\n\n"


class Streams:
    """The open streams of one application."""

    def __init__(self, *, callers: int) -> None:
        self._callers = callers  # a tenant may have what so many of them may
        self._open = Counter[str]()
        self.are_ending = False  # the server stops

    @contextmanager
    def opened(self, caller: str) -> Iterator[None]:
        """Count a stream while it is open, of its caller, the tenant and all; raises TooMany."""
        of_tenant = MOST_STREAMS * self._callers
        most = {
            caller: MOST_STREAMS,
            f"the tenant {tenants.current()}": of_tenant,
            "this service": MOST_IN_ALL,
        }
        for whose, number in most.items():
            if self._open[whose] >= number:
                raise TooMany(
                    f"{whose} has {number} streams open; close one, or ask GET /v1/jobs/ID now and "
                    f"then",
                    retry_after_s=RETRY_AFTER_S,
                )
        self._open.update(most.keys())
        try:
            yield
        finally:
            self._open.subtract(most.keys())
            self._open += Counter()  # forget those who have none


class JobStream(StreamingResponse):
    """The events of one job; `seen` is the id of the last one that the client has."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        streams: Streams,
        caller: str,
        read: Callable[[], JobStateOut],
        seen: str | None,
    ) -> None:
        self._streams, self._caller, self._read, self._seen = streams, caller, read, seen
        super().__init__(self._told(), headers={"x-accel-buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events, as one of the caller's streams."""
        with self._streams.opened(self._caller):
            await super().__call__(scope, receive, send)

    async def _told(self) -> AsyncIterator[bytes]:
        quiet_since = time.monotonic()
        until = quiet_since + LONGEST_S
        while not self._streams.are_ending and time.monotonic() < until:
            state = await run_in_threadpool(self._look)
            if state is not None and event_id(state) != self._seen:
                self._seen, quiet_since = event_id(state), time.monotonic()
                yield _event(state)
            elif time.monotonic() - quiet_since >= HEARTBEAT_S:
                quiet_since = time.monotonic()
                yield HEARTBEAT
            if state is not None and state.has_ended:
                return
            await asyncio.sleep(LOOK_EVERY_S)

    def _look(self) -> JobStateOut | None:
        try:
            return self._read()
        except BackendUnavailable:  # the next look may find it back
            return None


def event_id(state: JobStateOut) -> str:
    """Return the id of the event that tells a state."""
    return sha256(state.model_dump_json().encode()).hexdigest()[:16]


def _event(state: JobStateOut) -> bytes:
    kind = "ended" if state.has_ended else "progress"
    return f"event: {kind}\nid: {event_id(state)}\ndata: {state.model_dump_json()}\n\n".encode()
