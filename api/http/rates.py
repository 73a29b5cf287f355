"""How much a key may ask for: requests a minute by class of route, counted by `limits`.

In the memory of this process, or in the Redis of the broker where there is one, so that all
processes count together. Without keys nobody is limited: only the machine itself is let in.
"""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING

from limits import RateLimitItem, parse
from limits.storage import storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError
from starlette.concurrency import run_in_threadpool

from api.http.access import ANYONE
from api.http.guards import READS
from api.http.problems import problem
from attribution.actors import who
from attribution.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Receive, Scope, Send

    from attribution.config import Settings

log = logging.getLogger(__name__)

NO_LIMIT = "none"
LOOKUPS = ("/v1/attributions", "/v1/lookup-batches", "/v1/search")


class Rates:
    """ASGI middleware, inside of what knows the actor."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._limits = limits_of(settings)
        storage = storage_from_string(settings.broker_url or "memory://")
        self._limiter = SlidingWindowCounterRateLimiter(storage)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say when the next one may come."""
        actor = who()
        if scope["type"] == "http" and actor is not ANYONE and scope["path"].startswith("/v1/"):
            kind = kind_of(scope["method"], scope["path"])
            if wait := await run_in_threadpool(self._wait, kind, actor.id):
                said = (
                    f"{actor.name} has asked for more {kind} than {self._limits[kind]}; ask "
                    f"again in {wait} s, or have LAWFUL_RATE_{kind.upper()} raised"
                )
                refusal = problem(429, "too-many", said, headers={"retry-after": str(wait)})
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _wait(self, kind: str, caller: str) -> int:
        """Count a request; returns how many seconds its caller has to wait, 0 where none."""
        limit = self._limits.get(kind)
        try:
            if limit is None or self._limiter.hit(limit, kind, caller):
                return 0
            stats = self._limiter.get_window_stats(limit, kind, caller)
        except RedisError as error:  # answers are worth more than a count
            log.warning("requests are not counted: %s", error)
            return 0
        return max(1, math.ceil(stats.reset_time - time.time()))


def kind_of(method: str, path: str) -> str:
    """Return the class of a request: lookups cost the most, whatever their method."""
    if method not in READS and path.startswith(LOOKUPS):
        return "lookups"
    if path.startswith("/v1/search"):
        return "lookups"
    return "reads" if method in READS else "writes"


def limits_of(settings: Settings) -> Mapping[str, RateLimitItem]:
    """Return the limits by class of request, where there are any; raises BadInput."""
    found: dict[str, RateLimitItem] = {}
    for kind in ("reads", "lookups", "writes"):
        said = getattr(settings, f"rate_{kind}")
        try:
            found |= {} if said == NO_LIMIT else {kind: parse(said)}
        except ValueError:
            raise BadInput(
                f"LAWFUL_RATE_{kind.upper()}={said!r} is no limit; write it as 60/minute, or none"
            ) from None
    return found
