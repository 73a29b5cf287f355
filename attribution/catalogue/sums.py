"""The classifier's statistics, which are counted along with the works: how they are written.

Only `lifecycle` calls what writes here. The rule, kept by it in the transaction that changes a
work's state, its artist or its kept vectors: the statistics of some encoders are the sums over all
indexed works with kept vectors of these encoders; works by nobody in particular do not count.

Σ x xᵀ takes megabytes, so works that come are not added to it at once: a write leaves their vectors
in a row of its own (an addition) and waits for nobody; the writer that finds many of them folds
them in. Sums of integers add up in any order, so that changes no bit. A removal folds as well, or
the vectors of a work that is gone would stay in an addition.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Mapping, Sequence
from uuid import UUID, uuid4

import numpy as np
from sqlalchemy import ColumnElement, Row, Select, delete, func, select
from sqlalchemy.orm import Session

from attribution.arithmetic.classifier import Fixed, Integers, Statistics, fixed_point
from attribution.arithmetic.halves import unpacked
from attribution.catalogue.insert import IN_SQL, insert_new
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
from attribution.errors import BadInput
from attribution.types import Matrix, Vector

FOLDED = 2_048  # works in additions: a matrix of 4 MB is written once for them, 2 kB a work
ADDITIONS = 256  # that a lookup has to look at, where each has few works
NUMBER = np.dtype("<i8")
ADDED = np.dtype("<i4")


def counted() -> tuple[ColumnElement[bool], ...]:
    """Return which works count."""
    return Artwork.status == ArtworkStatus.INDEXED, Artwork.artist_id != nobody()


def count_vectors(
    session: Session, ids: Several[UUID], *, by: int, fingerprint: str | None = None
) -> None:
    """Add works to the statistics (`by` 1) or take them away (−1), by their kept vectors.

    Works that are not indexed or by nobody are left out: call it behind a change of state or artist
    that adds, before one that removes. Locks the works, so that their state stays as it was found.
    """
    for encoders, artists, rows in _counted(session, ids, fingerprint):
        if by > 0:
            add_works(session, encoders, artists, rows)
        else:
            change_statistics(session, encoders, Statistics.of(artists, rows), by=by)


def count_given(
    session: Session, fingerprint: str, vectors: Mapping[UUID, Mapping[str, Vector]]
) -> None:
    """Add works to the statistics by vectors that were just kept: they need not be read again.

    The works that `count_vectors` leaves out are left out here, and the others are locked.
    """
    if not vectors:
        return
    wanted = (
        select(Artwork.id, Artwork.artist_id)
        .where(Artwork.id.in_(vectors), *counted())
        .order_by(Artwork.id)
        .with_for_update()
    )
    found = session.execute(wanted).all()
    if not found:
        return
    voting = sorted(_collection(session, fingerprint).voting)
    rows = [np.stack([vectors[work][space] for work, _ in found]) for space in voting]
    artists = [artist for _, artist in found]
    add_works(session, fingerprint, artists, np.concatenate(rows, axis=1, dtype=np.float32))


def move_vectors(session: Session, ids: Several[UUID], artist_id: UUID) -> None:
    """Count works for another artist: call it before their rows say so. Neither is nobody."""
    for encoders, artists, rows in _counted(session, ids, None):
        delta = Statistics.of([artist_id] * len(artists), rows)
        delta.merge(Statistics.of(artists, rows), by=-1)
        change_statistics(session, encoders, delta, by=1)


def join_statistics(session: Session, artist_id: UUID, into: UUID) -> None:
    """Count all that is counted for an artist for another one; not a row of the first stays."""
    own = select(ClassifierArtist).where(ClassifierArtist.artist_id == artist_id)
    for row in session.scalars(own.order_by(ClassifierArtist.fingerprint)).all():
        sums = integers(row.sums)
        delta = Statistics(len(sums))
        delta.works = {artist_id: -row.works, into: row.works}
        delta.sums = {artist_id: -sums, into: sums}
        change_statistics(session, row.fingerprint, delta, by=1)


def add_works(session: Session, fingerprint: str, artists: Sequence[UUID], rows: Matrix) -> None:
    """Add works, a row for each entry of `artists`, to the statistics of these encoders."""
    works, delta = fixed_point(rows), Statistics(rows.shape[1])
    delta.add_sums(artists, works)
    _change_artists(session, fingerprint, delta, by=1)
    packed = works.astype(ADDED).tobytes()
    session.add(ClassifierAddition(fingerprint=fingerprint, works=len(works), vectors=packed))
    session.flush()
    if _are_many(session, fingerprint):
        whole = _locked_shards(session, fingerprint)
        if _are_many(session, fingerprint):  # no other writer has just folded them
            _fold(session, whole, Statistics(delta.width), by=1)


def change_statistics(session: Session, fingerprint: str, delta: Statistics, *, by: int) -> None:
    """Add a difference to the statistics of these encoders, or take it away."""
    _change_artists(session, fingerprint, delta, by=by)
    _fold(session, _locked_shards(session, fingerprint), delta, by=by)


def _change_artists(session: Session, fingerprint: str, delta: Statistics, *, by: int) -> None:
    for artist, row in _locked(session, fingerprint, delta).items():
        row.works += by * delta.works[artist]
        total = integers(row.sums) + by * delta.sums[artist]
        row.sums = _packed(total)
        if not row.works and not total.any():
            session.delete(row)


def _fold(
    session: Session, whole: Sequence[ClassifierShard], delta: Statistics, *, by: int
) -> None:
    """Make one shard of all of them, of all additions, and of a difference."""
    first, *rest = whole
    part = part_of(first, delta.width)
    for shard in rest:
        part.merge(part_of(shard, delta.width))
        session.delete(shard)
    added = session.execute(additions(first.fingerprint).with_for_update()).all()
    part.add_products(works_of(added, delta.width))
    gone = ClassifierAddition.id.in_([row.id for row in added])
    session.execute(delete(ClassifierAddition).where(gone), execution_options=IN_SQL)
    part.merge(delta, by=by)
    first.gram, first.stamp = _packed(part.gram), uuid4()
    session.flush()


def _are_many(session: Session, fingerprint: str) -> bool:
    """Return whether so much waits in additions that it is worth writing the matrix."""
    waiting = select(func.count(), func.coalesce(func.sum(ClassifierAddition.works), 0))
    added, works = session.execute(
        waiting.where(ClassifierAddition.fingerprint == fingerprint)
    ).one()
    return added >= ADDITIONS or works >= FOLDED


def _counted(
    session: Session, ids: Several[UUID], fingerprint: str | None
) -> Iterator[tuple[str, list[UUID], Matrix]]:
    """Yield the artists and vectors of those of these works that count, by encoders."""
    wanted = (
        select(Embedding.fingerprint, Artwork.artist_id, Embedding.vectors)
        .join(Artwork, Artwork.id == Embedding.artwork_id)
        .where(Artwork.id.in_(ids), *counted())
        .order_by(Artwork.id)
        .with_for_update(of=Artwork)
    )
    if fingerprint is not None:
        wanted = wanted.where(Embedding.fingerprint == fingerprint)
    found: dict[str, list[tuple[UUID, bytes]]] = defaultdict(list)
    for encoders, artist, data in session.execute(wanted):
        found[encoders].append((artist, data))
    for encoders, works in sorted(found.items()):
        rows = rows_of(session, encoders, (data for _, data in works))
        yield encoders, [artist for artist, _ in works], rows


def _locked(session: Session, fingerprint: str, delta: Statistics) -> dict[UUID, ClassifierArtist]:
    """Return the locked rows of the artists of a difference, made where there are none."""
    wanted = (
        select(ClassifierArtist)
        .where(
            ClassifierArtist.fingerprint == fingerprint,
            ClassifierArtist.artist_id.in_(list(delta.works)),
        )
        .order_by(ClassifierArtist.artist_id)  # one order of locks for all
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    zeros = _packed(np.zeros(delta.width, np.int64))
    while True:  # another writer may delete a row between our insert and our look
        rows = {row.artist_id: row for row in session.scalars(wanted)}
        missing = sorted(delta.works.keys() - rows.keys())
        if not missing:
            return rows
        new = {"fingerprint": fingerprint, "works": 0, "sums": zeros}
        insert_new(session, ClassifierArtist, [new | {"artist_id": one} for one in missing])


def _locked_shards(session: Session, fingerprint: str) -> Sequence[ClassifierShard]:
    """Return the locked rows of Σ x xᵀ; one is made where there is none."""
    wanted = shards(fingerprint).with_for_update()
    while not (found := session.scalars(wanted).all()):
        new = {"fingerprint": fingerprint, "number": 0, "stamp": uuid4(), "gram": b""}
        insert_new(session, ClassifierShard, [new])
    return found


def part_of(shard: ClassifierShard, width: int) -> Statistics:
    """Return the part of Σ x xᵀ in a shard; raises BadInput for one of another width."""
    part = Statistics(width)
    if len(shard.gram) not in (0, part.gram.nbytes):
        raise BadInput(
            f"the classifier's statistics {shard.fingerprint[:12]} are not of {width} dimensions; "
            f"they belong to other encoders"
        )
    if shard.gram:
        part.gram = integers(shard.gram)
    return part


def shards(fingerprint: str) -> Select[ClassifierShard]:
    """Return the statement that reads Σ x xᵀ, in the order of its locks."""
    return (
        select(ClassifierShard)
        .where(ClassifierShard.fingerprint == fingerprint)
        .order_by(ClassifierShard.number)
        .execution_options(populate_existing=True)
    )


def additions(fingerprint: str) -> Select[UUID, int, bytes]:
    """Return the statement that reads what Σ x xᵀ lacks."""
    return select(
        ClassifierAddition.id, ClassifierAddition.works, ClassifierAddition.vectors
    ).where(ClassifierAddition.fingerprint == fingerprint)


def works_of(added: Iterable[Row[UUID, int, bytes]], width: int) -> Fixed:
    """Return the works of additions in fixed point, shape (works, width).

    Raises BadInput for ones of another width.
    """
    packed = []
    for _, works, vectors in added:
        if len(vectors) != works * width * ADDED.itemsize:
            raise BadInput(
                f"works that were added to the classifier are not of {width} dimensions; "
                f"they belong to other encoders"
            )
        packed.append(vectors)
    return np.frombuffer(b"".join(packed), ADDED).astype(np.int32).reshape(-1, width)


def rows_of(session: Session, fingerprint: str, data: Iterable[bytes]) -> Matrix:
    """Return what counts of packed vectors, a work a row: the spaces that vote, by name."""
    row = _collection(session, fingerprint)
    spaces = sorted(row.dims)
    widths = [row.dims[space] for space in spaces]
    voting = [number for number, space in enumerate(spaces) if space in row.voting]
    works = []
    for one in data:
        vectors = unpacked(one, widths)
        works.append(np.concatenate([vectors[number] for number in voting]))
    return np.stack(works) if works else np.zeros((0, sum(row.voting.values())), np.float32)


def _collection(session: Session, fingerprint: str) -> KeptCollection:
    wanted = select(KeptCollection).where(KeptCollection.fingerprint == fingerprint)
    return session.scalars(wanted).one()


def integers(data: bytes) -> Integers:
    """Return packed integers as numbers."""
    return np.frombuffer(data, NUMBER).astype(np.int64)


def _packed(numbers: Integers) -> bytes:
    return numbers.astype(NUMBER).tobytes()
