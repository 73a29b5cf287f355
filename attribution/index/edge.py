"""Qdrant Edge behind the methods of QdrantClient that `VectorIndex` uses.

`qdrant_client.models` goes in and comes out; what cannot be translated is refused loudly, because
Edge itself would silently match nothing (boolean filters) or accept what no server does. Storage
settings were measured for one process on a CPU: vectors cold on disk, 4-bit codes in memory, no
graph, exact rescoring; write-ahead log on, which also holds the lock of the folder.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from attribution.errors import BackendUnavailable, IndexLocked, LawfulError

OWNER = "owner.json"
INDEX_TYPES = {
    models.PayloadSchemaType.KEYWORD: edge.PayloadSchemaType.Keyword,
    models.PayloadSchemaType.INTEGER: edge.PayloadSchemaType.Integer,
}


class EdgeClient:
    """One folder of shards, a shard a collection; owned by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, Any] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def collection_exists(self, collection_name: str) -> bool:
        """Whether the collection was made before."""
        return (self._folder / collection_name / "edge_config.json").exists()

    def create_collection(
        self,
        collection_name: str,
        *,
        vectors_config: dict[str, models.VectorParams],
        sparse_vectors_config: dict[str, models.SparseVectorParams],
    ) -> None:
        """Make a collection of named dense and sparse vectors."""
        config = edge.EdgeConfig(
            vectors={name: _dense(params) for name, params in vectors_config.items()},
            sparse_vectors={
                name: _sparse(params) for name, params in sparse_vectors_config.items()
            },
            wal_enabled=True,
        )
        path = self._folder / collection_name
        path.mkdir(parents=True, exist_ok=True)
        self._shards[collection_name] = self._own(lambda: edge.EdgeShard.create(str(path), config))

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: models.PayloadSchemaType
    ) -> None:
        """Index a payload field."""
        if field_schema not in INDEX_TYPES:
            raise _refused("payload index", field_schema)
        self._update(
            collection_name,
            edge.UpdateOperation.create_field_index(field_name, INDEX_TYPES[field_schema]),
        )

    def upsert(self, collection_name: str, points: Sequence[models.PointStruct]) -> None:
        """Write points, all or none; returns when the log has them."""
        rows = [
            edge.Point(UUID(str(p.id)), {n: _vector(v) for n, v in p.vector.items()}, p.payload)
            for p in points
            if isinstance(p.vector, dict)
        ]
        self._update(collection_name, edge.UpdateOperation.upsert_points(rows))

    def delete(
        self, collection_name: str, points_selector: models.PointIdsList | models.FilterSelector
    ) -> None:
        """Delete points by id or by filter."""
        if isinstance(points_selector, models.PointIdsList):
            ids: list[int | UUID | str] = [UUID(str(p)) for p in points_selector.points]
            operation = edge.UpdateOperation.delete_points(ids)
        else:
            operation = edge.UpdateOperation.delete_points_by_filter(
                translate_filter(points_selector.filter)
            )
        self._update(collection_name, operation)

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """Run several queries as one batch, one answer each."""
        batch = edge.QueryBatchRequest([_query(request) for request in requests])
        answers = self._call(lambda: self._shard(collection_name).query_batch(batch))
        return [QueryResponse(points=[_scored(hit) for hit in hits]) for hits in answers]

    def retrieve(
        self, collection_name: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> list[models.Record]:
        """Return the points of these ids that exist, in any order."""
        wanted = [UUID(str(point)) for point in ids]
        shard = self._shard(collection_name)
        rows = self._call(
            lambda: shard.retrieve(wanted, with_payload=True, with_vector=with_vectors)
        )
        return [
            models.Record(id=str(row.id), payload=row.payload, vector=_vectors(row.vector))
            for row in rows
        ]

    def scroll(
        self, collection_name: str, *, limit: int, offset: str | None = None
    ) -> tuple[list[models.Record], str | None]:
        """Return points in the order of their ids from `offset` on, and where to go on."""
        request = edge.ScrollRequest(limit=limit, offset=UUID(offset) if offset else None)
        rows, following = self._call(lambda: self._shard(collection_name).scroll(request))
        records = [models.Record(id=str(row.id), payload=row.payload) for row in rows]
        return records, str(following) if following else None

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None
    ) -> models.CountResult:
        """Count points exactly."""
        chosen = translate_filter(count_filter) if count_filter else None
        shard = self._shard(collection_name)
        return models.CountResult(
            count=self._call(lambda: shard.count(edge.CountRequest(filter=chosen)))
        )

    def flush(self) -> None:
        """Write everything that is in memory to disk."""
        for shard in self._shards.values():
            self._call(shard.flush)

    def optimize(self) -> None:
        """Merge segments and drop deleted points; holds up the whole process meanwhile."""
        for shard in self._shards.values():
            self._call(shard.optimize)

    def close(self) -> None:
        """Flush, close, and give the folder free."""
        for shard in self._shards.values():
            self._call(shard.close)
        if self._shards:
            (self._folder / OWNER).unlink(missing_ok=True)
        self._shards.clear()

    def _shard(self, name: str) -> Any:
        if name not in self._shards:
            path = str(self._folder / name)
            self._shards[name] = self._own(lambda: edge.EdgeShard.load(path))
        return self._shards[name]

    def _own(self, opening: Any) -> Any:
        """Open a shard and note who did; raises IndexLocked naming the process that has it."""
        try:
            shard = opening()
        except Exception as error:  # the engine raises nothing narrower
            if "WouldBlock" in str(error):
                raise IndexLocked(self._locked()) from None
            raise BackendUnavailable(f"cannot open the index in {self._folder}: {error}") from error
        owner = {
            "pid": os.getpid(),
            "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (self._folder / OWNER).write_text(json.dumps(owner), encoding="utf-8")
        return shard

    def _locked(self) -> str:
        owner = {"pid": "unknown", "command": "another program", "since": "unknown"}
        with suppress(OSError, ValueError):
            owner |= json.loads((self._folder / OWNER).read_text(encoding="utf-8"))
        return (
            f"the index in {self._folder} is in use by process {owner['pid']} "
            f"({owner['command']}, since {owner['since']}); wait for it or stop it, ask its HTTP "
            f"API if it is `lawful serve`, or set LAWFUL_QDRANT_URL to a Qdrant server"
        )

    def _update(self, name: str, operation: Any) -> None:
        self._call(lambda: self._shard(name).update(operation))

    def _call(self, action: Any) -> Any:
        try:
            return action()
        except LawfulError:
            raise
        except Exception as error:  # the engine raises nothing narrower
            raise BackendUnavailable(f"the index in {self._folder} failed: {error}") from error


def translate_filter(chosen: models.Filter) -> Any:
    """Turn a filter of the client's language into the engine's; refuses what it cannot."""
    if chosen.should or chosen.min_should:
        raise _refused("filter", chosen)
    return edge.Filter(
        must=[_condition(one) for one in _listed(chosen.must)],
        must_not=[_condition(one) for one in _listed(chosen.must_not)],
    )


def _listed(conditions: Any) -> list[Any]:
    if conditions is None:
        return []
    return conditions if isinstance(conditions, list) else [conditions]


def _condition(one: Any) -> Any:
    if isinstance(one, models.HasIdCondition):
        return edge.HasIdCondition({UUID(str(point)) for point in one.has_id})
    if not isinstance(one, models.FieldCondition):
        raise _refused("condition", one)
    if isinstance(one.match, models.MatchValue) and isinstance(one.match.value, str):
        return edge.FieldCondition(one.key, match=edge.MatchValue(one.match.value))
    if isinstance(one.match, models.MatchAny):
        return edge.FieldCondition(
            one.key, match=edge.MatchAny([str(value) for value in one.match.any])
        )
    if isinstance(one.range, models.Range):
        limits = one.range.model_dump(exclude_none=True)
        return edge.FieldCondition(one.key, range=edge.RangeFloat(**limits))
    raise _refused("condition", one)


def _dense(params: models.VectorParams) -> Any:
    if params.distance != models.Distance.COSINE:
        raise _refused("distance", params.distance)
    return edge.EdgeVectorParams(
        size=params.size,
        distance=edge.Distance.Cosine,
        memory=edge.Memory.Cold,
        hnsw_config=edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000),
        quantization_config=edge.TurboQuantQuantizationConfig(
            bits=edge.TurboQuantBitSize.Bits4, memory=edge.Memory.Pinned
        ),
    )


