"""Traces: what a request and the tasks behind it took goes to a collector, and nothing private."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from attribution.errors import BadInput
from attribution.tracing import trace_tasks

SCRIPT = """
from api.http.app import create_app
from attribution.config import Settings
from tests.apis import local_client, png, upload
with local_client(create_app(Settings())) as client:
    upload(client, png(1), artist="Ann", title="a title of hers")
    client.get("/healthz")
    client.get("/v1/search?q=asked-for")
"""


@pytest.fixture
def collected() -> Iterator[tuple[str, list[bytes]]]:
    """Run a collector; returns its address, and what it was sent."""
    sent: list[bytes] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    server.server_close()


def run(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Register a work through the API, and search, in a process of its own."""
    ours = {"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": "stub"} | environment
    return subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=os.environ | ours,
        capture_output=True,
        text=True,
        check=False,
    )


def test_requests_and_tasks_are_traces_with_their_statements(
    collected: tuple[str, list[bytes]], tmp_path: Path
) -> None:
    """Statements without values, paths without queries, and no probe."""
    address, sent = collected

    done = run(tmp_path / "home", LAWFUL_TRACES="true", OTEL_EXPORTER_OTLP_ENDPOINT=address)

    assert done.returncode == 0, done.stderr
    spans: list[Span] = []
    for one in sent:
        for resource in ExportTraceServiceRequest.FromString(one).resource_spans:
            for scope in resource.scope_spans:
                spans += scope.spans
    traces: dict[bytes, set[str]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, set()).add(span.name.split(" /")[0])
    asked, batch, search = (
        next(names for names in traces.values() if root in names)
        for root in ("POST", "run/encode.run_batch", "GET")
    )
    assert "INSERT" in asked
    assert {"encode", "INSERT"} <= batch
    assert "SELECT" in search
    everything = b"".join(sent)
    assert b"lawful-diffusion" in everything
    for private in (b"a title of hers", b"asked-for", b"/healthz"):
        assert private not in everything


def test_without_the_extra_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "opentelemetry", None)

    with pytest.raises(BadInput, match=r"pip install 'lawful-diffusion\[otel\]'"):
        trace_tasks()
