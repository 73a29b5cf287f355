"""Spares callers the wait for a server that has just failed several times in a row.

Not by a library: of those on PyPI, pybreaker holds one lock during every call, so that lookups
would wait for each other, purgatory has no locks, and aiobreaker is for asyncio alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from attribution.errors import BackendUnavailable

FAILURES = 5  # in a row: then the server is not asked for a while
PAUSE_S = 5.0  # what callers are told to wait, too


class Breaker:
    """Closed: all ask. Open: nobody. After a pause one caller tries, and the rest follow it."""

    def __init__(
        self,
        what: str,
        is_failure: Callable[[Exception], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._is_failure, self._clock, self._lock = what, is_failure, clock, Lock()
        self._failures, self._next_s = 0, 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Ask the server within; raises BackendUnavailable without asking while it is open."""
        self._enter()
        try:
            yield
        except Exception as error:
            self._note(is_failure=self._is_failure(error))
            raise
        self._note(is_failure=False)

    def _enter(self) -> None:
        with self._lock:
            if self._failures < FAILURES:
                return
            now = self._clock()
            if now < self._next_s:
                raise BackendUnavailable(
                    f"{self._what} did not answer {self._failures} times in a row and is asked "
                    f"again in {self._next_s - now:.0f} s; is it running? (LAWFUL_QDRANT_URL)"
                )
            self._next_s = now + PAUSE_S  # for all but this one, who tries

    def _note(self, *, is_failure: bool) -> None:
        with self._lock:
            self._failures = self._failures + 1 if is_failure else 0
            self._next_s = self._clock() + PAUSE_S
