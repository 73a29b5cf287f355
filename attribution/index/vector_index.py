"""Our index: ids, fusion, tie-breaking and grouping, over any engine."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Self
from uuid import UUID

import numpy as np
from qdrant_client import models

from attribution.errors import BadInput
from attribution.index import replacement, schema, soundness, text
from attribution.index.engine import Embedded, Engine
from attribution.index.markers import Markers
from attribution.index.parts import RESCORED, PartIndex
from attribution.index.points import Contribution, Hit, IndexEntry, Point, Probe, Where
from attribution.index.schema import TEXT
from attribution.types import Neighbour, Vector

ANYWHERE = Where()
OVERFETCH = 16  # beyond the cut, so that ties at the cut have one order on every engine
RRF_K = 60  # Cormack, Clarke & Büttcher 2009


class VectorIndex:
    """One collection of artworks: named dense vectors, the `text` vector, and a payload.

    What only the copy lane asks for, the parts of works, is in `parts`.

    A name may be an alias: every request goes to what it means at that moment, so that all
    processes follow when another collection takes its place (`replacement`).
    """

    def __init__(
        self,
        engine: Engine,
        *,
        dims: Mapping[str, int],
        collection: str,
        parts: str | None = None,
        beside: str | None = None,
    ) -> None:
        self._engine = engine
        self._dims = dict(dims)
        self.name = collection
        self._at = beside or collection  # where it is while it is filled next to another
        if not (engine.collection_exists(self._at) or replacement.adopt(engine, self._at)):
            engine.create_collection(
                self._at,
                vectors_config=schema.dense(dims),
                sparse_vectors_config=schema.sparse(),
            )
        if isinstance(engine, Embedded) and not beside:  # nobody else has this folder
            replacement.forget_unfinished(engine, collection)
        self.parts = PartIndex(
            engine, collection=replacement.parts_of(self._at), dims=dims, space=parts
        )
        # Asked in any case: a lock is reported at once.
        schema.index_payload(engine, self._at, schema.INDEXES)

    @classmethod
    def next_to(
        cls, engine: Engine, *, dims: Mapping[str, int], collection: str, parts: str | None = None
    ) -> Self:
        """Begin an empty collection that is to take the place of this one: see `take_over`.

        The other one is not even opened: it may be damaged.
        """
        index = cls(
            engine,
            dims=dims,
            collection=collection,
            parts=parts,
            beside=replacement.begin(engine, collection),
        )
        if engine.collection_exists(replacement.parts_of(collection)):
            index.parts.make()  # who knows that there are parts goes on asking for them
        return index

    def take_over(self) -> None:
        """Be what everybody finds under this name from now on; the one before is deleted."""
        replacement.put_in_place(self._engine, self.name, self._at)

    def upsert(self, points: Sequence[Point]) -> None:
        """Write artworks with all their vectors; the same id again replaces it.

        Raises BadInput for a vector that is missing, unknown, of another width, not finite or not
        of length 1, before anything is written. Large writes go as several requests: one that
        fails leaves those before it written, and may be repeated whole.
        """
        for part in schema.requests(schema.rows(points, self._dims)):
            self._engine.upsert(self._at, points=part)

    def delete(self, ids: Sequence[UUID]) -> None:
        """Delete artworks with their parts; unknown ids are no error."""
        if ids:
            self.parts.delete(ids)
            selector = models.PointIdsList(points=[str(point) for point in ids])
            self._engine.delete(self._at, points_selector=selector)

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
        chosen = schema.condition(where)
        requests = [
            models.QueryRequest(
                query=query,
                using=using,
                filter=chosen,
                limit=limit + OVERFETCH,
                with_payload=["artist"],
                params=schema.own_words() if using == TEXT else RESCORED,
            )
            for using, query in queries.values()
        ]
        answers = self._engine.query_batch_points(self._at, requests=requests)
        found = {leg: answer.points for leg, answer in zip(queries, answers, strict=True)}
        for leg, (using, _) in queries.items():
            soundness.check_scores(
                found[leg], at_most=math.inf if using == TEXT else soundness.LARGEST
            )
        return {leg: _ranked(points, limit) for leg, points in found.items()}

    def search(
        self,
        probe: Probe,
        *,
        limit: int,
        where: Where = ANYWHERE,
    ) -> list[Hit]:
        """Fuse the legs by reciprocal rank; best first, equal scores by id.

        A leg gives 1 / (RRF_K + rank). Every hit keeps what each leg gave.
        """
        legs = self.neighbours(probe, limit=max(limit * 2, 50), where=where)
        given: dict[UUID, dict[str, Contribution]] = defaultdict(dict)
        artists: dict[UUID, UUID] = {}
        for leg, hits in legs.items():
            for hit in hits:
                part = 1 / (RRF_K + hit.rank)
                given[hit.id][leg] = Contribution(hit.score, hit.rank, part)
                artists[hit.id] = hit.artist_id
        fused = [
            Hit(work, artists[work], sum(leg.part for leg in parts.values()), parts)
            for work, parts in given.items()
        ]
        return sorted(fused, key=lambda hit: (-hit.score, hit.id))[:limit]

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, dict[str, Vector]]:
        """Return the dense vectors of the artworks that exist; raises IndexDamaged."""
        stored = self._stored(ids)
        for work, vectors in stored.items():
            for name in self._dims:
                length = float(np.linalg.norm(vectors.get(name, np.zeros(1))))
                if not abs(length - 1) < schema.UNIT_TOLERANCE:  # also true of NaN
                    raise soundness.damaged(f"vector {name!r} of {work} has length {length}")
        return stored

    def differing(self, kept: Mapping[UUID, Mapping[str, Vector]]) -> list[UUID]:
        """Return those of these artworks whose dense vectors are stored otherwise than given."""
        stored = self._stored(list(kept))
        return [
            work
            for work, vectors in kept.items()
            if work in stored and not _are_same(vectors, stored[work])
        ]

    def _stored(self, ids: Sequence[UUID]) -> dict[UUID, dict[str, Vector]]:
        if not ids:
            return {}
        rows = self._engine.retrieve(self._at, ids=[str(point) for point in ids], with_vectors=True)
        return {UUID(str(row.id)): self._dense(row) for row in rows}

    def _dense(self, row: models.Record) -> dict[str, Vector]:
        stored = row.vector if isinstance(row.vector, dict) else {}
        return {
            name: np.asarray(stored[name], dtype=np.float32)
            for name in self._dims
            if name in stored  # a damaged index may have lost it
        }

    def held(self, ids: Sequence[UUID]) -> set[UUID]:
        """Return those of these artworks that are there."""
        if not ids:
            return set()
        rows = self._engine.retrieve(self._at, ids=[str(point) for point in ids])
        return {UUID(str(row.id)) for row in rows}

    def entries(self, *, after: UUID | None = None, limit: int = 1_000) -> list[IndexEntry]:
        """Return what is held, in ascending order of ids, those after `after`, `limit` at most."""
        rows, _ = self._engine.scroll(
            self._at,
            limit=limit + 1,
            offset=str(after) if after else None,
            scroll_filter=schema.condition(ANYWHERE),
        )
        found = [schema.entry(row) for row in rows]
        return [entry for entry in found if entry.id != after][:limit]

    def count(self, where: Where = ANYWHERE) -> int:
        """Count artworks exactly, a page at a time."""
        return schema.count(self._engine, self._at, schema.condition(where))

    def points(self) -> int:
        """Return how many artworks the tenant has by the engine's own books: at once.

        A server may count some twice while it moves them, and leaves none out.
        """
        return int(self._engine.count(self._at, schema.condition(ANYWHERE)).count)

    def give_to(self, tenant: str) -> None:
        """Have points from before there were tenants be this one's."""
        schema.give_to(self._engine, self._at, tenant)
        self.parts.give_to(tenant)

    def publish(self, alias: str) -> None:
        """Have the name `alias` mean this collection from now on, whatever it meant before.

        One step: whoever asks in between finds the one or the other. A collection that is itself
        called so is in the way and stays.
        """
        replacement.point_to(self._engine, {alias: self._at})

    def drop(self) -> None:
        """Delete the collection with everything in it, and the aliases that mean it."""
        replacement.drop(self._engine, self._at)

    def flush(self) -> None:
        """Have an engine in process write everything to disk."""
        if isinstance(self._engine, Embedded):
            self._engine.flush()

    def optimize(self) -> None:
        """Have an engine in process merge its segments; holds up the process meanwhile."""
        if isinstance(self._engine, Embedded):
            self._engine.optimize()

    def scrub(self, ids: Sequence[UUID], *, rewrite: bool = True) -> int | None:
        """Have an engine in process write its files anew without deleted artworks and their parts.

        Returns in how many files something is left of them; None where the files are a server's,
        which writes them anew by itself some day. Without `rewrite` the files are only looked at.
        """
        if not isinstance(self._engine, Embedded):
            return None
        left = self._engine.scrub(self._at, Markers.of(ids), rewrite=rewrite)
        return left + self.parts.scrub(self._engine, ids, rewrite=rewrite)

    def close(self) -> None:
        """Release the engine."""
        self._engine.close()

    def _queries(self, probe: Probe) -> dict[str, tuple[str, Any]]:
        """Return leg -> (named vector, query)."""
        queries: dict[str, tuple[str, Any]] = {}
        for leg, vector in probe.vectors.items():
            space = probe.using.get(leg, leg)
            queries[leg] = (space, schema.checked(space, vector, self._dims))
        indices, values = text.query_vector(probe.text or "")
        if indices:
            queries[TEXT] = (TEXT, models.SparseVector(indices=indices, values=values))
        return queries


def _are_same(one: Mapping[str, Vector], other: Mapping[str, Vector]) -> bool:
    return one.keys() == other.keys() and all(
        np.allclose(one[name], other[name], atol=schema.UNIT_TOLERANCE) for name in one
    )


def _ranked(points: Sequence[models.ScoredPoint], limit: int) -> list[Neighbour]:
    hits = sorted((-point.score, UUID(str(point.id)), point.payload) for point in points)
    return [
        Neighbour(point, UUID((payload or {})["artist"]), -negative, rank)
        for rank, (negative, point, payload) in enumerate(hits[:limit], 1)
    ]
