"""Statements about the kept vectors of works, from which an index can be made again exactly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

import numpy as np
from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.orm import Session

from attribution.arithmetic.halves import count, packed, packed_rows, unpacked
from attribution.catalogue.insert import insert_new
from attribution.catalogue.lifecycle import count_kept, forget_statistics
from attribution.catalogue.models import Artwork, ArtworkStatus, Embedding, PartVectors
from attribution.catalogue.queries.calibrations import forget_calibration
from attribution.types import Matrix, Vector


def keep_vectors(
    session: Session, fingerprint: str, vectors: Mapping[UUID, Mapping[str, Vector]]
) -> None:
    """Keep the named vectors of works; what is kept already stays.

    The classifier counts those that are new and belong to indexed works.
    """
    if not vectors:
        return
    works = sorted(vectors)
    spaces = [
        np.stack([vectors[work][name] for work in works]) for name in sorted(vectors[works[0]])
    ]
    rows = [
        {"artwork_id": work, "fingerprint": fingerprint, "vectors": data}
        for work, data in zip(works, packed_rows(spaces), strict=True)
    ]
    new = insert_new(session, Embedding, rows, returning=Embedding.artwork_id)
    count_kept(session, {work: vectors[work] for work in new}, fingerprint)


def kept_vectors(
    session: Session, fingerprint: str, ids: Collection[UUID], dims: Mapping[str, int]
) -> dict[UUID, dict[str, Vector]]:
    """Return the kept vectors of these works, without those that have none of these encoders."""
    wanted = select(Embedding.artwork_id, Embedding.vectors).where(
        Embedding.artwork_id.in_(ids), Embedding.fingerprint == fingerprint
    )
    return {work: _unpacked(data, dims) for work, data in session.execute(wanted)}


def without_vectors(session: Session, fingerprint: str, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works that are to be found and have no vectors of these encoders."""
    return set(session.scalars(_unencoded(fingerprint).where(Artwork.id.in_(ids))))


def count_without_vectors(session: Session, fingerprint: str) -> int:
    """Count the works that are to be found and have no vectors of these encoders."""
    return session.scalar(select(func.count()).select_from(_unencoded(fingerprint).subquery())) or 0


def with_any_vectors(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works that have vectors of any encoders."""
    return set(session.scalars(select(Embedding.artwork_id).where(Embedding.artwork_id.in_(ids))))


def _unencoded(fingerprint: str) -> Select[UUID]:
    has_any = exists().where(
        Embedding.artwork_id == Artwork.id, Embedding.fingerprint == fingerprint
    )
    return select(Artwork.id).where(Artwork.status == ArtworkStatus.INDEXED, ~has_any)


def forget_vectors(session: Session, ids: Collection[UUID]) -> int:
    """Delete the kept vectors of these works, of all encoders; returns how many there were."""
    gone = delete(Embedding).where(Embedding.artwork_id.in_(ids)).returning(Embedding.artwork_id)
    return len(session.execute(gone).all())


def keep_part_vectors(session: Session, fingerprint: str, vectors: Mapping[UUID, Matrix]) -> None:
    """Keep the vectors of the parts of works, one a row, from part 1 on; what is kept stays."""
    rows = [
        {
            "artwork_id": work,
            "fingerprint": fingerprint,
            "parts": len(parts),
            "vectors": packed(list(parts)),
        }
        for work, parts in sorted(vectors.items())
    ]
    insert_new(session, PartVectors, rows)


def kept_part_vectors(
    session: Session, fingerprint: str, ids: Collection[UUID]
) -> dict[UUID, Matrix]:
    """Return the kept vectors of the parts of those of these works that are to be found."""
    wanted = (
        select(PartVectors.artwork_id, PartVectors.parts, PartVectors.vectors)
        .join(Artwork, Artwork.id == PartVectors.artwork_id)
        .where(
            PartVectors.artwork_id.in_(ids),
            PartVectors.fingerprint == fingerprint,
            Artwork.status == ArtworkStatus.INDEXED,
        )
    )
    return {
        work: np.stack(unpacked(data, [count(data) // parts] * parts))
        for work, parts, data in session.execute(wanted)
    }


def numbers_of_parts(
    session: Session, fingerprint: str, works: Collection[UUID]
) -> dict[UUID, int]:
    """Return how many parts those of these works have that are to be found and have some."""
    wanted = (
        select(PartVectors.artwork_id, PartVectors.parts)
        .join(Artwork, Artwork.id == PartVectors.artwork_id)
        .where(
            PartVectors.artwork_id.in_(works),
            PartVectors.fingerprint == fingerprint,
            Artwork.status == ArtworkStatus.INDEXED,
        )
    )
    return dict(session.execute(wanted).all())


def forget_part_vectors(session: Session, ids: Collection[UUID]) -> int:
    """Delete the vectors of the parts of these works, of all encoders; returns of how many."""
    gone = delete(PartVectors).where(PartVectors.artwork_id.in_(ids))
    return len(session.execute(gone.returning(PartVectors.artwork_id)).all())


def forget_encoders(session: Session, fingerprint: str) -> None:
    """Delete everything that these encoders made."""
    session.execute(delete(Embedding).where(Embedding.fingerprint == fingerprint))
    session.execute(delete(PartVectors).where(PartVectors.fingerprint == fingerprint))
    forget_statistics(session, fingerprint)
    forget_calibration(session, fingerprint)


def _unpacked(data: bytes, dims: Mapping[str, int]) -> dict[str, Vector]:
    names = sorted(dims)
    return dict(zip(names, unpacked(data, [dims[name] for name in names]), strict=True))
