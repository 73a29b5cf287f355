"""Documents of cases go: when their time is over, or when somebody says so. Their lines stay."""

from __future__ import annotations

from attribution.actors import who
from attribution.catalogue.columns import now
from attribution.catalogue.models import CaseDocument
from attribution.catalogue.queries import documents
from attribution.collection import Stores

AT_ONCE = 100  # documents in one transaction
MOST = 10_000  # documents whose time is over, in one run
OVER = "its time was over"


def forget_expired(stores: Stores) -> int:
    """Delete the tenant's documents whose time is over, MOST at most; returns how many."""
    gone = 0
    while gone < MOST:
        with stores.sessions.begin() as session:
            rows = documents.expired_documents(session, AT_ONCE)
            for row in rows:
                remove(stores, row, OVER)
        if not rows:
            break
        gone += len(rows)
    return gone


def remove(stores: Stores, row: CaseDocument, why: str) -> None:
    """Note that a document is gone, which has to be locked, and delete its file."""
    row.removed_at, row.removed_by, row.removed_why, row.until = now(), who().name, why, None
    stores.store.forget_document(row.id)
