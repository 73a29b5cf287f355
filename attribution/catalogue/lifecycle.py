"""The life of a work: the only writers of its state, of its artist, and of what is counted along.

A work comes as pending and becomes indexed, blank or failed; it may be lost, withdrawn, taken in
again, or change hands. Each step changes, in one transaction, the state of the work, the number of
works of its artist (`Artist.works`), the classifier's statistics (`sums`) and what the tenant holds
(`Tenant.held_works`), which would contradict each other if anybody else wrote one of them. Locks
are taken in one order by all: works, artists, statistics, tenants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.arithmetic.classifier import Statistics
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    ClassifierAddition,
    ClassifierArtist,
    ClassifierShard,
    Tenant,
)
from attribution.catalogue.sums import (
    change_statistics,
    count_vectors,
    join_statistics,
    move_vectors,
)

UNSETTLED = (ArtworkStatus.PENDING, ArtworkStatus.FAILED)
FILE_BYTES = func.coalesce(Artwork.facts["bytes"].as_integer(), 0)


def become_indexed(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Note that works can be found now; returns those that could not be found before.

    Withdrawn ones stay withdrawn.
    """
    fresh = session.execute(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status.in_(UNSETTLED))
        .values(status=ArtworkStatus.INDEXED, reason=None, indexed_at=now())
        .returning(Artwork.id, Artwork.artist_id)
    ).all()
    _count_works(session, [artist for _, artist in fresh], 1)
    works = {work for work, _ in fresh}
    count_vectors(session, works, by=1)
    return works


def become_blank(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Note that works show nothing and are never found; returns those that are new.

    Withdrawn ones stay withdrawn.
    """
    fresh = session.scalars(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status.in_(UNSETTLED))
        .values(status=ArtworkStatus.BLANK, reason=None)
        .returning(Artwork.id)
    )
    return set(fresh)


def become_failed(session: Session, ids: Collection[UUID], reason: str) -> None:
    """Note why works that were pending cannot be found."""
    session.execute(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.PENDING)
        .values(status=ArtworkStatus.FAILED, reason=reason)
    )


def become_lost(session: Session, ids: Collection[UUID], reason: str) -> None:
    """Note why works that could be found cannot be any more."""
    count_vectors(session, ids, by=-1)
    gone = session.scalars(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED)
        .values(status=ArtworkStatus.FAILED, reason=reason, indexed_at=None)
        .returning(Artwork.artist_id)
    ).all()
    _count_works(session, gone, -1)


def become_withdrawn(
    session: Session, ids: Collection[UUID], reason: str, at: datetime
) -> list[UUID]:
    """Note that works are withdrawn, in whatever state they were; returns those that were not."""
    indexed = session.scalars(
        select(Artwork.artist_id)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED)
        .with_for_update()
    ).all()
    _count_works(session, indexed, -1)
    count_vectors(session, ids, by=-1)
    gone = session.execute(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status != ArtworkStatus.WITHDRAWN)
        .values(status=ArtworkStatus.WITHDRAWN, reason=reason, withdrawn_at=at)
        .returning(Artwork.id, FILE_BYTES)
    ).all()
    count_held(session, works=-len(gone), size=-sum(size for _, size in gone))
    return [work for work, _ in gone]


def become_pending(session: Session, artists: Mapping[UUID, UUID]) -> set[UUID]:
    """Take withdrawn works in again (work -> artist), to be indexed; returns which they were."""
    back = session.scalars(
        update(Artwork)
        .where(Artwork.id.in_(artists), Artwork.status == ArtworkStatus.WITHDRAWN)
        .values(status=ArtworkStatus.PENDING, reason=None, withdrawn_at=None)
        .returning(Artwork.id)
    )
    works = set(back)
    for work in sorted(works):  # a pending work is counted nowhere
        session.execute(update(Artwork).where(Artwork.id == work).values(artist_id=artists[work]))
    return works


def count_held(session: Session, *, works: int, size: int) -> None:
    """Add works that came or went, and the bytes of their files, to what the tenant holds."""
    if works or size:
        session.execute(
            update(Tenant)
            .where(Tenant.name == tenants.current())
            .values(held_works=Tenant.held_works + works, held_bytes=Tenant.held_bytes + size),
            execution_options=IN_SQL,
        )


def recount_held(session: Session) -> None:
    """Count anew what the tenant holds."""
    # Locked first: who brings a work counts it after, so it is seen here or added later.
    name = tenants.current()
    tenant = session.get_one(Tenant, name, with_for_update=True, populate_existing=True)
    held = select(func.count(), func.coalesce(func.sum(FILE_BYTES), 0))
    is_held = Artwork.status != ArtworkStatus.WITHDRAWN
    tenant.held_works, tenant.held_bytes = session.execute(held.where(is_held)).one()


def change_hands(session: Session, ids: Sequence[UUID], old: Artist, new: Artist) -> None:
    """Give works of an artist to another one; what is not `old`'s stays where it is.

    Works and artists are locked by the caller. For nobody no statistics are counted.
    """
    if new.is_nobody:
        count_vectors(session, ids, by=-1)
    elif not old.is_nobody:
        move_vectors(session, ids, new.id)
    given = session.scalars(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.artist_id == old.id)
        .values(artist_id=new.id)
        .returning(Artwork.status),
        execution_options=IN_SQL,
    ).all()
    count = given.count(ArtworkStatus.INDEXED)
    old.works -= count
    new.works += count
    session.flush()
    if old.is_nobody:
        count_vectors(session, ids, by=1)


def join_hands(session: Session, gone: Artist, into: Artist) -> None:
    """Give all works of an artist to another one; neither is nobody. No vector has to be read."""
    join_statistics(session, gone.id, into.id)
    theirs = update(Artwork).where(Artwork.artist_id == gone.id).values(artist_id=into.id)
    session.execute(theirs, execution_options=IN_SQL)
    into.works += gone.works
    gone.works = 0
    session.flush()


def count_kept(session: Session, ids: Collection[UUID], fingerprint: str) -> None:
    """Count works whose vectors of these encoders were just kept."""
    count_vectors(session, ids, by=1, fingerprint=fingerprint)


def recount(session: Session, sizes: Mapping[UUID, int]) -> None:
    """Set the number of works of artists."""
    for artist, works in sorted(sizes.items()):
        session.execute(update(Artist).where(Artist.id == artist).values(works=works))


def mend_statistics(session: Session, fingerprint: str, missing: Statistics) -> None:
    """Add what a comparison with a rebuild has found to be missing."""
    change_statistics(session, fingerprint, missing, by=1)


def forget_statistics(session: Session, fingerprint: str) -> None:
    """Delete the statistics of these encoders."""
    for table in (ClassifierArtist, ClassifierShard, ClassifierAddition):
        session.execute(delete(table).where(table.fingerprint == fingerprint))


def _count_works(session: Session, artist_ids: Collection[UUID], by: int) -> None:
    """Add to the number of works of artists, once for each time that one is listed."""
    for artist, times in sorted(Counter(artist_ids).items()):  # one order of locks for all
        session.execute(
            update(Artist).where(Artist.id == artist).values(works=Artist.works + by * times)
        )
