"""Lookups take turns: a few run at once, the others wait in the order in which they came.

More at once would make each of them slower and none of them sooner: they share the same cores. Who
would wait too long is told so, and may ask another process, or later.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock

from attribution.errors import BackendUnavailable


class Turns:
    """Lets `at_once` run, and `most` be here, those who wait among them: `wait_s` at most."""

    def __init__(self, *, at_once: int, most: int, wait_s: float) -> None:
        self._at_once, self._most, self._wait_s = at_once, most, wait_s
        self._lock, self._running = Lock(), 0
        self._waiting: deque[Event] = deque()  # each is set when it is its turn

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting)

    @contextmanager
    def taken(self, *, has_begun: bool = False) -> Iterator[None]:
        """Be one of those that run; raises BackendUnavailable.

        Who `has_begun` with a lookup that needs several turns waits as long as it takes.
        """
        turn = self._asked_for(has_begun=has_begun)
        if turn is not None and not turn.wait(None if has_begun else self._wait_s):
            self._give_up(turn)
        try:
            yield
        finally:
            self._pass_on()

    def _asked_for(self, *, has_begun: bool) -> Event | None:
        """Return what to wait for; None where it is the caller's turn."""
        with self._lock:
            if not has_begun and self._running + len(self._waiting) >= self._most:
                raise BackendUnavailable(
                    f"{self._most} lookups are in hand here already; try again in a few seconds "
                    f"(LAWFUL_MOST_LOOKUPS)"
                )
            if self._running < self._at_once:
                self._running += 1
                return None
            turn = Event()
            self._waiting.append(turn)
            return turn

    def _give_up(self, turn: Event) -> None:
        with self._lock:
            if turn.is_set():  # just now
                return
            self._waiting.remove(turn)
        raise BackendUnavailable(
            f"others were asked before, and this lookup has waited for {self._wait_s:g} s; try "
            f"again in a few seconds (LAWFUL_LOOKUP_WAIT_S)"
        )

    def _pass_on(self) -> None:
        """Give the turn to whoever has waited longest."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._running -= 1
