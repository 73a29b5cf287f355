"""Declared non-copies: a person has looked, and says that an image is no copy of a work.

From then on the copy lane is silent about the pair, and every answer that this changes says so. A
declaration has somebody who made it, a reason, perhaps an end; it can be revoked, and stands with
its revoking in the record of changes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Artwork, ArtworkStatus, NonCopy, NonCopyState
from attribution.catalogue.names import visible
from attribution.catalogue.queries import Origin
from attribution.collection import Stores
from attribution.errors import BadInput, Conflict, Hint, NotFound, Way
from attribution.images import ImageFacts

LONGEST_NAME = 200  # characters
LONGEST_REASON = 2_000


def declare(
    stores: Stores,
    facts: ImageFacts,
    work_id: UUID,
    origin: Origin,
    *,
    until: datetime | None = None,
) -> NonCopy:
    """Declare that an image is no copy of a work, for good or until a time to come.

    Raises NotFound for a work that is not to be found, BadInput without a name or a reason,
    Conflict when bytes or pixels are the same, which is no matter of judgement, and for a pair that
    is declared already.
    """
    origin = _stated(origin)
    if until is not None and until <= now():
        raise BadInput(f"the declaration would be over: {until:%Y-%m-%d %H:%M UTC} has passed")
    with stores.sessions.begin() as session:
        work = _work(session, work_id)
        _check_differs(work, facts)
        _check_new(session, work_id, facts.sha256)
        row_id = queries.declare_non_copy(
            session, work, origin, sha256=facts.sha256, phash=facts.phash, until=until
        )
        return queries.non_copy_by_id(session, row_id)


def revoke(stores: Stores, non_copy_id: UUID, origin: Origin) -> NonCopy:
    """Revoke a declaration: the pair may be found again.

    Raises NotFound, BadInput without a name or a reason, Conflict for one that is not in force.
    """
    origin = _stated(origin)
    with stores.sessions.begin() as session:
        row = queries.non_copy_by_id(session, non_copy_id)
        queries.works_to_change(session, [row.artwork_id])  # nobody revokes it meanwhile
        row = queries.non_copy_by_id(session, non_copy_id)
        if row.revoked:
            raise Conflict(
                f"declaration {row.id} was revoked on {row.revoked.made_at:%Y-%m-%d} by "
                f"{row.revoked.by}"
            )
        if row.state is NonCopyState.OVER:
            raise Conflict(f"declaration {row.id} is over since {row.until:%Y-%m-%d %H:%M UTC}")
        queries.revoke_non_copy(session, row, origin)
        return queries.non_copy_by_id(session, non_copy_id)


def _work(session: Session, work_id: UUID) -> Artwork:
    """Return a work that can be found, locked; raises NotFound."""
    queries.artwork_by_id(session, work_id)
    work = queries.works_to_change(session, [work_id])[work_id]
    if work.status is not ArtworkStatus.INDEXED:
        raise NotFound(f"artwork {work_id} is {work.status.value}: no image is called a copy of it")
    return work


def _check_differs(work: Artwork, facts: ImageFacts) -> None:
    if facts.sha256 == work.sha256 or facts.pixel_sha256 == work.pixel_sha256:
        raise Conflict(
            f"the image has the very pixels of artwork {work.id}; if the work should not be found, "
            f"withdraw it",
            hint=Hint(Way.WITHDRAW, (work.id,)),
        )


def _check_new(session: Session, work_id: UUID, sha256: str) -> None:
    for row in queries.non_copies_in_force(session, [work_id]).get(work_id, ()):
        if row.image_sha256 == sha256:
            raise Conflict(
                f"the pair is declared already, by declaration {row.id}; to say it otherwise, "
                f"revoke that one first"
            )


def _stated(origin: Origin) -> Origin:
    """Return who says what and why, tidied; raises BadInput where either is missing or too long."""
    said = replace(origin, by=visible(origin.by or ""), reason=visible(origin.reason or ""))
    for what, text, longest in (
        ("name of whoever says so", said.by, LONGEST_NAME),
        ("reason", said.reason, LONGEST_REASON),
    ):
        if not text:
            raise BadInput(f"the {what} is empty; later answers repeat it, so it has to be given")
        if len(text) > longest:
            raise BadInput(f"the {what} has {len(text)} characters; give at most {longest}")
    return said
