"""Asks whether the parts that the service rests on answer, in threads that nothing else takes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from typing import TYPE_CHECKING

from attribution.catalogue import queries
from attribution.errors import LawfulError
from attribution.threads import Threads

if TYPE_CHECKING:
    from attribution.services import Services
    from ingest.work.jobs import JobQueue

ANSWER_S = 8.0  # below the limits of who probes: 9 s in docker-compose.yml

Checks = dict[str, Callable[[], object]]


def checks(services: Services, jobs: JobQueue) -> Checks:
    """Return what asks each part; each raises LawfulError where the part cannot work."""

    def database() -> None:
        with services.sessions() as session:
            queries.keys_exist(session)  # reads a table, however much is registered

    return {
        "database": database,
        "index": services.index.points,
        "storage": services.store.check,
        "jobs": jobs.check,
        "models": lambda: services.encoders.infos,
    }


def outcome(check: Callable[[], object]) -> str:
    """Return "ok", or what is wrong."""
    try:
        check()
    except LawfulError as error:
        return str(error)
    return "ok"


class Probes:
    """Asks all parts at once. One that hangs holds one thread, however often it is asked about."""

    def __init__(self, asked: Checks) -> None:
        self._asked = asked
        self._threads = Threads(len(asked), thread_name_prefix="probe")
        self._running: dict[str, Future[str]] = {}

    async def ask(self) -> dict[str, str]:
        """Return of each part "ok" or what is wrong with it; to be awaited in one event loop."""
        for name, check in self._asked.items():
            if name not in self._running or self._running[name].done():
                self._running[name] = self._threads.submit(outcome, check)
        waiting = {name: asyncio.wrap_future(one) for name, one in self._running.items()}
        await asyncio.wait(waiting.values(), timeout=ANSWER_S)
        silent = f"no answer within {ANSWER_S:g} s"
        return {name: one.result() if one.done() else silent for name, one in waiting.items()}

    def close(self) -> None:
        """Ask no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
