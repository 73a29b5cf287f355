"""From the language of `qdrant_client.models` into Qdrant Edge's, and back.

What cannot be translated is refused loudly, because Edge itself would silently match nothing
(boolean filters) or accept what no server does. One thing is left out on purpose: the graph. One
process on a CPU was measured to be faster without (4-bit codes in memory, exact rescoring), and
building one would stop it meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from pydantic import BaseModel
from qdrant_client import models

from attribution.errors import LawfulError

MEMORY = {
    models.Memory.COLD: edge.Memory.Cold,
    models.Memory.CACHED: edge.Memory.Cached,
    models.Memory.PINNED: edge.Memory.Pinned,
}
BITS = {models.TurboQuantBitSize.BITS4: edge.TurboQuantBitSize.Bits4}
VECTOR_SETTINGS = {"size", "distance", "memory", "hnsw_config", "quantization_config"}
RANGE_SETTINGS = {"type", "lookup", "range"}
NO_GRAPH = edge.HnswIndexConfig(m=0, ef_construct=100, full_scan_threshold=10_000)


def condition(chosen: models.Filter) -> Any:
    """Translate a filter: fields by value, by any of some values, by range; ids."""
    if chosen.should or chosen.min_should:
        raise refused("filter", chosen)
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
        raise refused("condition", one)
    if isinstance(one.match, models.MatchValue) and isinstance(one.match.value, str):
        return edge.FieldCondition(one.key, match=edge.MatchValue(one.match.value))
    if isinstance(one.match, models.MatchAny):
        return edge.FieldCondition(
            one.key, match=edge.MatchAny([str(value) for value in one.match.any])
        )
    if isinstance(one.range, models.Range):
        limits = one.range.model_dump(exclude_none=True)
        return edge.FieldCondition(one.key, range=edge.RangeFloat(**limits))
    raise refused("condition", one)


def dense(params: models.VectorParams) -> Any:
    """Translate one named vector."""
    if more := _given(params) - VECTOR_SETTINGS:
        raise refused("vector setting", sorted(more))
    if params.distance != models.Distance.COSINE:
        raise refused("distance", params.distance)
    if not isinstance(params.quantization_config, models.TurboQuantization):
        raise refused("quantisation", params.quantization_config)
    codes = params.quantization_config.turbo
    return edge.EdgeVectorParams(
        size=params.size,
        distance=edge.Distance.Cosine,
        memory=_known("memory", params.memory, MEMORY),
        hnsw_config=NO_GRAPH,
        quantization_config=edge.TurboQuantQuantizationConfig(
            bits=_known("quantisation", codes.bits, BITS),
            memory=_known("memory", codes.memory, MEMORY),
        ),
    )


def sparse(params: models.SparseVectorParams) -> Any:
    """Translate one named vector of words."""
    index = params.index or models.SparseIndexParams()
    if more := _given(index) - {"memory"}:
        raise refused("index of words", sorted(more))
    return edge.EdgeSparseVectorParams(
        modifier=edge.Modifier.Idf if params.modifier == models.Modifier.IDF else None,
        memory=_known("memory", index.memory, MEMORY),
    )


def payload_index(params: models.PayloadSchemaParams) -> Any:
    """Translate the index of one payload field."""
    if isinstance(params, models.KeywordIndexParams) and _given(params) <= {"type", "is_tenant"}:
        return edge.KeywordIndexParams(is_tenant=params.is_tenant)
    if isinstance(params, models.IntegerIndexParams) and _given(params) <= RANGE_SETTINGS:
        return edge.IntegerIndexParams(lookup=params.lookup, range=params.range)
    raise refused("payload index", params)


def _given(params: BaseModel) -> set[str]:
    return {name for name, value in params if value is not None}


def _known(what: str, value: Any, names: Mapping[Any, Any]) -> Any:
    if value not in names:
        raise refused(what, value)
    return names[value]


def vector(value: Any) -> Any:
    """Translate a vector, of numbers or of words."""
    if isinstance(value, models.SparseVector):
        return edge.SparseVector(value.indices, value.values)
    return value


def vectors(stored: Any) -> dict[str, Any] | None:
    """Translate stored vectors back."""
    if stored is None:
        return None
    return {
        name: models.SparseVector(indices=value.indices, values=value.values)
        if isinstance(value, edge.SparseVector)
        else value
        for name, value in stored.items()
    }


def query(request: models.QueryRequest) -> Any:
    """Translate one query; queries in stages and by id are refused."""
    if not isinstance(request.query, list | models.SparseVector) or request.prefetch:
        raise refused("query", request)
    quantization = request.params.quantization if request.params else None
    idf = request.params.idf if request.params else None
    if idf is not None and not isinstance(idf, models.IdfCorpusParams):
        raise refused("weighing of words", idf)
    return edge.QueryRequest(
        limit=request.limit or 10,
        query=edge.Query.Nearest(vector(request.query), using=request.using),
        filter=condition(request.filter) if request.filter else None,
        with_payload=True,
        params=edge.SearchParams(
            quantization=edge.QuantizationSearchParams(
                rescore=quantization.rescore, oversampling=quantization.oversampling
            )
            if quantization
            else None,
            idf=edge.IdfParams(corpus=condition(idf.corpus)) if idf and idf.corpus else None,
        ),
    )


def scored(hit: Any) -> models.ScoredPoint:
    """Translate one answer back; the engine has made it, so nothing in it is checked.

    Hundreds come with each lookup: to have the model find its defaults took most of the time.
    """
    return models.ScoredPoint.model_construct(
        id=str(hit.id),
        version=0,
        score=hit.score,
        payload=hit.payload,
        vector=None,
        shard_key=None,
        order_value=None,
    )


def refused(what: str, value: object) -> LawfulError:
    """Return the error for what Edge does not have, or not here."""
    return LawfulError(f"Qdrant Edge here does not take this {what}: {value!r}")
