"""Waiting for what is away: growing pauses, one line in the log, an end as soon as it is asked for.

Only outages are waited for. Any other error is raised at once: waiting would hide a defect.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import TypeVar

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_exponential,
)

from attribution.errors import BackendUnavailable

log = logging.getLogger(__name__)

Result = TypeVar("Result")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1, 30
DETAIL = re.compile(r"; | \(|: ")  # behind it a message goes into details


@dataclass(frozen=True)
class Patience:
    """Tries again while something is away, until `ending` is set or for `at_most_s`."""

    ending: Event = field(default_factory=Event)
    at_most_s: float = math.inf
    tell: Callable[[str | None], None] = lambda _: None  # what is waited for; None: nothing more

    def __call__(self, action: Callable[[], Result]) -> Result:
        """Return what an action returns at last; raises BackendUnavailable if not waited longer."""
        retrying = Retrying(
            retry=retry_if_exception_type(BackendUnavailable),
            wait=wait_exponential(FIRST_PAUSE_S, LONGEST_PAUSE_S),
            stop=stop_after_delay(self.at_most_s),
            before_sleep=self._say,
            sleep=self._pause,
            reraise=True,
        )
        return retrying(action)

    def _say(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        pause_s = state.next_action.sleep if state.next_action else 0
        if state.attempt_number == 1:  # an outage of hours is still one line
            log.warning("%s; waiting until that is over", error)
        self.tell(f"{brief(error)}, trying again in {pause_s:.0f} s")

    def _pause(self, seconds: float) -> None:
        is_ended = self.ending.wait(seconds)
        self.tell(None)
        if is_ended:
            raise BackendUnavailable("ended while it waited")


def brief(error: object) -> str:
    """Return the first words of an error's message, for a line with little room."""
    return DETAIL.split(str(error), maxsplit=1)[0]
