"""Documents of cases go: when their time is over, or when somebody says so. Their lines stay.

The line first, then the file: one that a crash leaves is due until it is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

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
                if row.removed_at is None:
                    remove(row, OVER)
        if not rows:
            break
        delete_files(stores, [row.id for row in rows])
        gone += len(rows)
    return gone


def remove(row: CaseDocument, why: str) -> None:
    """Note that a document is removed, which has to be locked; its file is due from now on."""
    row.removed_at, row.removed_by, row.removed_why = now(), who().name, why
    row.until = row.removed_at


def delete_files(stores: Stores, ids: Collection[UUID]) -> None:
    """Delete the files of documents that were removed."""
    with stores.sessions.begin() as session:
        for row in documents.removed_documents(session, ids):
            stores.store.forget_document(row.id)
            row.until = None
