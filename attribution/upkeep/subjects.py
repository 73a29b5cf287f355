"""Images that were asked about go: when their time is over, when somebody says so, or were lost.

The row first, then the file, under the lock of the row: an image that is asked about again
meanwhile keeps its file. What a withdrawal takes is in `withdrawal`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Subject
from attribution.catalogue.queries import holds
from attribution.chunks import chunks
from attribution.collection import Stores
from attribution.custody import Forgotten, Kept
from attribution.errors import BadInput, Conflict, NotFound

AT_ONCE = 100  # images in one transaction
MOST = 10_000  # images whose time is over, and those that are compared, in one run
LONGEST_REASON = 2_000  # characters
UNDER_WAY = timedelta(hours=1)  # a file this young may wait for its row
LAST = "g"  # behind every hash


def forget(stores: Stores, subject_id: UUID, reason: str) -> Subject:
    """Delete an image that is kept, for good: it is not kept again when it is asked about.

    Raises NotFound, BadInput without a reason, Conflict where nothing is kept, and for one on
    hold.
    """
    if not reason.strip():
        raise BadInput("say why the image goes: the reason is kept with what is left of it")
    with stores.sessions.begin() as session:
        queries.subject_by_id(session, subject_id)
        (row,) = queries.subjects_to_change(session, Subject.id == subject_id)
        if numbers := holds.cases_holding(session, Subject.id == subject_id):
            raise Conflict(
                f"image {subject_id} is on hold for case {', '.join(map(str, numbers))}: it can be "
                f"forgotten when these holds have ended"
            )
        described = queries.forget_workings_about(session, [row.image_sha256])
        if row.kept is Kept.NOTHING and not described:
            raise Conflict(f"nothing is kept of image {subject_id}: there is nothing to forget")
        queries.forget_subject(session, row, Forgotten.REQUEST, reason=reason.strip())
    delete_files(stores, [subject_id])
    return row


def forget_expired(stores: Stores) -> int:
    """Delete the tenant's images whose time is over, MOST at most; returns how many.

    With what answers were computed from whose time is over.
    """
    _forget_workings(stores)
    gone = 0
    while gone < MOST:
        with stores.sessions.begin() as session:
            rows = queries.expired_subjects(session, AT_ONCE)
            for row in rows:
                queries.forget_subject(session, row, Forgotten.RETENTION)
        if not rows:
            break
        delete_files(stores, [row.id for row in rows])
        gone += len(rows)
    return gone


def _forget_workings(stores: Stores) -> None:
    """Delete what answers were computed from whose time is over, MOST at most."""
    gone = more = AT_ONCE
    while more == AT_ONCE and gone < MOST:
        with stores.sessions.begin() as session:
            more = queries.forget_expired_workings(session, AT_ONCE)
        gone += more
    with stores.sessions.begin() as session:
        queries.forget_unused_calibrations(session)


def delete_files(stores: Stores, ids: Collection[UUID]) -> int:
    """Delete the files of images of which nothing is to be kept; returns how many there were."""
    deleted = 0
    for few in chunks(list(ids), AT_ONCE):
        with stores.sessions.begin() as session:
            for row in queries.subjects_to_change(session, Subject.id.in_(few)):
                if row.kept is Kept.NOTHING:
                    deleted += stores.store.forget_subject(row.image_sha256)
    return deleted


def compare(stores: Stores, *, repair: bool) -> int:
    """Compare the next MOST images with their files; returns how many differ.

    Images whose file is missing are noted as lost on `repair`, files of which no row says that they
    are kept are deleted. The next run goes on behind, and begins again behind the last; where
    something differs and is not repaired, the same ones are compared again.
    """
    with stores.sessions() as session:
        after = queries.subjects_compared_to(session)
        rows = queries.next_subjects(session, after=after, limit=MOST)
    last = rows[-1].image_sha256 if len(rows) == MOST else None
    kept = {row.image_sha256: row.id for row in rows if row.kept is not Kept.NOTHING}
    files = set(stores.store.subjects(after, last or LAST))
    differing = _lost(stores, [kept[one] for one in kept.keys() - files], repair=repair)
    differing += _strange(stores, sorted(files - kept.keys()), repair=repair)
    if repair or not differing:
        with stores.sessions.begin() as session:
            queries.note_subjects_compared(session, last)
    return differing


def _lost(stores: Stores, ids: Collection[UUID], *, repair: bool) -> int:
    """Count images that are kept and have no file; on repair, note that."""
    found = 0
    for few in chunks(list(ids), AT_ONCE):
        with stores.sessions.begin() as session:
            for row in queries.subjects_to_change(session, Subject.id.in_(few)):
                if row.kept is Kept.NOTHING or stores.store.has_subject(row.image_sha256):
                    continue
                found += 1
                if repair:
                    queries.forget_subject(session, row, Forgotten.LOST)
    return found


def _strange(stores: Stores, hashes: Collection[str], *, repair: bool) -> int:
    """Count files of images that are not kept; on repair, delete them."""
    found = 0
    for few in chunks(list(hashes), AT_ONCE):
        with stores.sessions.begin() as session:
            rows = queries.subjects_to_change(session, Subject.image_sha256.in_(few))
            kept = {row.image_sha256 for row in rows if row.kept is not Kept.NOTHING}
            for sha256 in set(few) - kept:
                try:
                    is_young = now() - stores.store.subject_put_at(sha256) < UNDER_WAY
                except NotFound:
                    continue
                if is_young:
                    continue
                found += 1
                if repair:
                    stores.store.forget_subject(sha256)
    return found
