"""Statements about declared non-copies; who declared them, and why, stands in the changes."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload

from attribution.catalogue.chain import forget
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import Artwork, Change, ChangeKind, NonCopy
from attribution.catalogue.queries.changes import Origin, new_change
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalogue.sealed import NON_COPY
from attribution.errors import Hint, NotFound, Way


def declare_non_copy(
    session: Session,
    work: Artwork,
    origin: Origin,
    *,
    sha256: str,
    phash: str,
    until: datetime | None,
) -> UUID:
    """Note that a person has looked: this image is no copy of this work; returns the id."""
    said = {"image_sha256": sha256} | ({"until": until.isoformat()} if until else {})
    change = _recorded(session, ChangeKind.DECLARE, work.artist_id, work.id, origin, said)
    row = NonCopy(id=change.id, artwork_id=work.id, image_sha256=sha256, image_phash=phash)
    row.until = until
    session.add(row)
    session.flush()
    return row.id


def revoke_non_copy(session: Session, row: NonCopy, origin: Origin) -> None:
    """Note that a declaration does not hold any more."""
    artist = row.declared.artist_id
    change = _recorded(session, ChangeKind.REVOKE, artist, row.artwork_id, origin, {})
    change.undoes_id = row.id
    session.flush()


def non_copies_in_force(session: Session, works: Collection[UUID]) -> dict[UUID, list[NonCopy]]:
    """Return the images that are declared no copies of these works, by work."""
    found: dict[UUID, list[NonCopy]] = {}
    wanted = select(NonCopy).where(NonCopy.artwork_id.in_(works), _in_force(is_so=True))
    for row in session.scalars(wanted.order_by(NonCopy.id)):
        found.setdefault(row.artwork_id, []).append(row)
    return found


def non_copies_by_id(session: Session, ids: Collection[UUID]) -> dict[UUID, NonCopy]:
    """Return declarations as they are now, with their changes and their works."""
    wanted = _whole().where(NonCopy.id.in_(ids)).execution_options(populate_existing=True)
    return {row.id: row for row in session.scalars(wanted)}


def non_copy_by_id(session: Session, non_copy_id: UUID) -> NonCopy:
    """Return one declaration as `non_copies_by_id` does; raises NotFound."""
    row = non_copies_by_id(session, [non_copy_id]).get(non_copy_id)
    if row is None:
        raise NotFound(f"no declared non-copy {non_copy_id}", hint=Hint(Way.LIST_NON_COPIES))
    return row


def list_non_copies(
    session: Session,
    *,
    artwork_id: UUID | None = None,
    in_force: bool | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[NonCopy]:
    """Return a page of declarations, the newest first: of one work, in force or not, or all."""
    key = tuple_(Change.made_at, Change.id)
    wanted = _whole().order_by(Change.made_at.desc(), Change.id.desc())
    if artwork_id is not None:
        wanted = wanted.where(NonCopy.artwork_id == artwork_id)
    if in_force is not None:
        wanted = wanted.where(_in_force(is_so=in_force))
    if cursor is not None:
        wanted = wanted.where(key < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.declared.made_at, row.id))


def forget_non_copies(session: Session, ids: Collection[UUID], receipt: UUID) -> int:
    """Delete what was declared about these works, and of their files; returns how many there were.

    A declaration about another work has the likeness of the file that is no copy of it, and its
    reason may speak of it.
    """
    files = select(Artwork.sha256).where(Artwork.id.in_(ids))
    about = NonCopy.artwork_id.in_(ids) | NonCopy.image_sha256.in_(files)
    gone = session.scalars(select(NonCopy.id).where(about)).all()
    record = Change.id.in_(gone) | Change.undoes_id.in_(gone)
    forget(session, Change, record, ["reason", "before", "after", NON_COPY], receipt)
    session.execute(delete(NonCopy).where(NonCopy.id.in_(gone)), execution_options=IN_SQL)
    session.execute(
        update(Change).where(record).values(reason=None, before={}, after={}),
        execution_options=IN_SQL,
    )
    return len(gone)


def _recorded(
    session: Session,
    kind: ChangeKind,
    artist_id: UUID,
    artwork_id: UUID,
    origin: Origin,
    said: dict[str, str],
) -> Change:
    """Record a change that the index need not follow."""
    change = new_change(kind, artist_id, origin, {}, said)
    change.artwork_id, change.completed_at = artwork_id, now()
    session.add(change)
    session.flush()
    return change


def _in_force(*, is_so: bool) -> ColumnElement[bool]:
    revoking = aliased(Change)
    is_revoked = exists().where(revoking.undoes_id == NonCopy.id)
    goes_on = or_(NonCopy.until.is_(None), NonCopy.until > now())
    declaring = aliased(Change)
    is_declared = exists().where(declaring.id == NonCopy.id, declaring.kind == ChangeKind.DECLARE)
    return is_declared & ~is_revoked & goes_on if is_so else is_revoked | ~goes_on


def _whole() -> Select[NonCopy]:
    return (
        select(NonCopy)
        .join(Change, Change.id == NonCopy.id)
        .options(
            contains_eager(NonCopy.declared).joinedload(Change.undone_by),
            joinedload(NonCopy.artwork, innerjoin=True).joinedload(Artwork.artist, innerjoin=True),
        )
    )
