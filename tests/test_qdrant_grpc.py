"""Points over gRPC, to a server of the protocol's own stubs: what arrives, what failures become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import grpc
import numpy as np
import pytest
from qdrant_client import grpc as protocol
from qdrant_client import models

from attribution.errors import BackendUnavailable, KeyRefused, LawfulError
from attribution.index import ServerOptions, schema
from attribution.index.points import Point
from attribution.index.server import ServerClient, connect

DIMS = {"clip": 512, "vae_style": 78, "vae_layout": 256}


class Points(protocol.PointsServicer):
    """Notes what is written, or fails."""

    def __init__(self) -> None:
        self.written: list[Any] = []
        self.keys: list[str] = []
        self.fault: grpc.StatusCode | None = None

    def Upsert(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  its name
        """Answer a write."""
        self.keys += [str(v) for k, v in context.invocation_metadata() if k == "api-key"]
        if self.fault is not None:
            context.abort(self.fault, "no room")
        self.written.append(request)
        done = protocol.UpdateResult(status=protocol.UpdateStatus.Completed)
        return protocol.PointsOperationResponse(result=done)


@pytest.fixture
def points() -> Points:
    """Give what the server does."""
    return Points()


@pytest.fixture
def client(points: Points) -> Iterator[ServerClient]:
    """Give a client whose server takes nothing but gRPC."""
    server = grpc.server(ThreadPoolExecutor(1))
    protocol.add_PointsServicer_to_server(points, server)  # type: ignore[no-untyped-call]
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    opened = connect(
        "http://127.0.0.1:1", ServerOptions(api_key="k" * 16, grpc_port=port, timeout_s=5)
    )
    yield opened
    opened.close()
    server.stop(grace=0).wait()


def row(number: int) -> models.PointStruct:
    """Return a work as a profile of the size of `standard` has it."""
    rng = np.random.default_rng(number)
    vectors = {name: rng.standard_normal(width).astype(np.float32) for name, width in DIMS.items()}
    unit = {name: vector / np.linalg.norm(vector) for name, vector in vectors.items()}
    words = "a red sailing boat in the fog"
    work = Point(UUID(int=number), unit, words, UUID(int=7), "CC-BY-4.0", 1900, ("train",))
    return schema.rows([work], DIMS)[0]


def test_points_arrive_whole_and_small(client: ServerClient, points: Points) -> None:
    """The same point, waited for, with the key, in less than a third of the bytes of its JSON."""
    sent = row(1)
    client.upsert("artworks", [sent])

    (request,) = points.written
    (arrived,) = request.points
    assert (request.collection_name, request.wait, request.timeout) == ("artworks", True, 5)
    assert points.keys == ["k" * 16]
    assert arrived.id.uuid == str(UUID(int=1))
    assert arrived.payload["licence"].string_value == "CC-BY-4.0"
    assert isinstance(sent.vector, dict)
    for name in DIMS:
        assert list(arrived.vectors.vectors.vectors[name].dense.data) == sent.vector[name]
    as_json = len(json.dumps(sent.model_dump(exclude_none=True)))
    assert 3 * request.ByteSize() < as_json


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (
            grpc.StatusCode.UNAVAILABLE,
            BackendUnavailable,
            "do it now .*UNAVAILABLE: no room",
        ),
        (grpc.StatusCode.DEADLINE_EXCEEDED, BackendUnavailable, "cannot do it now"),
        (grpc.StatusCode.INTERNAL, BackendUnavailable, "INTERNAL: no room"),
        (grpc.StatusCode.NOT_FOUND, BackendUnavailable, "no such collection"),
        (grpc.StatusCode.UNAUTHENTICATED, KeyRefused, "LAWFUL_QDRANT_API_KEY"),
        (grpc.StatusCode.PERMISSION_DENIED, KeyRefused, "LAWFUL_QDRANT_API_KEY"),
        (grpc.StatusCode.INVALID_ARGUMENT, LawfulError, "refuses .*INVALID_ARGUMENT: no room"),
    ],
)
def test_every_failure_has_our_words(
    client: ServerClient,
    points: Points,
    fault: grpc.StatusCode,
    kind: type[Exception],
    message: str,
) -> None:
    """As over HTTP: what a retry may mend is told from what it may not."""
    points.fault = fault
    with pytest.raises(kind, match=message) as caught:
        client.upsert("artworks", [row(1)])
    assert type(caught.value) is kind
