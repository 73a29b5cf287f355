"""Statements that read the classifier's statistics; `catalogue.sums` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import select, update
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
    columns_of,
    counted,
    integers,
    part_of,
    rows_of,
    shards,
    works_of,
)
from attribution.types import Matrix


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
    added = session.execute(additions(fingerprint))
    found.add_products(works_of((vectors for _, vectors in added), width))
    wanted = select(ClassifierArtist).where(ClassifierArtist.fingerprint == fingerprint)
    for row in session.scalars(wanted):
        found.works[row.artist_id] = row.works
        found.sums[row.artist_id] = integers(row.sums)
    return found


def times_mended(session: Session, fingerprint: str) -> int:
    """Return how often these statistics were made or mended; 0: they were never complete."""
    made = select(KeptCollection.statistics).where(KeptCollection.fingerprint == fingerprint)
    return session.scalar(made) or 0


def statistics_stamp(session: Session, fingerprint: str) -> Stamp | None:
    """Return the stamp of these statistics; None where they were never complete."""
    times = times_mended(session, fingerprint)
    if not times:
        return None
    whole = select(ClassifierShard.number, ClassifierShard.stamp).where(
        ClassifierShard.fingerprint == fingerprint
    )
    stamps = session.execute(whole.order_by(ClassifierShard.number)).all()
    added = select(ClassifierAddition.id).where(ClassifierAddition.fingerprint == fingerprint)
    return Stamp(
        (times, *map(tuple, stamps)), tuple(session.scalars(added.order_by(ClassifierAddition.id)))
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
    rows = rows_of((row[2] for row in found), columns_of(session, fingerprint))
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
