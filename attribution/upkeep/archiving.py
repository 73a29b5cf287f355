"""Answers of long ago move to the file store, where the settings say when (`answer_days`).

What is left in the row is enough for lists, for withdrawals and for the audit. A withdrawal makes
the answers whole again that cite its works, takes out what they say of them, and deletes the files.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.archive import digest, packed
from attribution.catalogue.columns import now
from attribution.catalogue.models import RecordedAttribution
from attribution.chunks import chunks
from attribution.collection import Stores
from attribution.threads import Threads

AT_ONCE = 100  # answers in one transaction
SIDE_BY_SIDE = 16  # files that are written or deleted
ONE_GO_S = 60.0


def archive_old(stores: Stores) -> int:
    """Archive the tenant's answers of before `answer_days`; returns how many.

    Ends after ONE_GO_S even where more are due.
    """
    delete_surplus(stores)
    days = stores.settings.answer_days
    if days is None:
        return 0
    until, before = time.monotonic() + ONE_GO_S, now() - timedelta(days=days)
    archived = 0
    while time.monotonic() < until:
        with stores.sessions.begin() as session:
            ids = queries.answers_to_archive(session, before, AT_ONCE)
            queries.begin_archiving(session, ids)
        if not ids:
            break
        archived += _archive(stores, ids)
    return archived


def _archive(stores: Stores, ids: Collection[UUID]) -> int:
    """Write the files of answers, and shorten their rows; returns of how many."""

    def put(row: RecordedAttribution) -> str:
        data = packed(row.answer)
        stores.store.put_answer(row.id, data)
        return digest(data)

    with stores.sessions.begin() as session, Threads(SIDE_BY_SIDE) as threads:
        rows = queries.answers_to_change(session, ids)
        for row, its_digest in zip(rows, threads.map(put, rows), strict=True):
            queries.note_archived(session, row, its_digest)
    return len(rows)


def delete_surplus(stores: Stores) -> int:
    """Delete the files of answers that are whole in the database; returns how many there were."""
    deleted = 0
    while True:
        with stores.sessions() as session:
            ids = queries.surplus_answers(session, AT_ONCE)
        if not ids:
            return deleted
        with stores.sessions.begin() as session, Threads(SIDE_BY_SIDE) as threads:
            rows = [row.id for row in queries.answers_to_change(session, ids)]
            deleted += sum(threads.map(stores.store.forget_answer, rows))
            queries.note_without_file(session, rows)


def compare_part(stores: Stores, after: str, *, repair: bool) -> tuple[int, str | None]:
    """Compare the files of the next part of the folder with their rows.

    Returns how many belong to no archived answer, as after a restored backup, and which part it
    was; None behind the last. They are deleted on `repair`. A file that is missing is found by the
    verification of records.
    """
    part, ids = stores.store.answers_behind(after)
    found = 0
    for few in chunks(ids, AT_ONCE):
        with stores.sessions.begin() as session:
            strange = queries.without_archive(session, few)
            if repair:
                for one in strange:
                    stores.store.forget_answer(one)
        found += len(strange)
    return found, part
