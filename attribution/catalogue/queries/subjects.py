"""Statements about images that were asked about, and about each question."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, func, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.answers import Removal
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import Artwork, CitedWork, Subject, SubjectUse
from attribution.catalogue.queries.artworks import withdrawn_at
from attribution.catalogue.queries.holds import IS_KEPT, is_held
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalogue.queries.records import attributions_by_id, check_sha256
from attribution.custody import Forgotten, Kept
from attribution.errors import Hint, NotFound, Way

SUBJECT = "subject"  # what the audit calls one
USES = 500  # that are shown of one image


def subject_asked_about(session: Session, sha256: str, facts: Mapping[str, Any]) -> Subject:
    """Return the row of an image, new if need be; nobody else changes it until the session ends."""
    insert_new(session, Subject, [{"image_sha256": sha256, **facts}])
    wanted = select(Subject).where(Subject.image_sha256 == sha256).with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).one()


def may_be_kept(session: Session, row: Subject, attribution_id: UUID, *, is_copy: bool) -> bool:
    """Whether nothing that was withdrawn, and nobody's request, keeps us from keeping an image.

    Of an answer `is_copy` the work may have been withdrawn since it was looked up: then the answer
    is not among those that cite an original.
    """
    if row.forgotten_why in {Forgotten.WITHDRAWAL, Forgotten.REQUEST}:
        return False
    if withdrawn_at(session, row.image_sha256) is not None:
        return False
    cited = select(CitedWork.artwork_id).where(
        CitedWork.attribution_id == attribution_id, CitedWork.is_original
    )
    return not is_copy or session.scalar(cited) is not None


def subject_by_id(session: Session, subject_id: UUID) -> Subject:
    """Return an image that was asked about; raises NotFound."""
    row = session.get(Subject, subject_id)
    if row is None:
        raise NotFound(f"no image {subject_id} was asked about", hint=Hint(Way.LIST_SUBJECTS))
    return row


def subjects_to_change(session: Session, which: ColumnElement[bool]) -> Sequence[Subject]:
    """Return images as they are now; nobody else changes them until the session ends."""
    wanted = select(Subject).where(which).order_by(Subject.id).with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).all()


def subject_of_answer(
    session: Session, attribution_id: UUID
) -> tuple[Subject, SubjectUse] | tuple[None, None]:
    """Return the image that an answer is about, and how it came here; None of earlier versions."""
    wanted = select(Subject, SubjectUse).join(SubjectUse, SubjectUse.subject_id == Subject.id)
    found = session.execute(wanted.where(SubjectUse.id == attribution_id)).one_or_none()
    return (found[0], found[1]) if found else (None, None)


def answers_with_image(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these answers whose image is kept."""
    wanted = select(SubjectUse.id).join(Subject, Subject.id == SubjectUse.subject_id)
    return set(session.scalars(wanted.where(SubjectUse.id.in_(ids), IS_KEPT)))


def uses_of_answers(session: Session, ids: Collection[UUID]) -> Sequence[SubjectUse]:
    """Return how the images that answers are about came here; answers of before have none."""
    return session.scalars(select(SubjectUse).where(SubjectUse.id.in_(ids))).all()


def uses_of_subject(session: Session, subject_id: UUID) -> Sequence[SubjectUse]:
    """Return the last USES questions about an image, the newest first."""
    wanted = select(SubjectUse).where(SubjectUse.subject_id == subject_id)
    newest = wanted.order_by(SubjectUse.at.desc(), SubjectUse.id)
    return session.scalars(newest.limit(USES)).all()


def list_subjects(
    session: Session,
    *,
    sha256: str | None = None,
    attribution_id: UUID | None = None,
    kept: Kept | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Subject]:
    """Return a page of images that were asked about, the newest first.

    Raises BadInput for what is no SHA-256, NotFound for an answer that there is not.
    """
    wanted = select(Subject).order_by(Subject.asked_at.desc(), Subject.id.desc())
    if sha256 is not None:
        wanted = wanted.where(Subject.image_sha256 == check_sha256(sha256))
    if attribution_id is not None:
        attributions_by_id(session, [attribution_id])
        asked = select(SubjectUse.subject_id).where(SubjectUse.id == attribution_id)
        wanted = wanted.where(Subject.id.in_(asked))
    if kept is not None:
        wanted = wanted.where(Subject.kept == kept)
    if cursor is not None:
        wanted = wanted.where(tuple_(Subject.asked_at, Subject.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.asked_at, row.id))


