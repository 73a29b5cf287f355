"""Qdrant Edge as an `Engine`, in process.

`qdrant_client.models` goes in and comes out, see `translation`. The write-ahead log is on: what was
acknowledged outlives a kill.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import qdrant_edge as edge
from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from attribution.errors import BackendUnavailable, Conflict, IndexDamaged, LawfulError
from attribution.index import translation
from attribution.index.markers import Markers
from attribution.index.ownership import Ownership, write_note
from attribution.index.schema import TENANT
from attribution.index.soundness import damaged
from attribution.outages import disk_full
from attribution.whole import written_whole

ALIASES = "aliases.json"
CONFIG = "edge_config.json"  # what the engine writes into the folder of a shard
DROPPED = ".dropped"
PANIC = "PanicException"  # of pyo3, which gives it no module that can be imported
NO_SPACE = "os error 28"  # how the engine spells that a disk is full
ROOM = 200 * 2**20  # bytes that stay free on the disk
FEW = 50_000  # points: to ask each of them whose it is takes no longer than to ask this of all
LOG_BYTES = 32 * 2**20  # of one file of the log
# One deleted point is enough for `optimize` to write its segment anew without it. The engine's own
# thresholds (a fifth of at least 1,000 points) would keep it for as long as the collection lives.
LEAST_PART, LEAST_POINTS = 1e-9, 1
VACUUM = {"deleted_threshold": LEAST_PART, "vacuum_min_vector_number": LEAST_POINTS}


class EdgeClient:
    """One folder of shards, a shard a collection; owned by one process at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards: dict[str, Any] = {}
        self._ownership = Ownership(folder)

    def collection_exists(self, collection_name: str) -> bool:
        """Whether a collection was made before that has this name or alias."""
        name = self._aliases().get(collection_name, collection_name)
        return (self._folder / name / CONFIG).exists()

    def create_collection(
        self,
        collection_name: str,
        *,
        vectors_config: Mapping[str, models.VectorParams],
        sparse_vectors_config: Mapping[str, models.SparseVectorParams],
    ) -> None:
        """Make a collection of named dense and sparse vectors."""
        config = edge.EdgeConfig(
            vectors={name: translation.dense(params) for name, params in vectors_config.items()},
            sparse_vectors={
                name: translation.sparse(params) for name, params in sparse_vectors_config.items()
            },
            optimizers=edge.EdgeOptimizersConfig(LEAST_PART, LEAST_POINTS),
            wal_enabled=True,
        )
        self._check_room()
        path = self._folder / collection_name
        path.mkdir(parents=True, exist_ok=True)
        self._shards[collection_name] = self._opened(
            lambda: edge.EdgeShard.create(str(path), config)
        )

    def delete_collection(self, collection_name: str) -> None:
        """Delete a collection and its aliases; whoever looks sees all of it or nothing."""
        if collection_name not in self.collections():
            raise self._missing(collection_name)
        if collection_name in self._shards:  # else it need not even be readable
            self._call(self._shards.pop(collection_name).close)
        aliases = {a: name for a, name in self._aliases().items() if name != collection_name}
        write_note(self._folder, ALIASES, aliases)
        dropped = self._folder / DROPPED
        shutil.rmtree(dropped, ignore_errors=True)  # of a process that was killed meanwhile
        dropped.mkdir()
        (self._folder / collection_name).rename(dropped / collection_name)
        shutil.rmtree(dropped)

    def get_aliases(self) -> models.CollectionsAliasesResponse:
        """Return every alias with its collection."""
        return models.CollectionsAliasesResponse(
            aliases=[
                models.AliasDescription(alias_name=alias, collection_name=name)
                for alias, name in self._aliases().items()
            ]
        )

    def update_collection_aliases(
        self,
        change_aliases_operations: Sequence[
            models.DeleteAliasOperation | models.CreateAliasOperation
        ],
    ) -> None:
        """Delete and create aliases in one step."""
        aliases = self._aliases()
        for change in change_aliases_operations:
            if isinstance(change, models.DeleteAliasOperation):
                aliases.pop(change.delete_alias.alias_name, None)
                continue
            alias, name = change.create_alias.alias_name, change.create_alias.collection_name
            if alias in self.collections():
                raise Conflict(f"{alias!r} is a collection itself and cannot name {name!r}")
            if name not in self.collections():
                raise self._missing(name)
            aliases[alias] = name
        write_note(self._folder, ALIASES, aliases)

    def collections(self) -> list[str]:
        """Return the names of the collections."""
        return sorted(path.parent.name for path in self._folder.glob(f"*/{CONFIG}"))

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: models.PayloadSchemaParams
    ) -> None:
        """Index a payload field."""
        params = translation.payload_index(field_schema)
        self._update(collection_name, edge.UpdateOperation.create_field_index(field_name, params))

    def indexed_fields(self, collection_name: str) -> set[str]:
        """Return the payload fields that have an index."""
        return set(self._call(self._shard(collection_name).info).payload_schema)

    def upsert(self, collection_name: str, points: Sequence[models.PointStruct]) -> None:
        """Write points, all or none; returns when the log has them."""
        self._check_room()
        rows = [
            edge.Point(
                UUID(str(p.id)), {n: translation.vector(v) for n, v in p.vector.items()}, p.payload
            )
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
                translation.condition(points_selector.filter)
            )
        self._update(collection_name, operation)

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """Run several queries as one batch, one answer each.

        To ask every point whose it is takes as long as to compare it. Where all seem to be one
        tenant's they are not asked, but what is found is: if the nearest of all are the tenant's,
        they are the nearest of the tenant's. If they are not, all are asked.
        """
        sole = self._sole_tenant(collection_name)
        quick = [_unasked(request, sole) for request in requests]
        answers = self._queried(collection_name, quick)
        for at, hits in enumerate(answers):
            if quick[at] is not requests[at] and {_tenant(hit) for hit in hits} - {sole}:
                answers[at : at + 1] = self._queried(collection_name, requests[at : at + 1])
        return [QueryResponse(points=[translation.scored(hit) for hit in hits]) for hits in answers]

    def _queried(self, name: str, requests: Sequence[models.QueryRequest]) -> list[list[Any]]:
        batch = edge.QueryBatchRequest([translation.query(request) for request in requests])
        found: list[list[Any]] = self._call(lambda: self._shard(name).query_batch(batch))
        return found

    def _sole_tenant(self, name: str) -> str | None:
        """Return whose all points seem to be; None if there are several, or it is not known."""
        shard = self._shard(name)
        info = self._call(shard.info)
        if info.points_count < FEW or TENANT not in info.payload_schema:
            return None
        values = self._call(lambda: shard.facet(edge.FacetRequest(TENANT, limit=2))).hits
        return values[0].value if len(values) == 1 else None

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
            models.Record(
                id=str(row.id), payload=row.payload, vector=translation.vectors(row.vector)
            )
            for row in rows
        ]

    def set_payload(
        self, collection_name: str, payload: Mapping[str, str], points: Sequence[str]
    ) -> None:
        """Write fields of the payload of some points beside what they have."""
        self._check_room()
        ids: list[int | UUID | str] = [UUID(str(point)) for point in points]
        self._update(collection_name, edge.UpdateOperation.set_payload(ids, dict(payload)))

    def scroll(
        self,
        collection_name: str,
        *,
        limit: int,
        offset: str | None = None,
        scroll_filter: models.Filter | None = None,
    ) -> tuple[list[models.Record], str | None]:
        """Return points in the order of their ids from `offset` on, and where to go on."""
        request = edge.ScrollRequest(
            limit=limit,
            offset=UUID(offset) if offset else None,
            filter=translation.condition(scroll_filter) if scroll_filter else None,
        )
        rows, following = self._call(lambda: self._shard(collection_name).scroll(request))
        records = [models.Record(id=str(row.id), payload=row.payload) for row in rows]
        return records, str(following) if following else None

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None
    ) -> models.CountResult:
        """Count points by what the segments say of themselves."""
        chosen = translation.condition(count_filter) if count_filter else None
        shard = self._shard(collection_name)
        return models.CountResult(
            count=self._call(lambda: shard.count(edge.CountRequest(exact=False, filter=chosen)))
        )

    def flush(self) -> None:
        """Write everything that is in memory to disk."""
        for shard in self._shards.values():
            self._call(shard.flush)

    def optimize(self) -> None:
        """Merge segments and drop deleted points; holds up the whole process meanwhile."""
        for shard in self._shards.values():
            self._call(shard.optimize)

    def scrub(self, collection_name: str, markers: Markers, *, rewrite: bool) -> int:
        """Write files anew that hold deleted points; returns how many hold any of `markers` then.

        Segments keep deleted points, and the log every operation, until somebody writes them anew.
        What is read to find out: the list of ids that every segment has, and the log. Holds up the
        process for about a second, and another for every 5,000 points; without `rewrite` it only
        counts.
        """
        shard = self._shard(collection_name)
        path = self._folder / self._aliases().get(collection_name, collection_name)
        self._call(shard.flush)
        if rewrite and markers.among(_id_lists(path)):
            self._check_room()
            self._call(shard.optimize)
            self._call(shard.flush)
        if rewrite and markers.among(_log_files(path)):
            self._check_room()
            self._begin_log(collection_name)
        return markers.among([*_id_lists(path), *_log_files(path)])

    def _begin_log(self, name: str) -> None:
        """Fill the open file of the log and begin another: those before it are deleted by that.

        The engine deletes whole files only, and of the closed ones not the last. So the first
        operation fills a file, the second does not fit beside it. Both delete nothing.
        """
        for size in (LOG_BYTES - 512, 1024):
            nobody = edge.HasIdCondition({uuid4()})
            filler = edge.FieldCondition("filler", match=edge.MatchValue("0" * size))
            nothing = edge.Filter(must=[nobody, filler])
            self._update(name, edge.UpdateOperation.delete_points_by_filter(nothing))
        self._call(self._shard(name).flush)

    def check_version(self) -> None:
        """Nothing to ask: the engine comes with this program."""

    def close(self) -> None:
        """Flush, close, and give the folder free."""
        for shard in self._shards.values():
            with suppress(IndexDamaged):  # whoever asked has been told
                self._call(shard.close)
        self._shards.clear()
        self._ownership.release()

    def _shard(self, name: str) -> Any:
        name = self._aliases().get(name, name)
        if name not in self._shards:
            if name not in self.collections():
                raise self._missing(name)
            path = self._folder / name
            self._shards[name] = self._opened(lambda: _loaded(path))
        return self._shards[name]

    def _missing(self, name: str) -> BackendUnavailable:
        return BackendUnavailable(
            f"the index in {self._folder} has no collection {name!r} any more"
        )

    def _aliases(self) -> dict[str, str]:
        """Return alias -> collection, as some process wrote it last."""
        try:
            found: dict[str, str] = json.loads((self._folder / ALIASES).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise BackendUnavailable(
                f"{self._folder / ALIASES} is damaged: {error}; delete it, collections are found "
                f"without it"
            ) from error
        return found

    def _opened(self, opening: Callable[[], Any]) -> Any:
        try:
            with _panics_caught():
                return opening()
        except LawfulError:
            raise
        except Exception as error:  # the engine raises nothing narrower
            raise BackendUnavailable(
                f"cannot open the index in {self._folder}: {error}; if it is damaged, run `lawful "
                f"reindex`, which makes it anew from the catalogue"
            ) from error

    def _check_room(self) -> None:
        """Refuse to write where the disk is nearly full: the engine's mapped files would crash."""
        free = shutil.disk_usage(self._folder).free
        if free < ROOM:
            raise disk_full(
                f"only {free / 2**20:.0f} MiB are free for the index in {self._folder}, "
                f"it needs {ROOM / 2**20:.0f}"
            )

    def _update(self, name: str, operation: Any) -> None:
        self._call(lambda: self._shard(name).update(operation))

    def _call(self, action: Any) -> Any:
        try:
            with _panics_caught():
                return action()
        except LawfulError:
            raise
        except Exception as error:  # the engine raises nothing narrower
            if NO_SPACE in str(error):
                raise disk_full(f"the index in {self._folder}") from error
            raise BackendUnavailable(
                f"the index in {self._folder} failed: {error}; if it goes on, run `lawful "
                f"reindex`, which makes it anew from the catalogue"
            ) from error


def _unasked(request: models.QueryRequest, sole: str | None) -> models.QueryRequest:
    """Leave out the condition that a vector be this tenant's, where a query has it."""
    chosen = request.filter
    asked = models.FieldCondition(key=TENANT, match=models.MatchValue(value=sole)) if sole else None
    if asked is None or chosen is None or not isinstance(request.query, list):
        return request  # words weigh by whose they are
    must = chosen.must if isinstance(chosen.must, list) else []
    if asked not in must:
        return request
    left = chosen.model_copy(update={"must": [one for one in must if one != asked]})
    is_empty = not any(conditions for _, conditions in left)  # for which the engine has a short way
    return request.model_copy(update={"filter": None if is_empty else left})


def _tenant(hit: Any) -> str | None:
    said: str | None = (hit.payload or {}).get(TENANT)
    return said


@contextmanager
def _panics_caught() -> Iterator[None]:
    """Raise IndexDamaged where the engine gives up: its panics are no `Exception`."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise
        raise damaged(f"the engine gave up ({error})") from error


def _loaded(path: Path) -> Any:
    """Open a shard; one of an earlier version learns that a single deleted point counts."""
    config = json.loads((path / CONFIG).read_text(encoding="utf-8"))
    said = config.get("optimizers") or {}
    if {name: said.get(name) for name in VACUUM} != VACUUM:
        with written_whole(path / CONFIG) as new:
            new.write_text(json.dumps(config | {"optimizers": said | VACUUM}), encoding="utf-8")
    return edge.EdgeShard.load(str(path))


def _id_lists(path: Path) -> Iterator[Path]:
    """Return where the segments of a shard list the ids of their points, deleted ones too."""
    return path.glob("segments/*/*id_tracker.mappings")


def _log_files(path: Path) -> Iterator[Path]:
    return path.glob("wal/*")
