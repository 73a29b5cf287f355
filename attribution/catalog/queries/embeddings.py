"""Statements about the kept vectors of works, from which an index can be made again exactly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from attribution.catalog.models import Embedding
from attribution.catalog.queries.calibrations import forget_calibration
from attribution.catalog.queries.insert import insert_new
from attribution.catalog.queries.statistics import count_vectors, forget_statistics
from attribution.types import Vector

NUMBER = np.dtype("<f4")


def keep_vectors(
    session: Session, fingerprint: str, vectors: Mapping[UUID, Mapping[str, Vector]]
) -> None:
    """Keep the named vectors of works; what is kept already stays.

    The classifier counts those that are new and belong to indexed works.
    """
    rows = [
        {"artwork_id": work, "fingerprint": fingerprint, "vectors": _packed(named)}
        for work, named in sorted(vectors.items())
    ]
    new = insert_new(session, Embedding, rows, returning=Embedding.artwork_id)
    count_vectors(session, new, by=1, fingerprint=fingerprint)


def kept_vectors(
    session: Session, fingerprint: str, ids: Collection[UUID], dims: Mapping[str, int]
) -> dict[UUID, dict[str, Vector]]:
    """Return the kept vectors of these works, without those that have none of these encoders."""
    wanted = select(Embedding.artwork_id, Embedding.vectors).where(
        Embedding.artwork_id.in_(ids), Embedding.fingerprint == fingerprint
    )
    return {work: _unpacked(data, dims) for work, data in session.execute(wanted)}


def forget_vectors(session: Session, ids: Collection[UUID]) -> int:
    """Delete the kept vectors of these works, of all encoders; returns how many there were."""
    gone = delete(Embedding).where(Embedding.artwork_id.in_(ids)).returning(Embedding.artwork_id)
    return len(session.execute(gone).all())


def forget_encoders(session: Session, fingerprint: str) -> None:
    """Delete everything that these encoders made."""
    session.execute(delete(Embedding).where(Embedding.fingerprint == fingerprint))
    forget_statistics(session, fingerprint)
    forget_calibration(session, fingerprint)


def _packed(named: Mapping[str, Vector]) -> bytes:
    return b"".join(named[name].astype(NUMBER).tobytes() for name in sorted(named))


def _unpacked(data: bytes, dims: Mapping[str, int]) -> dict[str, Vector]:
    numbers = np.frombuffer(data, NUMBER).astype(np.float32)
    names = sorted(dims)
    ends = np.cumsum([dims[name] for name in names])
    return dict(zip(names, np.split(numbers, ends[:-1]), strict=True))
