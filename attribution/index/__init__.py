"""The vector index: our checks, fusion and grouping (`vector_index`) over one of two clients.

A folder is opened with Qdrant Edge, in process (`edge`); an address with qdrant-client (`server`).
`schema` says what a collection holds, for both; `owner` lets several processes share a folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from attribution.errors import BadInput

if TYPE_CHECKING:
    from attribution.index.edge import EdgeClient
    from attribution.index.server import ServerClient
    from attribution.index.vector_index import VectorIndex


@dataclass(frozen=True)
class ServerOptions:
    """What only a Qdrant server has; a folder has no use for it."""

    api_key: str | None = field(default=None, repr=False)
    timeout_s: int = 10  # of one request
    shards: int = 1  # of a new collection; cannot be changed later
    replicas: int = 1  # copies of every shard, of a new collection


DEFAULTS = ServerOptions()


def open_index(
    url: str, *, dims: Mapping[str, int], collection: str, server: ServerOptions = DEFAULTS
) -> VectorIndex:
    """Open a Qdrant server (http…) or a Qdrant Edge folder, and make the collection if it is new.

    `dims` gives the width of every named vector. Raises IndexLocked when another process owns the
    folder, BackendUnavailable when the engine does not answer, BadInput for another kind of URL.
    """
    from attribution.index.vector_index import VectorIndex

    client = _client(url, server)
    try:
        return VectorIndex(client, dims=dims, collection=collection)
    except BaseException:
        client.close()
        raise


def _client(url: str, server: ServerOptions) -> ServerClient | EdgeClient:
    if url.startswith(("http://", "https://")):
        from attribution.index.server import connect

        return connect(url, server)
    if "://" in url:
        raise BadInput(f"LAWFUL_QDRANT_URL={url}: give a folder, http://… or https://…")
    from attribution.index.edge import EdgeClient

    return EdgeClient(Path(url))
