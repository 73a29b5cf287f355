"""Numbers for Prometheus: requests by operation and status, what the catalogue holds.

One registry an application, so that several can live in one process.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from attribution import tenants
from attribution.catalogue import queries

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from attribution.services import Services

BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)


class Metrics:
    """The counters of one application."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "lawful_http_requests",
            "Requests answered.",
            ("operation", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "lawful_http_request_duration_seconds",
            "Seconds until the answer was sent.",
            ("operation",),
            buckets=BUCKETS_S,
            registry=self._registry,
        )

    def observe(self, operation: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def render(self, services: Services) -> bytes:
        """Return the tenant's numbers in Prometheus' text format.

        Those of requests, which are everybody's, only to the tenant of the settings: whoever runs
        the service.
        """
        registry = CollectorRegistry()
        works = Gauge("lawful_works", "Works.", ("status",), registry=registry)
        artists = Gauge("lawful_artists", "Artists with works.", registry=registry)
        jobs = Gauge("lawful_ingest_jobs_unfinished", "Jobs that wait or run.", registry=registry)
        with services.sessions() as session:
            counts = queries.counts(session)
            jobs.set(queries.unfinished_jobs(session))
        for status in ("indexed", "pending", "failed", "withdrawn"):
            works.labels(status).set(getattr(counts, status))
        artists.set(counts.artists)
        own = tenants.current() == services.settings.tenant
        return (generate_latest(self._registry) if own else b"") + generate_latest(registry)


class Meter:
    """ASGI middleware that counts what passes; outermost, so that refusals count too."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and note its status and duration."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            # Never the path: labels that a client can choose would grow without end.
            operation = getattr(scope.get("endpoint"), "__name__", "none")
            self._metrics.observe(operation, status, time.monotonic() - started)
