"""Traces by OpenTelemetry: what requests, tasks and statements took, where LAWFUL_TRACES is on.

The libraries are the extra `otel`. Where spans go, how many and under which name of the service, is
said by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER`,
`OTEL_SERVICE_NAME`). Of URLs the path alone is kept: queries have one-time codes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from threading import Event
from typing import TYPE_CHECKING, Any, ParamSpec

from attribution.errors import BadInput

if TYPE_CHECKING:
    from fastapi import FastAPI
    from opentelemetry.trace import Span
    from sqlalchemy import Engine

UNTRACED = "healthz,readyz,metrics,static"  # parts of paths; asked every few seconds, or files
SERVICE = "lawful-diffusion"

P = ParamSpec("P")

_on = Event()


def _with_libraries(hook: Callable[P, None]) -> Callable[P, None]:
    """Say how the extra is installed where it is missing."""

    @wraps(hook)
    def hooked(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            _provide()
            _on.set()
            hook(*args, **kwargs)
        except ModuleNotFoundError as error:
            raise BadInput(
                f"LAWFUL_TRACES is on, and {error.name} is not installed: "
                f"pip install 'lawful-diffusion[otel]', or leave it off"
            ) from error

    return hooked


@_with_libraries
def trace_requests(app: FastAPI) -> None:
    """Have each request be a span."""
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    FastAPIInstrumentor.instrument_app(
        app,
        excluded_urls=UNTRACED,
        server_request_hook=_with_path,
        exclude_spans=["receive", "send"],
    )


@_with_libraries
def trace_statements(engine: Engine) -> None:
    """Have each statement be a span, without the values in it."""
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

    # It refuses versions that it was not released for; tests hold it against the one that is pinned
    SQLAlchemyInstrumentor().instrument(engine=engine, skip_dep_check=True)


@_with_libraries
def trace_tasks() -> None:
    """Have each task be a span, in the trace of whoever sent it."""
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    tasks = CeleryInstrumentor()  # type: ignore[no-untyped-call]  # as it is published
    if not tasks.is_instrumented_by_opentelemetry:
        tasks.instrument()


def span(name: str) -> AbstractContextManager[object]:
    """Return what makes a span of a block; nothing where there are no traces."""
    if not _on.is_set():
        return nullcontext()
    from opentelemetry import trace

    return trace.get_tracer(SERVICE).start_as_current_span(name)


def _provide() -> None:
    """Send spans by OTLP, unless somebody has said already where they go."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    resource = Resource({SERVICE_NAME: SERVICE}).merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _with_path(span: Span, scope: dict[str, Any]) -> None:
    for name in ("http.target", "http.url", "url.path", "url.full"):
        span.set_attribute(name, scope["path"])
    span.set_attribute("url.query", "")
