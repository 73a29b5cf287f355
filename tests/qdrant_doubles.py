"""A Qdrant server for tests: the REST client's own requests, carried out by Qdrant Edge.

It adds what a server insists on and an engine in process does not: filters need a payload index,
bodies stay under 32 MB, and a write that is not waited for may not be seen yet (refused here).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from pydantic import TypeAdapter
from qdrant_client import QdrantClient, models

from attribution.index.edge import EdgeClient

BODY_LIMIT = 32 * 1024 * 1024


def server_client(folder: Path) -> QdrantClient:
    """Return the real REST client, talking to a `Server` without a socket."""
    return QdrantClient(
        url="http://qdrant.test:6333",
        transport=httpx.MockTransport(Server(folder)),
        check_compatibility=False,
    )


class Refused(Exception):
    """The server answers with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Server:
    """The endpoints that `VectorIndex` uses, and no others."""

    def __init__(self, folder: Path) -> None:
        self._edge = EdgeClient(folder)
        self._indexed: set[str] = set()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer one request as a server would."""
        try:
            result = self._answer(request)
        except Refused as refused:
            error = {"status": {"error": str(refused)}, "time": 0.0}
            return httpx.Response(refused.status, json=error)
        return httpx.Response(200, json={"result": result, "status": "ok", "time": 0.0})

    def _answer(self, request: httpx.Request) -> Any:
        if len(request.content) > BODY_LIMIT:
            raise Refused(413, f"payload ({len(request.content)} bytes) is larger than allowed")
        body: Any = json.loads(request.content or b"null")
        _, _, name, *rest = request.url.path.split("/")
        endpoint = " ".join([request.method, *rest])
        if endpoint == "GET exists":
            return {"exists": self._edge.collection_exists(name)}
        if endpoint == "PUT":
            return self._create(name, models.CreateCollection.model_validate(body))
        if endpoint in READS:
            return READS[endpoint](self, name, body)
        if endpoint in WRITES and request.url.params.get("wait") == "true":
            WRITES[endpoint](self, name, body)
            return {"operation_id": 0, "status": "completed"}
        raise Refused(404, f"{request.method} {request.url}")

    def _create(self, name: str, asked: models.CreateCollection) -> bool:
        assert isinstance(asked.vectors, dict)
        self._edge.create_collection(
            name, vectors_config=asked.vectors, sparse_vectors_config=asked.sparse_vectors or {}
        )
        return True

    def _retrieve(self, name: str, body: Any) -> Any:
        wanted = models.PointRequest.model_validate(body)
        records = self._edge.retrieve(
            name, [str(point) for point in wanted.ids], with_vectors=bool(wanted.with_vector)
        )
        return [_plain(record) for record in records]

    def _count(self, name: str, body: Any) -> Any:
        counted = models.CountRequest.model_validate(body)
        assert counted.exact
        return _plain(self._edge.count(name, self._allowed(counted.filter)))

    def _scroll(self, name: str, body: Any) -> Any:
        page = models.ScrollRequest.model_validate(body)
        offset = str(page.offset) if page.offset else None
        records, following = self._edge.scroll(name, limit=page.limit or 10, offset=offset)
        return {"points": [_plain(one) for one in records], "next_page_offset": following}

    def _query(self, name: str, body: Any) -> Any:
        searches = models.QueryRequestBatch.model_validate(body).searches
        for search in searches:
            self._allowed(search.filter)
            if isinstance(search.query, models.NearestQuery):  # the client wraps what it is given
                search.query = search.query.nearest
        return [_plain(answer) for answer in self._edge.query_batch_points(name, searches)]

    def _create_payload_index(self, name: str, body: Any) -> None:
        index = models.CreateFieldIndex.model_validate(body)
        assert isinstance(index.field_schema, models.PayloadSchemaType)
        self._edge.create_payload_index(name, index.field_name, index.field_schema)
        self._indexed.add(index.field_name)

    def _upsert(self, name: str, body: Any) -> None:
        self._edge.upsert(name, models.PointsList.model_validate(body).points)

    def _delete(self, name: str, body: Any) -> None:
        selector = TypeAdapter[Any](models.PointsSelector).validate_python(body)
        if isinstance(selector, models.FilterSelector):
            self._allowed(selector.filter)
        self._edge.delete(name, selector)

    def _allowed(self, chosen: models.Filter | None) -> models.Filter | None:
        """Refuse a filter on a field without payload index, as strict mode does."""
        for part in (chosen.must, chosen.must_not) if chosen else ():
            for condition in part if isinstance(part, list) else []:
                key = getattr(condition, "key", None)
                if key is not None and key not in self._indexed:
                    raise Refused(400, f'Index required but not found for "{key}"')
        return chosen


def _plain(model: Any) -> Any:
    return json.loads(model.model_dump_json())


READS = {
    "POST points": Server._retrieve,
    "POST points count": Server._count,
    "POST points scroll": Server._scroll,
    "POST points query batch": Server._query,
}
WRITES = {
    "PUT index": Server._create_payload_index,
    "PUT points": Server._upsert,
    "POST points delete": Server._delete,
}
