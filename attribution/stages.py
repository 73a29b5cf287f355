"""Where time goes: how long the stages of some work took, in all threads that took part in it.

Nothing is measured outside of `measured`. Stages of several threads go on at the same time, so that
their seconds may add up to more than the whole took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from threading import Lock
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Stages:
    """The seconds of each stage, by its name, in the order in which stages first ended."""

    seconds: dict[str, float] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def add(self, name: str, seconds: float) -> None:
        """Add what a stage took."""
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + seconds


_stages: ContextVar[Stages | None] = ContextVar("stages", default=None)


@contextmanager
def measured() -> Iterator[Stages]:
    """Measure the stages of a block, and of threads that go on with it (`threads`, `carried`)."""
    stages = Stages()
    token = _stages.set(stages)
    try:
        yield stages
    finally:
        _stages.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Call a block a stage."""
    stages = _stages.get()
    started = time.perf_counter()
    try:
        yield
    finally:
        if stages is not None:
            stages.add(name, time.perf_counter() - started)


def carried(call: Callable[P, T]) -> Callable[P, T]:
    """Return a call that is measured with this block, in whatever thread it runs."""
    stages = _stages.get()

    @wraps(call)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        token = _stages.set(stages)
        try:
            return call(*args, **kwargs)
        finally:
            _stages.reset(token)

    return run