def _sparse(params: models.SparseVectorParams) -> Any:
    modifier = edge.Modifier.Idf if params.modifier == models.Modifier.IDF else None
    return edge.EdgeSparseVectorParams(modifier=modifier)


def _vector(value: Any) -> Any:
    if isinstance(value, models.SparseVector):
        return edge.SparseVector(value.indices, value.values)
    return value


def _vectors(stored: Any) -> dict[str, Any] | None:
    if stored is None:
        return None
    return {
        name: models.SparseVector(indices=value.indices, values=value.values)
        if isinstance(value, edge.SparseVector)
        else value
        for name, value in stored.items()
    }


def _query(request: models.QueryRequest) -> Any:
    if not isinstance(request.query, list | models.SparseVector) or request.prefetch:
        raise _refused("query", request)
    quantization = request.params.quantization if request.params else None
    return edge.QueryRequest(
        limit=request.limit or 10,
        query=edge.Query.Nearest(_vector(request.query), using=request.using),
        filter=translate_filter(request.filter) if request.filter else None,
        with_payload=True,
        params=edge.SearchParams(
            quantization=edge.QuantizationSearchParams(
                rescore=quantization.rescore, oversampling=quantization.oversampling
            )
            if quantization
            else None
        ),
    )


def _scored(hit: Any) -> models.ScoredPoint:
    return models.ScoredPoint(id=str(hit.id), version=0, score=hit.score, payload=hit.payload)


def _refused(what: str, value: object) -> LawfulError:
    return LawfulError(f"Qdrant Edge here does not take this {what}: {value!r}")
