"""Our index: schema, ids, checks, fusion, tie-breaking and grouping, over any Qdrant client."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from uuid import UUID

import numpy as np
from qdrant_client import models

from attribution.errors import BadInput
from attribution.index import text
from attribution.types import Contribution, Hit, Neighbour, Point, Probe, Vector, Where

TEXT = "text"
ANYWHERE = Where()
OVERFETCH = 16  # beyond the cut, so that ties at the cut have one order on every engine
RRF_K = 60  # Cormack, Clarke & Büttcher 2009
UNIT_TOLERANCE = 1e-3
INDEXES = {
    "artist": models.PayloadSchemaType.KEYWORD,
    "licence": models.PayloadSchemaType.KEYWORD,
    "consent": models.PayloadSchemaType.KEYWORD,
    "year": models.PayloadSchemaType.INTEGER,
}
RESCORED = models.SearchParams(
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0)
)


@runtime_checkable
class Embedded(Protocol):
    """What an engine in process has to be told, and a server does by itself."""

    def flush(self) -> None:
        """Write everything to disk."""
        ...

    def optimize(self) -> None:
        """Merge segments."""
        ...


class VectorIndex:
    """One collection of artworks: named dense vectors, the `text` vector, and a payload."""

    def __init__(self, client: Any, *, dims: Mapping[str, int], collection: str) -> None:
        self._client = client
        self._dims = dict(dims)
        self._name = collection
        if not client.collection_exists(collection):
            self._create()
        self.count()  # opens the collection now: a lock is reported at once

    def upsert(self, points: Sequence[Point]) -> None:
        """Write artworks with all their vectors; the same id again replaces it.

        Raises BadInput for a vector that is missing, unknown, of another width, not finite or not
        of length 1, before anything is written.
        """
        rows = [self._row(point) for point in points]
        if rows:
            self._client.upsert(self._name, points=rows)

    def delete(self, ids: Sequence[UUID]) -> None:
        """Delete artworks; unknown ids are no error."""
        if ids:
            selector = models.PointIdsList(points=[str(point) for point in ids])
            self._client.delete(self._name, points_selector=selector)

    def delete_artist(self, artist_id: UUID) -> None:
        """Delete every artwork of an artist."""
        chosen = _filter(Where(artist_ids=(artist_id,)))
        if chosen:
            self._client.delete(self._name, points_selector=models.FilterSelector(filter=chosen))

    def neighbours(
        self,
        probe: Probe,
        *,
        limit: int,
        where: Where = ANYWHERE,
    ) -> dict[str, list[Neighbour]]:
        """Return the nearest works of every leg, unfused: by score, equal scores by id.

        A leg is a vector of the probe, or `text` for its words. Raises BadInput for an empty probe.
        """
        if limit <= 0:
            raise BadInput(f"limit must be at least 1, got {limit}")
        queries = self._queries(probe)
        if not queries:
            raise BadInput("nothing to look for: the probe has no vector and no word")
        chosen = _filter(where)
        requests = [
            models.QueryRequest(
                query=query,
                using=using,
                filter=chosen,
                limit=limit + OVERFETCH,
                with_payload=["artist"],
                params=None if using == TEXT else RESCORED,
            )
            for using, query in queries.values()
        ]
        answers = self._client.query_batch_points(self._name, requests=requests)
        return {
            leg: _ranked(answer.points, limit) for leg, answer in zip(queries, answers, strict=True)
        }

    def search(
        self,
        probe: Probe,
        *,
        limit: int,
        where: Where = ANYWHERE,
    ) -> list[Hit]:
        """Fuse the legs by weighted reciprocal rank; best first, equal scores by id.

        A leg of weight w gives w / (RRF_K + rank). Every hit keeps what each leg gave.
        """
        legs = self.neighbours(probe, limit=max(limit * 2, 50), where=where)
        given: dict[UUID, dict[str, Contribution]] = defaultdict(dict)
        artists: dict[UUID, UUID] = {}
        for leg, hits in legs.items():
            weight = probe.weights.get(leg, 1.0)
            for hit in hits:
                part = weight / (RRF_K + hit.rank)
                given[hit.id][leg] = Contribution(hit.score, hit.rank, part)
                artists[hit.id] = hit.artist_id
        fused = [
            Hit(work, artists[work], sum(leg.part for leg in parts.values()), parts)
            for work, parts in given.items()
        ]
        return sorted(fused, key=lambda hit: (-hit.score, hit.id))[:limit]

    def search_artists(
        self,
        probe: Probe,
        *,
        limit: int,
        per_artist: int = 3,
        where: Where = ANYWHERE,
    ) -> list[tuple[UUID, list[Hit]]]:
        """Group the fused hits by artist: the artist of the best hit first, its best works each."""
        groups: dict[UUID, list[Hit]] = defaultdict(list)
        for hit in self.search(probe, limit=limit * per_artist * 4, where=where):
            groups[hit.artist_id].append(hit)
        return [(artist, hits[:per_artist]) for artist, hits in list(groups.items())[:limit]]

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, dict[str, Vector]]:
        """Return the dense vectors of the artworks that exist."""
        if not ids:
            return {}
        rows = self._client.retrieve(
            self._name, ids=[str(point) for point in ids], with_vectors=True
        )
        return {
            UUID(str(row.id)): {
                name: np.asarray(row.vector[name], dtype=np.float32) for name in self._dims
            }
            for row in rows
        }

    def ids(self, *, after: UUID | None = None, limit: int = 1_000) -> list[UUID]:
        """Return ids in ascending order, those after `after`, `limit` at most."""
        rows, _ = self._client.scroll(
            self._name, limit=limit + 1, offset=str(after) if after else None
        )
        found = [UUID(str(row.id)) for row in rows]
        return [point for point in found if point != after][:limit]

    def count(self, where: Where = ANYWHERE) -> int:
        """Count artworks exactly."""
        return int(self._client.count(self._name, count_filter=_filter(where)).count)

    def flush(self) -> None:
        """Have an engine in process write everything to disk."""
        if isinstance(self._client, Embedded):
            self._client.flush()

    def optimize(self) -> None:
        """Have an engine in process merge its segments; holds up the process meanwhile."""
        if isinstance(self._client, Embedded):
            self._client.optimize()

    def close(self) -> None:
        """Release the engine."""
        self._client.close()

    def _create(self) -> None:
        self._client.create_collection(
            self._name,
            vectors_config={
                name: models.VectorParams(size=width, distance=models.Distance.COSINE)
                for name, width in self._dims.items()
            },
            sparse_vectors_config={TEXT: models.SparseVectorParams(modifier=models.Modifier.IDF)},
        )
        for field, schema in INDEXES.items():
            self._client.create_payload_index(self._name, field, schema)

    def _row(self, point: Point) -> models.PointStruct:
        if missing := self._dims.keys() ^ point.vectors.keys():
            raise BadInput(f"artwork {point.id}: vectors missing or unknown: {sorted(missing)}")
        vectors: dict[str, Any] = {
            name: self._checked(name, vector) for name, vector in point.vectors.items()
        }
        indices, values = text.document_vector(point.text)
        vectors[TEXT] = models.SparseVector(indices=indices, values=values)
        payload = {
            "artist": str(point.artist_id),
            "licence": point.licence,
            "consent": list(point.consent),
            "year": point.year,
        }
        return models.PointStruct(
            id=str(point.id),
            vector=vectors,
            payload={name: value for name, value in payload.items() if value is not None},
        )

    def _queries(self, probe: Probe) -> dict[str, tuple[str, Any]]:
        """Return leg -> (named vector, query)."""
        queries: dict[str, tuple[str, Any]] = {}
        for leg, vector in probe.vectors.items():
            space = probe.using.get(leg, leg)
            queries[leg] = (space, self._checked(space, vector))
        indices, values = text.query_vector(probe.text or "")
        if indices:
            queries[TEXT] = (TEXT, models.SparseVector(indices=indices, values=values))
        return queries

    def _checked(self, name: str, vector: Vector) -> list[float]:
        """Return the vector as numbers; the engine would take NaN and zeros without a word."""
        width = self._dims.get(name)
        if width is None:
            raise BadInput(f"no vector {name!r} here; known: {', '.join(sorted(self._dims))}")
        if vector.shape != (width,):
            raise BadInput(f"vector {name!r} must have shape ({width},), got {vector.shape}")
        length = float(np.linalg.norm(vector))
        if not abs(length - 1) < UNIT_TOLERANCE:  # also true of NaN
            raise BadInput(f"vector {name!r} must have length 1 and be finite, got {length}")
        numbers: list[float] = vector.tolist()
        return numbers


def _ranked(points: Sequence[models.ScoredPoint], limit: int) -> list[Neighbour]:
    hits = sorted((-point.score, UUID(str(point.id)), point.payload) for point in points)
    return [
        Neighbour(point, UUID((payload or {})["artist"]), -negative, rank)
        for rank, (negative, point, payload) in enumerate(hits[:limit], 1)
    ]


def _filter(where: Where) -> models.Filter | None:
    must: list[models.Condition] = []
    if where.artist_ids:
        artists = [str(artist) for artist in where.artist_ids]
        must.append(models.FieldCondition(key="artist", match=models.MatchAny(any=artists)))
    if where.licences:
        licences = list(where.licences)
        must.append(models.FieldCondition(key="licence", match=models.MatchAny(any=licences)))
    must += [
        models.FieldCondition(key="consent", match=models.MatchValue(value=purpose))
        for purpose in where.consent
    ]
    if where.year_from is not None or where.year_to is not None:
        years = models.Range(gte=where.year_from, lte=where.year_to)
        must.append(models.FieldCondition(key="year", range=years))
    excluded: list[models.Condition] = (
        [models.HasIdCondition(has_id=[str(point) for point in where.exclude_ids])]
        if where.exclude_ids
        else []
    )
    return models.Filter(must=must, must_not=excluded) if must or excluded else None
