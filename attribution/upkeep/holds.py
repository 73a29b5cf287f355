"""Legal holds: what a case needs is kept while it lasts, whatever is withdrawn or forgotten.

A work on hold that is withdrawn is found no more, as any other. What is left of it is one sealed
exhibit: what copies are recognised by, its digest, what was said of it, and a small picture where
its consent for evidence says yes. An image that was asked about stays where it is. Both go when the
last hold ends; the receipt of the withdrawal says what is kept, and when it went.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import rfc8785
from cryptography.fernet import InvalidToken
from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.answers import Removal
from attribution.cases import Act, after
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import Artwork, HeldExhibit, Hold, Subject
from attribution.catalogue.queries import desk, holds
from attribution.collection import Stores, subject_cipher
from attribution.custody import Forgotten, Kept
from attribution.desk.people import check_not_own
from attribution.errors import BadInput, Conflict, NotFound
from attribution.images import read_image, thumbnail
from attribution.types import Part
from attribution.upkeep import subjects

MOST = 100  # holds of a case that last
AT_ONCE = 100  # holds that are over, in one run
OVER = "its time was over"


@dataclass(frozen=True)
class NewHold:
    """What is put on hold: one of a work, all works of an artist (slug), an image asked about."""

    why: str
    artwork_id: UUID | None = None
    artist: str | None = None
    subject_id: UUID | None = None
    until: datetime | None = None  # none: until somebody ends it


def put_on_hold(stores: Stores, case_id: UUID, new: NewHold) -> Hold:
    """Keep something for a case that is not closed.

    Raises NotFound; NotAllowed for a case of one's own; BadInput unless one thing is named, for a
    time that is over and without a reason; Conflict for a closed case, for one with MOST holds, and
    for a work that is withdrawn already, of which nothing is kept.
    """
    if sum(one is not None for one in (new.artwork_id, new.artist, new.subject_id)) != 1:
        raise BadInput("name one thing to put on hold: a work, an artist or an image")
    if new.until is not None and new.until <= now():
        raise BadInput(f"the hold would be over at once: {new.until.isoformat()} is in the past")
    if not new.why.strip():
        raise BadInput("say why: the reason is kept with the hold")
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.HOLD, case.status, case.number)
        if sum(one.ended_at is None for one in holds.holds_of(session, case_id)) >= MOST:
            raise Conflict(f"case {case.number} has {MOST} holds: end those that it does not need")
        check_not_own(session, case)
        said = vars(new) | {"why": new.why.strip()}
        row = Hold(id=uuid4(), case_id=case_id, by=who().name, **said)
        if new.artist is not None:
            row.artist = queries.artist_by_slug(session, new.artist).slug
        if new.subject_id is not None:
            queries.subject_by_id(session, new.subject_id)
        if new.artwork_id is not None:
            _check_work(session, new.artwork_id)
        session.add(row)
    return row


def end_hold(stores: Stores, case_id: UUID, hold_id: UUID, why: str) -> Hold:
    """End a hold: what nothing else needs goes, and what was withdrawn is gone then.

    Raises NotFound, NotAllowed for a case of one's own, BadInput without a reason, Conflict for one
    that has ended.
    """
    if not why.strip():
        raise BadInput("say why the hold ends: the reason is kept with it")
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        row = holds.hold_to_end(session, case_id, hold_id)
        if row.ended_at is not None:
            raise Conflict(f"hold {hold_id} ended on {row.ended_at:%Y-%m-%d}")
        gone = _end(session, row, why.strip())
    _delete(stores, gone)
    return row


def end_those_that_are_over(stores: Stores) -> int:
    """End holds whose time is over, AT_ONCE at most; returns how many."""
    with stores.sessions.begin() as session:
        rows = holds.holds_that_are_over(session, AT_ONCE)
        gone = [one for row in rows for one in _end(session, row, OVER)]
    _delete(stores, gone)
    return len(rows)


def seal(stores: Stores, session: Session, works: Collection[UUID], removal: Removal) -> None:
    """Keep what is left of works that are on hold, before they are withdrawn."""
    on_hold = holds.holds_on(session, works)
    rows = queries.artworks_by_id(session, on_hold.keys())
    sketches = queries.kept_sketches(session, [Part(work, 0) for work in on_hold])
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
        holds.keep_exhibit(session, exhibit, on_hold[work])
        note(session, "seal-exhibit", f"artwork:{work}", exhibit=exhibit.sha256)


def exhibit(stores: Stores, case_id: UUID, artwork_id: UUID) -> dict[str, Any]:
    """Return what a case keeps of a withdrawn work; the audit says who has seen it.

    Texts, and in base64 `sketch` and `picture` (a small WebP; None where nobody may see one).
    Raises NotFound, Conflict where it was encrypted with a key that is not there.
    """
    with stores.sessions.begin() as session:
        row = holds.exhibit_by_id(session, case_id, artwork_id)
        data = row.data
        if row.is_encrypted:
            cipher = subject_cipher(stores.settings)
            try:
                data = cipher.decrypt(data) if cipher else b""
            except InvalidToken:
                data = b""
        if hashlib.sha256(data).hexdigest() != row.sha256:
            raise Conflict(
                f"the exhibit of artwork {artwork_id} cannot be read: it was encrypted with a key "
                f"that LAWFUL_SUBJECTS_KEY does not have, or altered in the database"
            )
        note(session, "view", f"artwork:{artwork_id}", case=str(case_id))
    found: dict[str, Any] = json.loads(data)
    return found


def _check_work(session: Session, work: UUID) -> None:
    row = queries.artwork_by_id(session, work)
    if row.withdrawn_at is not None:
        raise Conflict(
            f"artwork {work} was withdrawn on {row.withdrawn_at:%Y-%m-%d}: nothing is left of it "
            f"that could be put on hold"
        )


def _end(session: Session, row: Hold, why: str) -> list[UUID]:
    """End a hold; returns the images that go."""
    row.ended_at, row.ended_by, row.ended_why = now(), who().name, why
    session.flush()
    receipts = holds.release_exhibits(session, row.id)
    gone: list[UUID] = []
    if row.subject_id is not None:
        for subject in queries.subjects_to_change(
            session, (Subject.id == row.subject_id) & ~holds.is_held()
        ):
            if subject.receipt is not None and subject.kept is not Kept.NOTHING:
                queries.forget_subject(session, subject, Forgotten.WITHDRAWAL)
                receipts.add(subject.receipt)
                gone.append(subject.id)
    for one in receipts:
        request = queries.withdrawal_by_id(session, one)
        held = holds.held_under(session, one) | {"ended_at": row.ended_at.isoformat()}
        request.receipt = request.receipt | {"held": held}
    note(session, "end-hold", f"{desk.CASE}:{row.case_id}", hold=str(row.id))
    return gone


def _delete(stores: Stores, images: Collection[UUID]) -> None:
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
    """Return a small picture of a work; None where neither it nor the original is kept."""
    try:
        if row.consent_display:
            return stores.store.thumbnail(row.sha256)
        return thumbnail(read_image(stores.store.original(row.sha256), stores.limits).rgb)
    except NotFound:
        return None


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()
