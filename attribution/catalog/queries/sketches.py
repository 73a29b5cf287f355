"""Statements about what is kept of works to recognise their copies, and of declared non-copies.

Two 64-bit hashes that differ in at most 7 bits agree, in at least one of their four bands of 16,
up to a single bit. So 4 × 17 values of indexed columns find every work that near, and hardly any
other (multi-index hashing: Norouzi, Punjani & Fleet 2012).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, delete, func, select, tuple_
from sqlalchemy.orm import Session

from attribution.catalog.models import Artwork, ArtworkStatus, CopySketch, NonCopy
from attribution.catalog.queries.insert import insert_new
from attribution.types import WHOLE, Box, Part

BAND_BITS = 16
WITHIN_BITS = 7  # found for certain
MOST_OF_A_BAND = 500  # works of one band: blank pictures and clumps of a series end here
BANDS = (CopySketch.band_0, CopySketch.band_1, CopySketch.band_2, CopySketch.band_3)


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
            **{f"band_{number}": band for number, band in enumerate(_bands(kept.phash))},
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
            tuple_(CopySketch.artwork_id, CopySketch.part).in_(parts),
            Artwork.status == ArtworkStatus.INDEXED,
        )
    )
    return {
        Part(work, number): KeptSketch(phash, data, _box(box))
        for work, number, phash, data, box in session.execute(wanted)
    }


def parts_near_hash(session: Session, hashes: Collection[str], *, limit: int) -> list[Part]:
    """Return the parts of works within WITHIN_BITS of any of these hashes, the nearest first.

    In a clump of more than MOST_OF_A_BAND that agree in a band, only so many are looked at.
    """
    found: dict[Part, int] = {}
    numbers = [int(phash, 16) for phash in hashes]
    for number, column in enumerate(BANDS):
        values = {near for phash in hashes for near in _within_a_bit(_bands(phash)[number])}
        wanted = select(CopySketch.artwork_id, CopySketch.part, CopySketch.phash)
        rows = session.execute(wanted.where(column.in_(values)).limit(MOST_OF_A_BAND))
        for work, part, kept in rows:
            bits = min((int(kept, 16) ^ asked).bit_count() for asked in numbers)
            found[Part(work, part)] = bits
    near = [part for part, bits in found.items() if bits <= WITHIN_BITS]
    return sorted(near, key=lambda part: (found[part], part))[:limit]


def forget_sketches(session: Session, ids: Collection[UUID]) -> int:
    """Delete what is kept of these works and their parts; returns how many there were."""
    gone = delete(CopySketch).where(CopySketch.artwork_id.in_(ids)).returning(CopySketch.artwork_id)
    return len(session.execute(gone).all())


def works_without_sketch(session: Session, *, after: UUID | None, limit: int) -> list[Artwork]:
    """Return works that are to be found and of which no sketch is kept, in the order of ids."""
    wanted = _without_sketch(select(Artwork)).order_by(Artwork.id).limit(limit)
    if after is not None:
        wanted = wanted.where(Artwork.id > after)
    return list(session.scalars(wanted))


def without_sketch(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works that are to be found and of which no sketch is kept."""
    return set(session.scalars(_without_sketch(select(Artwork.id)).where(Artwork.id.in_(ids))))


def with_parts(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these works of which a part has a sketch."""
    wanted = select(CopySketch.artwork_id).where(
        CopySketch.artwork_id.in_(ids), CopySketch.part > 0
    )
    return set(session.scalars(wanted.distinct()))


def count_without_sketch(session: Session) -> int:
    """Count the works that are to be found and of which no sketch is kept."""
    return session.scalar(_without_sketch(select(func.count()).select_from(Artwork))) or 0


def declare_non_copy(session: Session, work: UUID, *, sha256: str, phash: str) -> None:
    """Note that a person has looked: this image is no copy of this work."""
    row = {"artwork_id": work, "image_sha256": sha256, "image_phash": phash}
    insert_new(session, NonCopy, [row])


def non_copies(session: Session, works: Iterable[UUID]) -> dict[UUID, list[NonCopy]]:
    """Return the images that were declared no copies of these works."""
    found: dict[UUID, list[NonCopy]] = {}
    for row in session.scalars(select(NonCopy).where(NonCopy.artwork_id.in_(list(works)))):
        found.setdefault(row.artwork_id, []).append(row)
    return found


def forget_non_copies(session: Session, ids: Collection[UUID]) -> int:
    """Delete what was declared about these works, and of their files; returns how many there were.

    A declaration about another work has the likeness of the file that is no copy of it.
    """
    files = select(Artwork.sha256).where(Artwork.id.in_(ids))
    about = NonCopy.artwork_id.in_(ids) | NonCopy.image_sha256.in_(files)
    return len(session.execute(delete(NonCopy).where(about).returning(NonCopy.artwork_id)).all())


def _without_sketch(wanted: Select[Any]) -> Select[Any]:
    own = and_(CopySketch.artwork_id == Artwork.id, CopySketch.part == 0)
    return wanted.outerjoin(CopySketch, own).where(
        Artwork.status == ArtworkStatus.INDEXED, CopySketch.artwork_id.is_(None)
    )


def _box(kept: list[float]) -> Box:
    left, top, right, bottom = kept
    return left, top, right, bottom


def _bands(phash: str) -> list[int]:
    digits = BAND_BITS // 4
    return [int(phash[at : at + digits], 16) for at in range(0, len(phash), digits)]


def _within_a_bit(band: int) -> set[int]:
    return {band, *(band ^ (1 << bit) for bit in range(BAND_BITS))}
