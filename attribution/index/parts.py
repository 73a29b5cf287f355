"""The vectors of parts of works: tiles of strips, transparent pictures on other grounds.

They have a collection of their own next to that of the works, so that no vote, search or count has
to leave them out. It is made when the first part is written. A point says of which work it is and
nothing else about it: what moves or changes with the work is the catalogue's.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID, uuid5

from qdrant_client import models

from attribution import tenants
from attribution.images.grounds import GROUNDS
from attribution.images.views import MOST_TILES
from attribution.index import schema, soundness
from attribution.index.engine import Embedded, Engine
from attribution.index.markers import Markers
from attribution.index.points import NearPart, Where
from attribution.types import Matrix, Part, Vector

WORK = models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD)
INDEXES = {schema.TENANT: schema.OWNER, "work": WORK}
EVERYTHING = Where()
RESCORED = models.SearchParams(
    quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0)
)


class PartIndex:
    """One collection of parts, with one named vector; without it there are none."""

    def __init__(
        self, engine: Engine, *, collection: str, dims: Mapping[str, int], space: str | None
    ) -> None:
        self._engine = engine
        self._name = collection
        self._space = space or ""
        self._dims = {space: dims[space]} if space else {}
        self._is_known = self._is_writable = False

    def upsert(self, vectors: Mapping[UUID, Matrix]) -> None:
        """Write the parts of the tenant's works, a row each, from part 1 on.

        Raises BadInput as for works.
        """
        tenant = tenants.current()
        if vectors and not self._is_writable:
            self.make()
        rows = (
            models.PointStruct(
                id=str(_point(Part(work, number))),
                vector={self._space: schema.checked(self._space, row, self._dims)},
                payload={schema.TENANT: tenant, "work": str(work), "part": number},
            )
            for work, parts in vectors.items()
            for number, row in enumerate(parts, 1)
        )
        for few in schema.requests(rows):
            self._engine.upsert(self._name, points=few)

    def delete(self, works: Collection[UUID]) -> None:
        """Delete all parts of works."""
        if works and self._exists():
            selector = models.FilterSelector(filter=_of(works))
            self._engine.delete(self._name, points_selector=selector)

    def nearest(self, vectors: Mapping[str, Vector], *, limit: int) -> dict[str, list[NearPart]]:
        """Return the nearest parts of every leg: by score, equal scores by part."""
        if not vectors or not self._exists():
            return {}
        requests = [
            models.QueryRequest(
                query=schema.checked(self._space, vector, self._dims),
                using=self._space,
                filter=schema.condition(EVERYTHING),
                limit=limit,
                with_payload=["work", "part"],
                params=RESCORED,
            )
            for vector in vectors.values()
        ]
        answers = self._engine.query_batch_points(self._name, requests=requests)
        for one in answers:
            soundness.check_scores(one.points, at_most=soundness.LARGEST)
        return {leg: _ranked(one.points) for leg, one in zip(vectors, answers, strict=True)}

    def count(self, works: Collection[UUID] | None = None) -> int:
        """Count parts exactly, all or those of some works, a page at a time."""
        if not self._exists() or (works is not None and not works):
            return 0
        chosen = schema.condition(EVERYTHING) if works is None else _of(works)
        return schema.count(self._engine, self._name, chosen)

    def held(self, parts: Collection[Part]) -> set[Part]:
        """Return those of these parts that are there."""
        if not parts or not self._exists():
            return set()
        rows = self._engine.retrieve(self._name, ids=[str(_point(part)) for part in parts])
        return {_part(row.payload) for row in rows}

    def entries(self, *, after: Part | None = None, limit: int = 1_000) -> list[Part]:
        """Return what is held, those behind `after`, `limit` at most, in an order of its own."""
        if not self._exists():
            return []
        offset = str(_point(after)) if after else None
        rows, _ = self._engine.scroll(
            self._name, limit=limit + 1, offset=offset, scroll_filter=schema.condition(EVERYTHING)
        )
        return [part for row in rows if (part := _part(row.payload)) != after][:limit]

    def of(self, works: Collection[UUID]) -> list[Part]:
        """Return the parts of these works that are there, in the order of `entries`."""
        if not works or not self._exists():
            return []
        rows = schema.scrolled(self._engine, self._name, _of(works))
        return [_part(row.payload) for row in rows]

    def scrub(self, engine: Embedded, works: Collection[UUID], *, rewrite: bool) -> int:
        """Have files written anew without deleted parts; returns how many still hold some."""
        if not self._exists():
            return 0
        numbers = range(1, MOST_TILES + len(GROUNDS) + 1)
        parts = (_point(Part(work, number)) for work in works for number in numbers)
        return engine.scrub(self._name, Markers.of([*works, *parts]), rewrite=rewrite)

    def make(self) -> None:
        """Make the collection, where that was not done yet."""
        if not self._exists():
            self._engine.create_collection(
                self._name, vectors_config=schema.dense(self._dims), sparse_vectors_config={}
            )
        schema.index_payload(self._engine, self._name, INDEXES)
        self._is_known = self._is_writable = True

    def give_to(self, tenant: str) -> None:
        """Have parts from before there were tenants be this one's."""
        if self._exists():
            self.make()
            schema.give_to(self._engine, self._name, tenant)

    def _exists(self) -> bool:
        """Whether any part was ever written: another process may just have begun."""
        self._is_known = self._is_known or self._engine.collection_exists(self._name)
        return self._is_known


def _point(part: Part) -> UUID:
    return uuid5(part.work, f"part {part.number}")


def _part(payload: Mapping[str, Any] | None) -> Part:
    said = payload or {}
    return Part(UUID(said["work"]), int(said["part"]))


def _of(works: Collection[UUID]) -> models.Filter:
    chosen = models.MatchAny(any=[str(work) for work in works])
    of_works = models.FieldCondition(key="work", match=chosen)
    return models.Filter(must=[*schema.of_tenant(), of_works])


def _ranked(points: Collection[models.ScoredPoint]) -> list[NearPart]:
    hits = sorted((-point.score, _part(point.payload)) for point in points)
    return [NearPart(part, -negative, rank) for rank, (negative, part) in enumerate(hits, 1)]
