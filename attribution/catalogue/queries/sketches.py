"""Statements about what is kept of works to recognise their copies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, delete, select, tuple_
from sqlalchemy.orm import Session

from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import Artwork, ArtworkStatus, CopySketch
from attribution.catalogue.queries.near_hashes import hash_columns
from attribution.types import WHOLE, Box, Part


@dataclass(frozen=True)
class KeptSketch:
    """What is kept of one indexed work, or of a part of it."""

    phash: str
    data: bytes
    box: Box = WHOLE  # where the part lies in the work


def keep_sketches(session: Session, sketches: Mapping[Part, KeptSketch]) -> None:
    """Keep what copies of works are recognised by; what is kept already stays.

    Of works that are to be found alone, which it locks: nothing is kept of one that is withdrawn
    meanwhile.
    """
    works = {part.work for part in sketches}
    wanted = (
        select(Artwork.id)
        .where(Artwork.id.in_(works), Artwork.status == ArtworkStatus.INDEXED)
        .order_by(Artwork.id)
        .with_for_update()
    )
    found = set(session.scalars(wanted))
    rows = [
        {
            "artwork_id": part.work,
            "part": part.number,
            "box": list(kept.box),
            "phash": kept.phash,
            **hash_columns(kept.phash),
            "data": kept.data,
        }
        for part, kept in sorted(sketches.items())
        if part.work in found
    ]
    insert_new(session, CopySketch, rows)


def kept_sketches(session: Session, parts: Collection[Part]) -> dict[Part, KeptSketch]:
    """Return what is kept of those of these parts whose works are to be found."""
    own = CopySketch
    wanted = (
        select(own.artwork_id, own.part, own.phash, own.data, own.box)
        .join(Artwork, Artwork.id == CopySketch.artwork_id)
        .where(
            own.artwork_id.in_({part.work for part in parts}),  # SQLite reads all without that
            tuple_(own.artwork_id, own.part).in_(parts),
            Artwork.status == ArtworkStatus.INDEXED,
        )
    )
    return {
        Part(work, number): KeptSketch(phash, data, _box(box))
        for work, number, phash, data, box in session.execute(wanted)
    }


def forget_sketches(session: Session, ids: Collection[UUID]) -> int:
    """Delete what is kept of these works and their parts; returns how many there were."""
    gone = delete(CopySketch).where(CopySketch.artwork_id.in_(ids)).returning(CopySketch.artwork_id)
    return len(session.execute(gone).all())


def without_sketch(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works that are to be found and of which no sketch is kept."""
    own = and_(CopySketch.artwork_id == Artwork.id, CopySketch.part == 0)
    wanted = select(Artwork.id).outerjoin(CopySketch, own)
    is_bare = (Artwork.status == ArtworkStatus.INDEXED) & CopySketch.artwork_id.is_(None)
    return set(session.scalars(wanted.where(Artwork.id.in_(ids), is_bare)))


def with_parts(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works of which a part has a sketch."""
    wanted = select(CopySketch.artwork_id).where(
        CopySketch.artwork_id.in_(ids), CopySketch.part > 0
    )
    return set(session.scalars(wanted.distinct()))


def _box(kept: list[float]) -> Box:
    left, top, right, bottom = kept
    return left, top, right, bottom
