"""The lookup of works, and drawn pictures, near a perceptual hash: exact within CERTAIN_BITS.

At any size. The 64 bits of a hash are dealt in turn into three thirds. If two hashes differ in at
most 5 bits, at least one third differs in at most one bit (multi-index hashing: Norouzi, Punjani &
Fleet 2012).
A third has 21 or 22 bits, so 67 values of indexed columns find every hash that near. Dealt in turn,
because neighbouring bits are neighbouring frequencies and say much the same: on clip art, thirds of
consecutive bits agree by chance five times as often.

SQL walks each index from one hash to the next greater one, so a hash that 100,000 works share
(blank scans, an icon) costs one step. Distances are computed here.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
from sqlalchemy import JSON, BigInteger, Select, bindparam, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.catalogue.models import CopySketch, DrawnPicture
from attribution.types import Part

CERTAIN_BITS = 5  # every hash this near is found
NEAR_BITS = 7  # farther ones up to here as they are met: 7 in 8 at 6 bits, 7 in 10 at 7

BITS = 64
THIRDS = (0x9249249249249249, 0x4924924924924924, 0x2492492492492492)  # every third bit

Hashed = type[CopySketch] | type[DrawnPicture]


def hash_columns(phash: str) -> dict[str, int]:
    """Return the columns of a hexadecimal hash by which `parts_near_hash` finds it."""
    bits = int(phash, 16)
    thirds = {f"third_{number}": _signed(bits & third) for number, third in enumerate(THIRDS)}
    return {"bits": _signed(bits), **thirds}


def parts_near_hash(session: Session, hashes: Collection[str], *, limit: int) -> list[Part]:
    """Return parts of works by their distance from the nearest of these hashes, nearest first.

    All within CERTAIN_BITS are considered, and others up to NEAR_BITS as far as they are met.
    Equally near ones come in the order of their hashes, those of one hash in the order of ids.
    """
    parts: list[Part] = []
    for bits in _near(session, CopySketch, hashes):
        if len(parts) == limit:
            break
        values = {"bits": bits, "third": bits & _signed(THIRDS[0]), "limit": limit - len(parts)}
        parts += [Part(*row) for row in session.execute(_PARTS, values)]
    return parts


def drawn_near_hash(session: Session, hashes: Collection[str], *, limit: int) -> list[DrawnPicture]:
    """Return pictures that were drawn, as `parts_near_hash` does parts."""
    found: list[DrawnPicture] = []
    for bits in _near(session, DrawnPicture, hashes):
        if len(found) == limit:
            break
        wanted = (
            select(DrawnPicture)
            .where(DrawnPicture.third_0 == bits & _signed(THIRDS[0]), DrawnPicture.bits == bits)
            .order_by(DrawnPicture.generation_id, DrawnPicture.number)
            .limit(limit - len(found))
        )
        found += session.scalars(wanted)
    return found


def _near(session: Session, kept: Hashed, hashes: Collection[str]) -> list[int]:
    """Return the hashes of a table that are near one of these, the nearest first."""
    asked = [int(phash, 16) for phash in hashes]
    met: set[int] = set()
    for third, walk in zip(THIRDS, _WALKS[kept], strict=True):
        probes = dict.fromkeys(_probes(asked, third))
        met.update(session.scalars(walk, {"probes": probes}))
    return _nearest(met, asked)


def _walk(kept: Hashed, third: InstrumentedAttribute[int]) -> Select[tuple[int]]:
    """Select every distinct hash of which a third is among the probes."""
    probes = func.json_each(bindparam("probes", type_=JSON)).table_valued("key")  # of both engines
    probe = cast(probes.c.key, BigInteger)
    first = select(func.min(kept.bits)).where(third == probe).scalar_subquery()
    walk = select(probe.label("third"), first.label("bits")).cte("walk", recursive=True)
    following = select(func.min(kept.bits)).where(third == walk.c.third, kept.bits > walk.c.bits)
    walk = walk.union_all(
        select(walk.c.third, following.scalar_subquery()).where(walk.c.bits.is_not(None))
    )
    return select(walk.c.bits).where(walk.c.bits.is_not(None))


def _walks(kept: Hashed) -> tuple[Select[tuple[int]], ...]:
    return tuple(_walk(kept, third) for third in (kept.third_0, kept.third_1, kept.third_2))


_WALKS: dict[Hashed, tuple[Select[tuple[int]], ...]] = {
    CopySketch: _walks(CopySketch),
    DrawnPicture: _walks(DrawnPicture),
}
_PARTS = (
    select(CopySketch.artwork_id, CopySketch.part)
    .where(CopySketch.third_0 == bindparam("third"), CopySketch.bits == bindparam("bits"))
    .order_by(CopySketch.artwork_id, CopySketch.part)
    .limit(bindparam("limit"))
)


def _probes(asked: Collection[int], third: int) -> list[int]:
    """Return the values of a third that are within a bit of that of a hash asked for."""
    flips = [0, *(1 << bit for bit in range(BITS) if third >> bit & 1)]
    return sorted({_signed(bits & third ^ flip) for bits in asked for flip in flips})


def _nearest(met: Collection[int], asked: Collection[int]) -> list[int]:
    """Return the hashes within NEAR_BITS, the nearest first, then in the order of hashes."""
    kept = np.sort(np.array(list(met), np.int64).view(np.uint64))
    distances: npt.NDArray[np.uint8] = np.bitwise_count(
        kept[:, None] ^ np.array(asked, np.uint64)
    ).min(axis=1, initial=BITS)
    order = np.argsort(distances, kind="stable")
    near = kept[order][distances[order] <= NEAR_BITS]
    return [int(bits) for bits in near.view(np.int64)]


def _signed(bits: int) -> int:
    """Return 64 bits as the signed integer that databases keep."""
    return bits - (1 << BITS) if bits >> (BITS - 1) else bits
