"""What was withdrawn, beside the catalogue: so that a restored backup does not bring it back.

The file store has a small file for each withdrawal, by ids alone. A catalogue that was restored
from a backup of before lacks the newest of them, and `withdrawal.do_again` does them again.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, Withdrawal
from attribution.chunks import chunks
from attribution.collection import Stores
from attribution.files import Store

log = logging.getLogger(__name__)

LAST = 2  # months that are always compared: what is withdrawn before all was done again hides none
AT_ONCE = 1_000  # works in one statement


@dataclass(frozen=True)
class Lost:
    """A withdrawal that the catalogue knows nothing of, though it has what that is about."""

    receipt: UUID
    at: datetime
    artist_id: UUID
    artwork_id: UUID | None  # None: all works of the artist
    works: tuple[UUID, ...]
    is_known: bool  # the work, or the artist


def note_beside(store: Store, request: Withdrawal) -> None:
    """Write down what a request is about; again, it says the same."""
    said = {
        "at": request.requested_at.isoformat(),
        "artist": str(request.artist_id),
        "artwork": str(request.artwork_id) if request.artwork_id else None,
        "works": request.receipt["works"],
    }
    store.put_withdrawal(request.requested_at, request.id, json.dumps(said).encode())


def lost(stores: Stores) -> list[Lost]:
    """Return the withdrawals of the tenant that the file store has and the catalogue lacks.

    The oldest first. Back from the newest month as long as any are missing, LAST at least.
    """
    found: list[Lost] = []
    for number, month in enumerate(stores.store.months_of_withdrawals(), 1):
        receipts = stores.store.withdrawals(month)
        with stores.sessions() as session:
            missing = queries.unknown_withdrawals(session, receipts)
            for receipt in missing:
                data = stores.store.withdrawal(month, receipt)
                try:
                    found += _about(session, receipt, json.loads(data))
                except (ValueError, KeyError, TypeError, AttributeError):  # no JSON, or not ours
                    log.error(  # noqa: TRY400  what is wrong is in the file
                        "withdrawals/%s/%s.json cannot be read: withdraw again what its receipt "
                        "names, or put the file back from a copy",
                        month,
                        receipt,
                    )
        if number >= LAST and not missing:
            break
    return sorted(found, key=lambda one: one.at)


def live_works(session: Session, lost: Lost) -> list[UUID]:
    """Return which works of a withdrawal are there."""
    return [
        work
        for few in chunks(list(lost.works), AT_ONCE)
        for work, row in queries.artworks_by_id(session, few).items()
        if row.status is not ArtworkStatus.WITHDRAWN
    ]


def _about(session: Session, receipt: UUID, said: Mapping[str, Any]) -> Iterator[Lost]:
    """Yield a withdrawal if the catalogue has anything that it is about."""
    artist, work = UUID(said["artist"]), UUID(said["artwork"]) if said["artwork"] else None
    if work is None:
        is_known = bool(queries.artists_by_id(session, [artist]))
    else:
        rows = queries.artworks_by_id(session, [work])
        is_known = bool(rows)
        artist = rows[work].artist_id if rows else artist
    at, works = datetime.fromisoformat(said["at"]), tuple(map(UUID, said["works"]))
    one = Lost(receipt, at, artist, work, works, is_known)
    if is_known or live_works(session, one):
        yield one
