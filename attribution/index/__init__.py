"""The vector index: our checks, fusion and grouping (`vector_index`) over an `engine`.

A folder is opened with Qdrant Edge, in process (`edge`); an address with qdrant-client (`server`).
`schema` says what a collection holds, for both; `owner` lets several processes share a folder;
`replacement` puts one collection in the place of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from attribution.errors import BadInput

if TYPE_CHECKING:
    from attribution.index.engine import Engine
    from attribution.index.vector_index import VectorIndex


@dataclass(frozen=True)
class ServerOptions:
    """What only a Qdrant server has; a folder has no use for it."""

    api_key: str | None = field(default=None, repr=False)
    timeout_s: int = 10  # of one request
    grpc_port: int | None = None  # through which points are written; None: as all else
    shards: int = 1  # of a new collection; cannot be changed later
    replicas: int = 1  # copies of every shard, of a new collection


DEFAULTS = ServerOptions()


def open_index(
    url: str,
    *,
    dims: Mapping[str, int],
    parts: str | None = None,
    collection: str,
    server: ServerOptions = DEFAULTS,
) -> VectorIndex:
    """Open a Qdrant server (http…) or a Qdrant Edge folder, and make the collection if it is new.

    `dims` gives the width of every named vector, `parts` names the one by which parts of works are
    found; without it there are none. Raises IndexLocked when another process owns the
    folder, BackendUnavailable when the engine does not answer, BadInput for another kind of URL.
    """
    from attribution.index.vector_index import VectorIndex

    with _engine(url, server) as engine:
        return VectorIndex(engine, dims=dims, parts=parts, collection=collection)


def open_next_to(
    url: str,
    *,
    dims: Mapping[str, int],
    parts: str | None = None,
    collection: str,
    server: ServerOptions = DEFAULTS,
) -> VectorIndex:
    """Begin an empty collection that is to take the place of another, which is left as it is.

    Raises like `open_index`, but for nothing that is wrong with the other one.
    """
    from attribution.index.vector_index import VectorIndex

    with _engine(url, server) as engine:
        return VectorIndex.next_to(engine, dims=dims, parts=parts, collection=collection)


@contextmanager
def _engine(url: str, server: ServerOptions) -> Iterator[Engine]:
    """Give the engine, closed again where something fails."""
    engine = _connected(url, server)
    try:
        engine.check_version()
        yield engine
    except BaseException:
        engine.close()
        raise


def _connected(url: str, server: ServerOptions) -> Engine:
    if url.startswith(("http://", "https://")):
        from attribution.index.server import connect

        return connect(url, server)
    if "://" in url:
        raise BadInput(f"LAWFUL_QDRANT_URL={url}: give a folder, http://… or https://…")
    from attribution.index.edge import EdgeClient

    return EdgeClient(Path(url))
