"""The life of a work: the only writers of its state, of its artist, and of what is counted along.

A work comes as pending and becomes indexed, blank or failed; it may be lost, withdrawn, taken in
again, or change hands. Each step changes, in one transaction, the state of the work, the number of
works of its artist (`Artist.works`), how many can be found in all (`Tally`), the classifier's
statistics (`sums`) and what the tenant holds (`Tenant.held_works`), which would contradict each
other if anybody else wrote one of them. Locks are taken in one order by all: works, artists,
statistics, tenants.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, delete, func, select, update
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
    Tally,
    Tenant,
)
from attribution.catalogue.nobody import nobody
from attribution.catalogue.sums import (
    change_statistics,
    count_given,
    count_vectors,
    join_statistics,
    move_vectors,
)
from attribution.types import Vector

FOLDED = 64  # rows of a tally that are added, on average, between two times it is folded
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
    had = _with_works(old, new)
    old.works -= count
    new.works += count
    session.flush()
    tally(session, works=0, artists=_with_works(old, new) - had)
    if old.is_nobody:
        count_vectors(session, ids, by=1)


def join_hands(session: Session, gone: Artist, into: Artist) -> None:
    """Give all works of an artist to another one; neither is nobody. No vector has to be read."""
    join_statistics(session, gone.id, into.id)
    theirs = update(Artwork).where(Artwork.artist_id == gone.id).values(artist_id=into.id)
    session.execute(theirs, execution_options=IN_SQL)
    had = _with_works(gone, into)
    into.works += gone.works
    gone.works = 0
    session.flush()
    tally(session, works=0, artists=_with_works(gone, into) - had)


def count_kept(
    session: Session, vectors: Mapping[UUID, Mapping[str, Vector]], fingerprint: str
) -> None:
    """Count works whose vectors of these encoders were just kept, as they were given."""
    count_given(session, fingerprint, vectors)


def recount(session: Session, ids: Collection[UUID]) -> None:
    """Count the works of artists again."""
    locked = select(Artist).where(Artist.id.in_(ids)).order_by(Artist.id).with_for_update()
    artists = session.scalars(locked, execution_options={"populate_existing": True}).all()
    counted = (  # behind the lock: what others change meanwhile they count after it
        select(Artwork.artist_id, func.count())
        .where(Artwork.artist_id.in_(ids), Artwork.status == ArtworkStatus.INDEXED)
        .group_by(Artwork.artist_id)
    )
    works = dict(session.execute(counted).all())
    for artist in artists:
        _count_works(session, [artist.id], works.get(artist.id, 0) - artist.works)


def tally(session: Session, *, works: int, artists: int) -> None:
    """Add to how many works and artists can be found, and fold the rows now and then.

    Rows that another transaction has in hand are left to it, so nobody waits.
    """
    if works or artists:
        session.add(Tally(works=works, artists=artists))
        session.flush()
    if secrets.randbelow(FOLDED):
        return
    free = select(Tally.id).with_for_update(skip_locked=True)
    gone = delete(Tally).where(Tally.id.in_(session.scalars(free).all()))
    rows = session.execute(
        gone.returning(Tally.works, Tally.artists), execution_options=IN_SQL
    ).all()
    whole = {name: sum(getattr(row, name) for row in rows) for name in ("works", "artists")}
    session.add(Tally(**whole))
    session.flush()


def mend_statistics(session: Session, fingerprint: str, missing: Statistics) -> None:
    """Add what a comparison with a rebuild has found to be missing."""
    change_statistics(session, fingerprint, missing, by=1)


def forget_statistics(session: Session, fingerprint: str) -> None:
    """Delete the statistics of these encoders."""
    for table in (ClassifierArtist, ClassifierShard, ClassifierAddition):
        session.execute(delete(table).where(table.fingerprint == fingerprint))


def _count_works(session: Session, artist_ids: Collection[UUID], by: int) -> None:
    """Add to the number of works of artists, once for each time that one is listed."""
    more = {artist: by * times for artist, times in sorted(Counter(artist_ids).items())}
    artists = 0
    if more:
        adding = (
            update(Artist)
            .where(Artist.id == bindparam("artist"))
            .values(works=Artist.works + bindparam("more"))
        )
        rows = [{"artist": one, "more": works} for one, works in more.items()]
        session.connection().execute(adding, rows)  # in one order of locks for all
        now_have = select(Artist.id, Artist.works).where(Artist.id.in_(more))
        artists = sum(
            (works > 0) - (works - more[artist] > 0)
            for artist, works in session.execute(now_have)
            if artist != nobody()
        )
    tally(session, works=by * len(artist_ids), artists=artists)


def _with_works(*artists: Artist) -> int:
    """Return how many of these artists have works that can be found."""
    return sum(one.works > 0 and not one.is_nobody for one in artists)
