"""Numbers for Prometheus: requests by operation and status, what the catalogue holds.

One registry an application, so that several can live in one process.
"""

from __future__ import annotations

import time
from itertools import product
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import TaskKind, TaskStatus
from attribution.errors import LawfulError

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
        tasks = Gauge(
            "lawful_tasks", "Tasks that are not done.", ("kind", "status"), registry=registry
        )
        with services.sessions() as session:
            counts = queries.counts(session)
            jobs.set(queries.unfinished_jobs(session))
            open_tasks = queries.open_counts(session)
            calibration = queries.calibration_of(session, services.row.fingerprint)
        for kind, state in product(TaskKind, TaskStatus):
            if state is not TaskStatus.DONE:
                tasks.labels(kind, state).set(open_tasks.get((kind, state), 0))
        if calibration is not None:
            age = Gauge(
                "lawful_calibration_age_seconds",
                "Seconds since the votes were calibrated.",
                registry=registry,
            )
            age.set((now() - calibration.made_at).total_seconds())
        for status in ("indexed", "pending", "failed", "withdrawn"):
            works.labels(status).set(getattr(counts, status))
        artists.set(counts.artists)
        if tenants.current() != services.settings.tenant:
            return generate_latest(registry)
        _ask_index(services, registry)
        return generate_latest(self._registry) + generate_latest(registry)


def _ask_index(services: Services, registry: CollectorRegistry) -> None:
    """Add what the index says of itself; an index that is away must not hide the other numbers."""
    up = Gauge("lawful_index_up", "Whether the index answers.", registry=registry)
    try:
        with tenants.across():
            held = services.index.points()
    except LawfulError:
        return
    up.set(1)
    points = Gauge("lawful_index_points", "Works of all tenants in the index.", registry=registry)
    points.set(held)


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
