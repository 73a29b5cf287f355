"""What a collection holds: vectors, words, payload and their indexes, in the client's language.

The same description goes to a server and to Qdrant Edge. Memory for what it costs: docs/scaling.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
from qdrant_client import models

from attribution import tenants
from attribution.errors import BadInput
from attribution.index import text
from attribution.index.engine import Engine
from attribution.index.points import IndexEntry, Point, Where
from attribution.types import Vector

TEXT = "text"
TENANT = "tenant"
UNIT_TOLERANCE = 1e-3
NARROW = 128  # dimensions below which a graph of 16 links would outweigh the codes it connects
NUMBER_BYTES = 25  # of a number in JSON, at most: "-1.2345678901234567e-05, "
POINT_BYTES = 300  # of a point in JSON beside its numbers and its payload: id, names, brackets
GIVEN_AT_ONCE = 1_000  # points
PAGE = 1_000  # points that are read at once
REQUEST_BYTES = 8 * 2**20  # a server refuses 32 MiB; smaller requests fail smaller

OWNER = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)
KEYWORD = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
RANGE = models.IntegerIndexParams(  # years are only compared, never looked up
    type=models.IntegerIndexType.INTEGER, lookup=False, range=True
)
INDEXES: Mapping[str, models.PayloadSchemaParams] = {
    TENANT: OWNER,
    "artist": OWNER,
    "licence": KEYWORD,
    "consent": KEYWORD,
    "year": RANGE,
}


def dense(dims: Mapping[str, int]) -> dict[str, models.VectorParams]:
    """Return the named vectors: originals on disk, 4-bit codes in memory, a graph over the codes.

    Edge takes all but the graph, see `translation`.
    """
    codes = models.TurboQuantQuantizationConfig(
        bits=models.TurboQuantBitSize.BITS4, memory=models.Memory.PINNED
    )
    return {
        name: models.VectorParams(
            size=width,
            distance=models.Distance.COSINE,
            memory=models.Memory.COLD,
            hnsw_config=models.HnswConfigDiff(m=8 if width < NARROW else 16, ef_construct=128),
            quantization_config=models.TurboQuantization(turbo=codes),
        )
        for name, width in dims.items()
    }


def sparse() -> dict[str, models.SparseVectorParams]:
    """Return the vector of words: BM25 with the engine's inverse document frequency."""
    return {
        TEXT: models.SparseVectorParams(
            modifier=models.Modifier.IDF,
            index=models.SparseIndexParams(memory=models.Memory.CACHED),
        )
    }


def rows(points: Sequence[Point], dims: Mapping[str, int]) -> list[models.PointStruct]:
    """Return artworks as the engine stores them; raises BadInput for vectors that do not fit.

    What is checked here is not checked again by the client's models: that took longer than writing.
    """
    for point in points:
        if missing := dims.keys() ^ point.vectors.keys():
            raise BadInput(f"artwork {point.id}: vectors missing or unknown: {sorted(missing)}")
    numbers = {
        name: numbers_of(name, [point.vectors[name] for point in points], dims) for name in dims
    }
    return [
        models.PointStruct.model_construct(
            id=str(point.id),
            vector={name: of_all[at] for name, of_all in numbers.items()} | _words(point),
            payload=_payload(point),
        )
        for at, point in enumerate(points)
    ]


def _words(point: Point) -> dict[str, models.SparseVector]:
    indices, values = text.document_vector(point.text)
    return {TEXT: models.SparseVector.model_construct(indices=indices, values=values)}


def _payload(point: Point) -> dict[str, Any]:
    payload = {
        TENANT: point.tenant,
        "artist": str(point.artist_id),
        "licence": point.licence,
        "consent": list(point.consent),
        "year": point.year,
    }
    return {name: value for name, value in payload.items() if value is not None}


def checked(name: str, vector: Vector, dims: Mapping[str, int]) -> list[float]:
    """Return the vector as numbers; the engine would take NaN and zeros without a word."""
    return numbers_of(name, [vector], dims)[0]


def numbers_of(name: str, vectors: Sequence[Vector], dims: Mapping[str, int]) -> list[list[float]]:
    """Return vectors of one name as numbers; raises BadInput for one that does not fit."""
    width = dims.get(name)
    if width is None:
        raise BadInput(f"no vector {name!r} here; known: {', '.join(sorted(dims))}")
    for vector in vectors:
        if vector.shape != (width,):
            raise BadInput(f"vector {name!r} must have shape ({width},), got {vector.shape}")
    if not vectors:
        return []
    matrix = np.stack(vectors)
    lengths = np.linalg.norm(matrix, axis=1)
    wrong = lengths[~(np.abs(lengths - 1) < UNIT_TOLERANCE)]  # also true of NaN
    if len(wrong):
        raise BadInput(f"vector {name!r} must have length 1 and be finite, got {float(wrong[0])}")
    numbers: list[list[float]] = matrix.tolist()
    return numbers


