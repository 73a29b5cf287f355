"""How much callers may ask for: requests and works a minute, counted by `limits`.

Each key, or person, has its own measure of every kind; all of a tenant together have that of
`LAWFUL_RATE_TENANT` keys. Counted in the memory of this process, or in the Redis of the broker
where there is one, so that all processes count together. Without keys nobody is limited: only the
machine itself is let in.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from api.http import problems
from api.http.access import ANYONE, is_open
from api.http.guards import READS
from attribution import tenants
from attribution.actors import who
from attribution.errors import BadInput, TooMany
from ingest.work.broker import counter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from attribution.config import Settings

log = logging.getLogger(__name__)

NO_LIMIT = "none"
COUNTED = ("/v1/", "/console")
LOOKUPS = tuple(
    f"{where}/{what}"
    for where, all_of_it in {
        "/v1": ("attributions", "lookup-batches", "search", "credentials"),
        "/console": ("lookup", "batches", "search"),
    }.items()
    for what in all_of_it
)
SEARCHES = ("/v1/search", "/console/search")
WORKS = "works"  # that a request registers or asks about; the other kinds are of requests


class Allowance:
    """What is left to callers, by kind."""

    def __init__(self, settings: Settings) -> None:
        self._limits = limits_of(settings)
        self._keys = settings.rate_tenant
        storage = counter(settings.broker_url) if settings.broker_url else MemoryStorage()
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    def most(self, kind: str) -> int:
        """Return how much more than this need not be counted, as it costs the same; 0: nothing."""
        limit = self._limits.get(kind)
        return 0 if limit is None or who() is ANYONE else limit.amount

    def take(self, kind: str, amount: int = 1) -> None:
        """Count what the caller asks for; raises TooMany where there is not that much left.

        More than a whole measure is let in where nothing of it is used yet.
        """
        limit = self._limits.get(kind)
        if limit is None or who() is ANYONE:
            return
        actor, tenant = who(), f"the tenant {tenants.current()}"
        all_of_it = type(limit)(limit.amount * self._keys, limit.multiples)
        self._take(limit, kind, actor.id, actor.name, amount, f"LAWFUL_RATE_{kind.upper()}")
        self._take(all_of_it, kind, tenant, tenant, amount, "LAWFUL_RATE_TENANT")

    def _take(
        self, limit: RateLimitItem, kind: str, whose: str, name: str, amount: int, setting: str
    ) -> None:
        cost = min(amount, limit.amount)
        try:
            if self._limiter.hit(limit, kind, whose, cost=cost):
                return
            stats = self._limiter.get_window_stats(limit, kind, whose)
        except RedisError as error:  # answers are worth more than a count
            log.warning("%s are not counted: %s", kind, error)
            return
        wait = max(1, math.ceil(stats.reset_time - time.time()))
        raise TooMany(
            f"{name} has asked for more {kind} than {limit}; ask again in {wait} s, or have "
            f"{setting} raised",
            retry_after_s=wait,
        )


class Rates:
    """ASGI middleware, inside of what knows the actor: counts requests."""

    def __init__(self, app: ASGIApp, *, allowance: Allowance) -> None:
        self._app, self._allowance = app, allowance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say when the next one may come."""
        if (
            scope["type"] == "http"
            and scope["path"].startswith(COUNTED)
            and not is_open(scope["path"])
        ):
            kind = kind_of(scope["method"], scope["path"])
            try:
                await run_in_threadpool(self._allowance.take, kind)
            except TooMany as error:
                await problems.answer(Request(scope), error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def kind_of(method: str, path: str) -> str:
    """Return the class of a request: lookups cost the most, whatever their method."""
    if method not in READS and path.startswith(LOOKUPS):
        return "lookups"
    if path.startswith(SEARCHES):
        return "lookups"
    return "reads" if method in READS else "writes"


def limits_of(settings: Settings) -> Mapping[str, RateLimitItem]:
    """Return the limits by kind, where there are any; raises BadInput."""
    found: dict[str, RateLimitItem] = {}
    for kind in ("reads", "lookups", "writes", WORKS):
        said = getattr(settings, f"rate_{kind}")
        try:
            found |= {} if said == NO_LIMIT else {kind: parse(said)}
        except ValueError:
            raise BadInput(
                f"LAWFUL_RATE_{kind.upper()}={said!r} is no limit; write it as 60/minute, or none"
            ) from None
    return found