def forget_subject(
    session: Session, row: Subject, why: Forgotten, *, reason: str | None = None
) -> None:
    """Note that the file of an image goes, and why; the row has to be locked."""
    row.kept, row.until, row.phash = Kept.NOTHING, None, None
    row.forgotten_at, row.forgotten_why, row.reason = now(), why, reason
    note(session, "forget-image", f"{SUBJECT}:{row.id}", why=why)


def note_seen(session: Session, subject_id: UUID) -> None:
    """Record that somebody is shown an image that was asked about."""
    note(session, "view", f"{SUBJECT}:{subject_id}")


def count_expired(session: Session) -> int:
    """Count the kept images whose time is over, without those on hold."""
    return session.scalar(select(func.count()).where(Subject.until <= now(), ~is_held())) or 0


def expired_subjects(session: Session, limit: int) -> Sequence[Subject]:
    """Return some images whose time is over, which nobody else is forgetting; locks them.

    Without those on hold.
    """
    over = select(Subject).where(Subject.until <= now(), ~is_held())
    wanted = over.order_by(Subject.until).limit(limit)
    return session.scalars(wanted.with_for_update(skip_locked=True)).all()


def next_subjects(session: Session, *, after: str, limit: int) -> Sequence[Subject]:
    """Return the next images in the order of their hashes, kept or not."""
    wanted = select(Subject).where(Subject.image_sha256 > after)
    return session.scalars(wanted.order_by(Subject.image_sha256).limit(limit)).all()


def bury_subjects(session: Session, works: Collection[UUID], removal: Removal) -> int:
    """Note of images that are these works, or copies of them, that they go; returns how many do.

    Before the answers lose what they cite. One that is on hold goes when that ends.
    """
    about = _are_or_show(works)
    said = update(Subject).where(about).values(phash=None, reason=None)
    session.execute(said, execution_options=IN_SQL)
    under = update(Subject).where(about, IS_KEPT, is_held()).values(receipt=removal.receipt)
    session.execute(under, execution_options=IN_SQL)
    gone = update(Subject).where(about, IS_KEPT, ~is_held()).returning(Subject.id)
    values = {"forgotten_at": removal.at, "forgotten_why": Forgotten.WITHDRAWAL}
    values |= {"kept": Kept.NOTHING, "until": None, "receipt": removal.receipt}
    return len(session.scalars(gone.values(**values), execution_options=IN_SQL).all())


def earlier_receipts(session: Session, works: Collection[UUID], receipt: UUID) -> set[UUID]:
    """Return under which other withdrawals images that show these works are on hold."""
    wanted = select(Subject.receipt).where(_are_or_show(works), IS_KEPT, is_held())
    found = session.scalars(wanted.where(Subject.receipt.is_not(None)))
    return {one for one in found if one is not None} - {receipt}


def _are_or_show(works: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition that images are these works, or were found to be copies of them."""
    by_bytes = select(Subject.id).join(Artwork, Artwork.sha256 == Subject.image_sha256)
    copies = select(SubjectUse.subject_id).join(
        CitedWork, CitedWork.attribution_id == SubjectUse.id
    )
    are_copies = CitedWork.artwork_id.in_(works) & CitedWork.is_original
    return Subject.id.in_(by_bytes.where(Artwork.id.in_(works)).union(copies.where(are_copies)))


def subjects_under(session: Session, receipt: UUID) -> dict[UUID, str]:
    """Return the hashes of the images that went for a withdrawal, by id."""
    wanted = select(Subject.id, Subject.image_sha256).where(Subject.receipt == receipt, ~IS_KEPT)
    return dict(session.execute(wanted).all())


def kept_of_works(session: Session, hashes: Collection[str]) -> int:
    """Count the images that are kept with the very bytes of one of these, and not on hold."""
    wanted = select(func.count()).where(Subject.image_sha256.in_(hashes), IS_KEPT, ~is_held())
    return session.scalar(wanted) or 0
