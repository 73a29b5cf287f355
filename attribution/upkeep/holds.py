"""Legal holds: what a case needs is kept while it lasts, whatever is withdrawn or forgotten.

A work on hold that is withdrawn is found no more, as any other. What is left of it is one sealed
exhibit: what copies are recognised by, its digest, what was said of it, and a small picture where
its consent for evidence says yes. An image that was asked about stays where it is: one that is on
hold itself, and those that a case with a hold is about. All go when the last hold ends; the receipt
of the withdrawal says what is kept, and when it went.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

import rfc8785
from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.answers import Removal
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import Artwork, HeldExhibit, Hold, Subject
from attribution.catalogue.queries import desk, holds
from attribution.collection import Stores, subject_cipher
from attribution.custody import Forgotten, Kept
from attribution.errors import BadImage, NotFound
from attribution.images import read_image, thumbnail
from attribution.types import Part
from attribution.upkeep import subjects

AT_ONCE = 100  # holds that are over, in one run
OVER = "its time was over"


def end_those_that_are_over(stores: Stores) -> int:
    """End holds whose time is over, AT_ONCE at most; returns how many."""
    with stores.sessions.begin() as session:
        rows = holds.holds_that_are_over(session, AT_ONCE)
        gone = [one for row in rows for one in end(session, row, OVER)]
    delete_released(stores, gone)
    return len(rows)


def seal(stores: Stores, session: Session, works: Collection[UUID], removal: Removal) -> None:
    """Keep what is left of works that are on hold, before they are withdrawn."""
    on_hold = holds.holds_on(session, works)
    rows = queries.artworks_by_id(session, on_hold.keys())
    sketches = queries.kept_sketches(session, [Part(work, 0) for work in on_hold])
    replaced: set[UUID] = set()
    for work, row in rows.items():
        sketch = sketches.get(Part(work, 0))
        said = _said(row) | {
            "sketch": _text(sketch.data if sketch else None),
            "picture": _text(_picture(stores, row) if row.consent_evidence else None),
        }
        data = rfc8785.dumps(said)
        cipher = subject_cipher(stores.settings)
        exhibit = HeldExhibit(
            artwork_id=work,
            withdrawal_id=removal.receipt,
            sha256=hashlib.sha256(data).hexdigest(),
            data=cipher.encrypt(data) if cipher else data,
            is_encrypted=cipher is not None,
        )
        earlier = holds.keep_exhibit(session, exhibit, on_hold[work])
        if earlier is not None:
            replaced.add(earlier)
        note(session, "seal-exhibit", f"artwork:{work}", exhibit=exhibit.sha256)
    kept = holds.works_by_case(session, on_hold)
    for case_id in sorted(kept):
        sealed = sorted(map(str, kept[case_id]))
        note(session, "keep-exhibits", f"{desk.CASE}:{case_id}", works=sealed)
    tell(session, replaced, later=str(removal.receipt))


def end(session: Session, row: Hold, why: str) -> list[UUID]:
    """End a hold; returns the images that go."""
    row.ended_at, row.ended_by, row.ended_why = now(), who().name, why
    session.flush()
    receipts = holds.release_exhibits(session, row.id)
    gone: list[UUID] = []
    # Locked first: of two holds on them that end at once, the second one finds that none lasts.
    kept_for_holds = holds.IS_KEPT & Subject.receipt.is_not(None)
    for subject in queries.subjects_to_change(session, holds.kept_by(row) & kept_for_holds):
        receipts |= receipts_of([subject])
        if not holds.cases_holding(session, Subject.id == subject.id):
            queries.forget_subject(session, subject, Forgotten.WITHDRAWAL)
            gone.append(subject.id)
    tell(session, receipts, ended_at=row.ended_at.isoformat())
    note(session, "end-hold", f"{desk.CASE}:{row.case_id}", hold=str(row.id))
    return gone


def receipts_of(images: Iterable[Subject]) -> set[UUID]:
    """Return the withdrawals under which some images would have gone that are kept for a hold."""
    kept = [one.receipt for one in images if one.kept is not Kept.NOTHING]
    return {one for one in kept if one is not None}


def tell(session: Session, receipts: Collection[UUID], **said: str) -> None:
    """Have receipts of withdrawals say what is on hold now and for which cases, else `said`."""
    for one in sorted(receipts):
        request = queries.withdrawal_to_change(session, one)
        held = holds.held_under(session, one)
        if not held["cases"]:
            held |= said
        request.receipt = request.receipt | {"held": held}


def delete_released(stores: Stores, images: Collection[UUID]) -> None:
    """Delete the files of images that go with a hold, and what the log of the database has."""
    subjects.delete_files(stores, images)
    empty_log(stores.sessions)


def _said(row: Artwork) -> dict[str, Any]:
    return {
        "artist": row.artist.slug,
        "name": row.artist.name,
        "title": row.title,
        "year": row.year,
        "licence": row.licence,
        "source": row.source,
        "sha256": row.sha256,
        "pixel_sha256": row.pixel_sha256,
        "phash": row.phash,
    }


def _picture(stores: Stores, row: Artwork) -> bytes | None:
    """Return a small picture of a work; None where neither it nor an original that can be read is.

    What cannot be read keeps no work from being withdrawn.
    """
    try:
        if row.consent_display:
            return stores.store.thumbnail(row.sha256)
        return thumbnail(read_image(stores.store.original(row.sha256), stores.limits).rgb)
    except (BadImage, NotFound):
        return None


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
