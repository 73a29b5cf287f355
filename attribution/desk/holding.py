"""Legal holds of a case, and the sealed exhibits that it keeps of what was withdrawn."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from cryptography.fernet import InvalidToken
from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.cases import Act, after
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import Hold
from attribution.catalogue.queries import desk, holds
from attribution.collection import Stores, subject_cipher
from attribution.custody import Kept
from attribution.desk.people import check_not_own, stated
from attribution.errors import BadInput, Conflict, Hint, Way
from attribution.upkeep.holds import delete_released, end, receipts_of, tell

MOST = 100  # holds of a case that last


@dataclass(frozen=True)
class NewHold:
    """What is put on hold: one of a work, all works of an artist (slug), an image asked about."""

    why: str
    artwork_id: UUID | None = None
    artist: str | None = None
    subject_id: UUID | None = None
    until: datetime | None = None  # none: until somebody ends it


def put_on_hold(stores: Stores, case_id: UUID, new: NewHold) -> Hold:
    """Keep something for a case that is not closed, and the images that the case is about.

    Raises NotFound; NotAllowed for a case of one's own; BadInput unless one thing is named, for a
    time that is over and without a reason; Conflict for a closed case, for one with MOST holds, for
    all works of nobody, and for a work or an image of which nothing is kept any more.
    """
    if sum(one is not None for one in (new.artwork_id, new.artist, new.subject_id)) != 1:
        raise BadInput("name one thing to put on hold: a work, an artist or an image")
    if new.until is not None and new.until <= now():
        raise BadInput(f"the hold would be over at once: {new.until.isoformat()} is in the past")
    why = stated(new.why, "reason")
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.HOLD, case.status, case.number)
        if sum(one.ended_at is None for one in holds.holds_of(session, case_id)) >= MOST:
            raise Conflict(f"case {case.number} has {MOST} holds: end those that it does not need")
        check_not_own(session, case)
        row = Hold(id=uuid4(), case_id=case_id, by=who().name, **(vars(new) | {"why": why}))
        if new.artist is not None:
            row.artist = _of_somebody(session, new.artist)
        if new.artwork_id is not None:
            _check_work(session, new.artwork_id)
        images = queries.subjects_to_change(session, holds.kept_by(row))  # nobody forgets them
        if new.subject_id is not None:
            _check_image(session, new.subject_id)
        session.add(row)
        session.flush()
        tell(session, receipts_of(images))
    return row


def end_hold(stores: Stores, case_id: UUID, hold_id: UUID, why: str) -> Hold:
    """End a hold: what nothing else needs goes, and what was withdrawn is gone then.

    Raises NotFound, NotAllowed for a case of one's own, BadInput without a reason, Conflict for one
    that has ended.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        row = holds.hold_to_end(session, case_id, hold_id)
        if row.ended_at is not None:
            raise Conflict(f"hold {hold_id} ended on {row.ended_at:%Y-%m-%d}")
        gone = end(session, row, why)
    delete_released(stores, gone)
    return row


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
        note(session, "open-exhibit", f"{desk.CASE}:{case_id}", artwork=str(artwork_id))
    found: dict[str, Any] = json.loads(data)
    return found


def _of_somebody(session: Session, slug: str) -> str:
    artist = queries.artist_by_slug(session, slug)
    if artist.is_nobody:
        raise Conflict(
            f"{artist.slug!r} stands for works by nobody in particular: put the works on hold by "
            f"their ids",
            hint=Hint(Way.LIST_WORKS_OF, (artist.slug,)),
        )
    return artist.slug


def _check_image(session: Session, subject_id: UUID) -> None:
    row = queries.subject_by_id(session, subject_id)
    if row.kept is Kept.NOTHING and not queries.workings_about(session, [row.image_sha256]):
        raise Conflict(f"nothing is kept of image {subject_id} that could be put on hold")


def _check_work(session: Session, work: UUID) -> None:
    queries.artwork_by_id(session, work)
    row = queries.works_to_change(session, [work])[work]  # nobody withdraws it meanwhile
    if row.withdrawn_at is not None:
        raise Conflict(
            f"artwork {work} was withdrawn on {row.withdrawn_at:%Y-%m-%d}: nothing is left of it "
            f"that could be put on hold"
        )
