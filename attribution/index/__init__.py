"""The vector index: our schema, checks, fusion and grouping (`vector_index`) over a Qdrant client.

A folder is opened with Qdrant Edge, in process (`edge`); an address with qdrant-client.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution.index.vector_index import VectorIndex


def open_index(url: str, *, dims: Mapping[str, int], collection: str) -> VectorIndex:
    """Open a Qdrant server (http…) or a Qdrant Edge folder, and make the collection if it is new.

    `dims` gives the width of every named vector. Raises IndexLocked when another process owns the
    folder, BackendUnavailable when the engine does not answer.
    """
    from attribution.index.vector_index import VectorIndex

    if url.startswith(("http://", "https://")):
        from qdrant_client import QdrantClient

        return VectorIndex(QdrantClient(url=url), dims=dims, collection=collection)
    from attribution.index.edge import EdgeClient

    return VectorIndex(EdgeClient(Path(url)), dims=dims, collection=collection)
