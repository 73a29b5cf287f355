"""Statements that read the classifier's statistics; `catalogue.sums` says what they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Integer, Select, cast, null, select, tuple_, union_all, update
from sqlalchemy.orm import Session

from attribution.arithmetic.classifier import ArtistSums, Statistics
from attribution.catalogue.models import (
    Artwork,
    ArtworkStatus,
    ClassifierAddition,
    ClassifierArtist,
    ClassifierShard,
    Embedding,
    KeptCollection,
)
from attribution.catalogue.nobody import nobody
from attribution.catalogue.sums import (
    additions,
    integers,
    part_of,
    rows_of,
    shards,
    works_of,
)
from attribution.types import Matrix

PAGE = 500  # artists read at once: 4 MB with 971 dimensions


class WorkKey(NamedTuple):
    """Where a work is among all, by artist: the columns of an index."""

    artist_id: UUID
    status: ArtworkStatus
    created_at: datetime
    id: UUID


class Stamp(NamedTuple):
    """Changes with every change of some statistics, and never comes back."""

    whole: tuple[object, ...]  # changes with everything but an addition of works
    added: tuple[UUID, ...]  # what was added since


@dataclass(frozen=True)
class KeptRows:
    """Vectors of some works: a row for each entry of `artists`, shape (works, width)."""

    last: WorkKey  # of the last work
    artists: list[UUID]
    rows: Matrix


def statistics_of(session: Session, fingerprint: str, width: int) -> Statistics:
    """Return the statistics of these encoders; raises BadInput for ones of another width."""
    found = products_of(session, fingerprint, width)
    wanted = _sums(fingerprint).execution_options(yield_per=PAGE)  # else all are in memory twice
    with session.execute(wanted) as rows:  # a cursor of the server's, closed whatever happens
        for artist, works, sums in rows:
            found.works[artist] = works
            found.sums[artist] = integers(sums)
    return found


def products_of(session: Session, fingerprint: str, width: int) -> Statistics:
    """Return Σ x xᵀ of these encoders alone; raises BadInput for ones of another width."""
    found = Statistics(width)
    for shard in session.scalars(shards(fingerprint)):
        found.merge(part_of(shard, width))
    found.add_products(works_of(session.execute(additions(fingerprint)), width))
    return found


def next_sums(
    session: Session, fingerprint: str, *, after: UUID | None, until: UUID | None
) -> list[ArtistSums]:
    """Return the next sums behind an artist, by id, to the last one before `until`."""
    wanted = _sums(fingerprint).order_by(ClassifierArtist.artist_id).limit(PAGE)
    if after is not None:
        wanted = wanted.where(ClassifierArtist.artist_id > after)
    if until is not None:
        wanted = wanted.where(ClassifierArtist.artist_id < until)
    return [ArtistSums(one, works, integers(sums)) for one, works, sums in session.execute(wanted)]


def _sums(fingerprint: str) -> Select[UUID, int, bytes]:
    return select(ClassifierArtist.artist_id, ClassifierArtist.works, ClassifierArtist.sums).where(
        ClassifierArtist.fingerprint == fingerprint
    )


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
    session: Session, fingerprint: str, *, after: WorkKey | None, limit: int
) -> KeptRows | None:
    """Return a page of what the statistics are made from, by artist; None at the end."""
    key = (Artwork.artist_id, Artwork.status, Artwork.created_at, Artwork.id)
    wanted = (
        select(*key, Embedding.vectors)
        .join(Embedding, Artwork.id == Embedding.artwork_id)
        .where(
            Embedding.fingerprint == fingerprint,
            # What `counted` says; by `==` SQLite would not see that the index is in this order.
            Artwork.status.between(ArtworkStatus.INDEXED, ArtworkStatus.INDEXED),
            Artwork.artist_id != nobody(),
        )
        .order_by(*key)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(tuple_(*key) > after)
    found = session.execute(wanted).all()
    if not found:
        return None
    rows = rows_of(session, fingerprint, (row.vectors for row in found))
    return KeptRows(WorkKey(*found[-1][:4]), [row.artist_id for row in found], rows)


def claim_mending(session: Session, fingerprint: str, seen: int) -> bool:
    """Take the right to mend the statistics as they were seen; false when another just did."""
    taken = session.execute(
        update(KeptCollection)
        .where(KeptCollection.fingerprint == fingerprint, KeptCollection.statistics == seen)
        .values(statistics=seen + 1)
        .returning(KeptCollection.name)
    ).all()
    return bool(taken)
