"""Statements that take the names of artists who have withdrawn out of lookup batches.

Batches keep names of files, and addresses. Nothing else of the catalogue is there but ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote
from uuid import UUID

from sqlalchemy import case, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import WIPED, LookupBatch, LookupItem, LookupOutcome
from attribution.catalogue.queries.forgetting import NAMES_ONE, naming


def wipe_lookups(session: Session, artist_id: UUID) -> int:
    """Wipe what lookup batches have that names an artist; returns of how many images and batches.

    Such an image that waits, or could be asked for again, is refused. Reads all batches once.
    """
    batches = list(_batches_naming(session, artist_id))
    for batch in batches:
        session.execute(
            update(LookupBatch).where(LookupBatch.id == batch).values(name=WIPED, error=None),
            execution_options=IN_SQL,
        )
    items = list(_items_naming(session, artist_id))
    may_wait = LookupItem.outcome.in_((LookupOutcome.PENDING, LookupOutcome.TIMED_OUT))
    for batch, position in items:
        session.execute(
            update(LookupItem)
            .where(LookupItem.batch_id == batch, LookupItem.position == position)
            .values(
                name=WIPED,
                fetched={},
                outcome=case((may_wait, LookupOutcome.REFUSED), else_=LookupItem.outcome),
                reason=case((LookupItem.attribution_id.is_(None), NAMES_ONE), else_=None),
            ),
            execution_options=IN_SQL,
        )
    return len(batches) + len(items)


def lookups_naming(session: Session, artist_id: UUID) -> int:
    """Count the lookup batches, and the images of batches, that have a name of an artist."""
    return sum(1 for _ in _batches_naming(session, artist_id)) + sum(
        1 for _ in _items_naming(session, artist_id)
    )


def _batches_naming(session: Session, artist_id: UUID) -> Iterator[UUID]:
    is_named = naming(session, artist_id)
    wanted = select(LookupBatch.id, LookupBatch.name, LookupBatch.error).order_by(LookupBatch.id)
    for batch, *texts in session.execute(wanted):
        if any(is_named(text) for text in texts if text):
            yield batch


def _items_naming(session: Session, artist_id: UUID) -> Iterator[tuple[UUID, int]]:
    is_named = naming(session, artist_id)
    wanted = select(
        *(LookupItem.batch_id, LookupItem.position),
        *(LookupItem.name, LookupItem.reason, LookupItem.fetched),
    ).order_by(LookupItem.batch_id, LookupItem.position)
    for batch, position, name, reason, fetched in session.execute(wanted):
        if any(is_named(unquote(text)) for text in (name, reason, fetched.get("url")) if text):
            yield batch, position