def entry(record: models.Record) -> IndexEntry:
    """Return what the index says of an artwork beside its vectors."""
    payload = record.payload or {}
    return IndexEntry(
        id=UUID(str(record.id)),
        artist_id=UUID(payload["artist"]),
        licence=payload.get("licence"),
        year=payload.get("year"),
        consent=tuple(payload.get("consent", ())),
        tenant=payload[TENANT],
    )


def index_payload(
    engine: Engine, collection: str, indexes: Mapping[str, models.PayloadSchemaParams]
) -> None:
    """Index the fields that filters ask for, where that was not done.

    Whoever made the collection may have been killed before, or had a version that asks for less.
    """
    there = engine.indexed_fields(collection)
    for field, params in indexes.items():
        if field not in there:
            engine.create_payload_index(collection, field, params)


def scrolled(
    engine: Engine, collection: str, chosen: models.Filter | None
) -> Iterator[models.Record]:
    """Yield points in the order of their ids, read a page at a time."""
    following: str | None = None
    while True:
        rows, following = engine.scroll(
            collection, limit=PAGE, offset=following, scroll_filter=chosen
        )
        yield from rows
        if following is None:
            return


def count(engine: Engine, collection: str, chosen: models.Filter | None) -> int:
    """Count points exactly, a page at a time: for numbers of a thousand, not of millions."""
    return sum(1 for _ in scrolled(engine, collection, chosen))


def give_to(engine: Engine, collection: str, tenant: str) -> None:
    """Have the points that say no tenant be this one's. Killed midway, it goes on when repeated."""
    following: str | None = None
    while True:
        rows, following = engine.scroll(collection, limit=GIVEN_AT_ONCE, offset=following)
        nobodys = [str(row.id) for row in rows if TENANT not in (row.payload or {})]
        if nobodys:
            engine.set_payload(collection, {TENANT: tenant}, nobodys)
        if following is None:
            return


def requests(rows: Iterable[models.PointStruct]) -> Iterator[list[models.PointStruct]]:
    """Split rows so that the JSON of each part has REQUEST_BYTES at most, or one row."""
    part: list[models.PointStruct] = []
    filled = 0
    for one in rows:
        size = _size(one)
        if part and filled + size > REQUEST_BYTES:
            yield part
            part, filled = [], 0
        part.append(one)
        filled += size
    if part:
        yield part


def _size(one: models.PointStruct) -> int:
    """Return an upper bound of the bytes of a row in JSON, without making them."""
    vectors: Mapping[str, Any] = one.vector if isinstance(one.vector, dict) else {}
    numbers = sum(
        2 * len(vector.values) if isinstance(vector, models.SparseVector) else len(vector)
        for vector in vectors.values()
    )
    return NUMBER_BYTES * numbers + POINT_BYTES + len(json.dumps(one.payload))


def of_tenant() -> list[models.Condition]:
    """Return what every query is narrowed by: that a point is the tenant's."""
    name = tenants.meant()
    if name == tenants.EVERY:
        return []
    return [models.FieldCondition(key=TENANT, match=models.MatchValue(value=name))]


def own_words() -> models.SearchParams | None:
    """Return that words weigh by how many of the tenant's works have them: not by others' works."""
    must = of_tenant()
    if not must:
        return None
    return models.SearchParams(idf=models.IdfCorpusParams(corpus=models.Filter(must=must)))


def condition(where: Where) -> models.Filter | None:
    """Return the filter, narrowed to the tenant; None for everything across all of them."""
    must = of_tenant()
    if where.artist_ids:
        artists = [str(artist) for artist in where.artist_ids]
        must.append(models.FieldCondition(key="artist", match=models.MatchAny(any=artists)))
    if where.licences:
        licences = list(where.licences)
        must.append(models.FieldCondition(key="licence", match=models.MatchAny(any=licences)))
    if where.year_from is not None or where.year_to is not None:
        years = models.Range(gte=where.year_from, lte=where.year_to)
        must.append(models.FieldCondition(key="year", range=years))
    excluded: list[models.Condition] = (
        [models.HasIdCondition(has_id=[str(point) for point in where.exclude_ids])]
        if where.exclude_ids
        else []
    )
    if where.exclude_artist_ids:
        others = [str(artist) for artist in where.exclude_artist_ids]
        excluded.append(models.FieldCondition(key="artist", match=models.MatchAny(any=others)))
    return models.Filter(must=must, must_not=excluded) if must or excluded else None
