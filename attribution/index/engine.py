"""The engine under `VectorIndex`, as it sees it: what a collection can be asked and told.

Both implementations, `edge.EdgeClient` in process and `server.ServerClient` over the network, speak
`qdrant_client.models`. A name may be an alias everywhere but in `delete_collection`. Every method
raises BackendUnavailable where the engine does not answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, runtime_checkable

from qdrant_client import models
from qdrant_client.http.models import QueryResponse

from attribution.index.markers import Markers


class Engine(Protocol):
    """Collections of points, each with named vectors and a payload."""

    def collection_exists(self, collection_name: str) -> bool:
        """Whether there is a collection that has this name or alias."""
        ...

    def create_collection(
        self,
        collection_name: str,
        *,
        vectors_config: Mapping[str, models.VectorParams],
        sparse_vectors_config: Mapping[str, models.SparseVectorParams],
    ) -> None:
        """Make a collection of named dense and sparse vectors."""
        ...

    def delete_collection(self, collection_name: str) -> None:
        """Delete a collection and its aliases."""
        ...

    def get_aliases(self) -> models.CollectionsAliasesResponse:
        """Return every alias with its collection."""
        ...

    def update_collection_aliases(
        self,
        change_aliases_operations: Sequence[
            models.DeleteAliasOperation | models.CreateAliasOperation
        ],
    ) -> None:
        """Delete and create aliases in one step."""
        ...

    def create_payload_index(
        self, collection_name: str, field_name: str, field_schema: models.PayloadSchemaParams
    ) -> None:
        """Index a payload field, so that filters may ask for it."""
        ...

    def indexed_fields(self, collection_name: str) -> Collection[str]:
        """Return the payload fields that have an index."""
        ...

    def upsert(self, collection_name: str, points: Sequence[models.PointStruct]) -> None:
        """Write points; returns when they can be read."""
        ...

    def delete(
        self, collection_name: str, points_selector: models.PointIdsList | models.FilterSelector
    ) -> None:
        """Delete points by id or by filter; unknown ids are no error."""
        ...

    def query_batch_points(
        self, collection_name: str, requests: Sequence[models.QueryRequest]
    ) -> list[QueryResponse]:
        """Run several queries as one batch, one answer each."""
        ...

    def retrieve(
        self, collection_name: str, ids: Sequence[str], *, with_vectors: bool = False
    ) -> list[models.Record]:
        """Return the points of these ids that exist, in any order."""
        ...

    def set_payload(
        self, collection_name: str, payload: Mapping[str, str], points: Sequence[str]
    ) -> None:
        """Write fields of the payload of some points beside what they have; returns when done."""
        ...

    def scroll(
        self,
        collection_name: str,
        *,
        limit: int,
        offset: str | None = None,
        scroll_filter: models.Filter | None = None,
    ) -> tuple[list[models.Record], str | None]:
        """Return points in the order of their ids from `offset` on, and where to go on."""
        ...

    def count(
        self, collection_name: str, count_filter: models.Filter | None = None
    ) -> models.CountResult:
        """Count points by the engine's own books: at once, and some twice while they are moved."""
        ...

    def check_version(self) -> None:
        """Raise LawfulError for an engine that is too old to keep our collections."""
        ...

    def close(self) -> None:
        """Release what is open."""
        ...


@runtime_checkable
class Embedded(Engine, Protocol):
    """An engine in process, which has to be told what a server does by itself."""

    def flush(self) -> None:
        """Write everything to disk."""
        ...

    def optimize(self) -> None:
        """Merge segments."""
        ...

    def scrub(self, collection_name: str, markers: Markers, *, rewrite: bool) -> int:
        """Write files anew that hold deleted points; return how many hold any of `markers` then."""
        ...
