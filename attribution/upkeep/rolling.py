"""What is compared some at a time, and goes on from run to run.

Stored vectors with the kept ones, and records with the audit.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update

from attribution.catalogue import queries
from attribution.catalogue.chain import HEAD
from attribution.catalogue.models import AuditHead
from attribution.catalogue.verification import Findings, verify
from attribution.collection import Collection, Stores

SAMPLE = 2_000  # works compared in one run
AT_ONCE = 500
ENTRIES = 20_000  # of the audit verified in one run: seconds


def differing_vectors(collection: Collection, *, repair: bool) -> list[UUID]:
    """Return those of the next SAMPLE works whose vectors are stored otherwise than they are kept.

    The next run goes on behind them, and begins again behind the last; where works differ and are
    not repaired, the same ones are compared again. Memory: AT_ONCE works.
    """
    row = collection.row
    with collection.sessions() as session:
        after = queries.compared_to(session)
    different: list[UUID] = []
    for _ in range(SAMPLE // AT_ONCE):
        with collection.sessions() as session:
            works = queries.indexed_artworks(session, after=after, limit=AT_ONCE)
            ids = [work.id for work in works]
            kept = queries.kept_vectors(session, row.fingerprint, ids, row.dims)
        different += collection.index.differing(kept)
        after = ids[-1] if len(ids) == AT_ONCE else None
        if after is None:
            break
    if repair or not different:
        with collection.sessions.begin() as session:
            queries.note_compared(session, after)
    return different


def verify_on(stores: Stores, *, goes_on: bool) -> Findings:
    """Verify the next ENTRIES entries of the audit, and what they vouch for.

    The next run begins behind them where this one `goes_on`, and from the first entry behind the
    last.
    """
    with stores.sessions() as session:
        head = session.get(AuditHead, HEAD)  # that it is gone is one of the findings
    since = head.checked + 1 if head and head.checked < head.sequence else 1
    found = verify(stores.sessions, lambda *_: None, since=since, most=ENTRIES)
    if head and goes_on:
        reached = min(since + ENTRIES - 1, head.sequence)
        with stores.sessions.begin() as session:
            session.execute(update(AuditHead).values(checked=reached))
    return found
