"""Statements that read the classifier's statistics; `catalogue.sums` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, cast, null, select, union_all, update
from sqlalchemy.orm import Session

from attribution.arithmetic.classifier import Statistics
from attribution.catalogue.models import (
    Artwork,
    ClassifierAddition,
    ClassifierArtist,
    ClassifierShard,
    Embedding,
    KeptCollection,
)
from attribution.catalogue.sums import (
    additions,
    counted,
    integers,
    part_of,
    rows_of,
    shards,
    works_of,
)
from attribution.types import Matrix

PAGE = 500  # artists read at once: 4 MB with 971 dimensions


class Stamp(NamedTuple):
    """Changes with every change of some statistics, and never comes back."""

    whole: tuple[object, ...]  # changes with everything but an addition of works
    added: tuple[UUID, ...]  # what was added since


@dataclass(frozen=True)
class KeptRows:
    """Vectors of some works: a row for each entry of `artists`, shape (works, width)."""

    last: UUID  # the last work
    artists: list[UUID]
    rows: Matrix


def statistics_of(session: Session, fingerprint: str, width: int) -> Statistics:
    """Return the statistics of these encoders; raises BadInput for ones of another width."""
    found = Statistics(width)
    for shard in session.scalars(shards(fingerprint)):
        found.merge(part_of(shard, width))
    found.add_products(works_of(session.execute(additions(fingerprint)), width))
    wanted = (
        select(ClassifierArtist.artist_id, ClassifierArtist.works, ClassifierArtist.sums)
        .where(ClassifierArtist.fingerprint == fingerprint)
        .execution_options(yield_per=PAGE)  # else all sums are in memory twice
    )
    with session.execute(wanted) as rows:  # a cursor of the server's, closed whatever happens
        for artist, works, sums in rows:
            found.works[artist] = works
            found.sums[artist] = integers(sums)
    return found


def artists_counted(session: Session, fingerprint: str) -> set[UUID]:
    """Return the artists who have works in the statistics of these encoders."""
    wanted = select(ClassifierArtist.artist_id)
    return set(session.scalars(wanted.where(ClassifierArtist.fingerprint == fingerprint)))


def times_mended(session: Session, fingerprint: str) -> int:
    """Return how often these statistics were made or mended; 0: they were never complete."""
    made = select(KeptCollection.statistics).where(KeptCollection.fingerprint == fingerprint)
    return session.scalar(made) or 0


def statistics_stamp(session: Session, fingerprint: str) -> Stamp | None:
    """Return the stamp of these statistics; None where they were never complete."""
    times = times_mended(session, fingerprint)
    if not times:
        return None
    shard = select(ClassifierShard.number.label("number"), ClassifierShard.stamp.label("stamp"))
    added = select(cast(null(), Integer), ClassifierAddition.id)
    both = union_all(
        shard.where(ClassifierShard.fingerprint == fingerprint),
        added.where(ClassifierAddition.fingerprint == fingerprint),
    )
    found: list[tuple[int | None, UUID]] = [
        (row.number, row.stamp) for row in session.execute(both.order_by("number", "stamp"))
    ]
    return Stamp(
        (times, *(row for row in found if row[0] is not None)),
        tuple(stamp for number, stamp in found if number is None),
    )


def kept_rows(
    session: Session, fingerprint: str, *, after: UUID | None, limit: int
) -> KeptRows | None:
    """Return a page of what the statistics are made from, by id of the work; None at the end."""
    wanted = (
        select(Embedding.artwork_id, Artwork.artist_id, Embedding.vectors)
        .join(Artwork, Artwork.id == Embedding.artwork_id)
        .where(Embedding.fingerprint == fingerprint, *counted())
        .order_by(Embedding.artwork_id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(Embedding.artwork_id > after)
    found = session.execute(wanted).all()
    if not found:
        return None
    rows = rows_of(session, fingerprint, (row[2] for row in found))
    return KeptRows(found[-1][0], [row[1] for row in found], rows)


def claim_mending(session: Session, fingerprint: str, seen: int) -> bool:
    """Take the right to mend the statistics as they were seen; false when another just did."""
    taken = session.execute(
        update(KeptCollection)
        .where(KeptCollection.fingerprint == fingerprint, KeptCollection.statistics == seen)
        .values(statistics=seen + 1)
        .returning(KeptCollection.name)
    ).all()
    return bool(taken)
