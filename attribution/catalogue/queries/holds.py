"""Statements about legal holds, and what is kept of withdrawn works for them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, false, or_, select
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import (
    Artwork,
    Case,
    CaseSubject,
    Change,
    ChangeWork,
    ExhibitHold,
    HeldExhibit,
    Hold,
    Subject,
    SubjectUse,
    Workings,
)
from attribution.catalogue.queries.artists import artist_by_slug
from attribution.catalogue.queries.pages import Page, check_limit, cut, id_key
from attribution.chunks import chunks
from attribution.custody import Kept
from attribution.errors import Hint, NotFound, Way

AT_ONCE = 1_000  # works in one statement
LASTS = Hold.ended_at.is_(None)
IS_KEPT = Subject.kept != Kept.NOTHING


def holds_of(session: Session, case_id: UUID) -> Sequence[Hold]:
    """Return the holds of a case, the first one first; ended ones too."""
    wanted = select(Hold).where(Hold.case_id == case_id)
    return session.scalars(wanted.order_by(Hold.at, Hold.id)).all()


def hold_to_end(session: Session, case_id: UUID, hold_id: UUID) -> Hold:
    """Return a hold of a case, locked; raises NotFound."""
    wanted = select(Hold).where(Hold.id == hold_id, Hold.case_id == case_id).with_for_update()
    row = session.scalar(wanted.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"the case has no hold {hold_id}", hint=Hint(Way.LIST_CASES))
    return row


def holds_that_are_over(session: Session, limit: int) -> Sequence[Hold]:
    """Return some holds whose time is over, locked."""
    wanted = select(Hold).where(LASTS, Hold.until <= now()).order_by(Hold.until).limit(limit)
    return session.scalars(wanted.with_for_update(skip_locked=True)).all()


def is_held() -> ColumnElement[bool]:
    """Return the condition that an image that was asked about is on hold: by itself, or its case.

    Whatever is on hold for a case, the images that it is about are.
    """
    by_itself = exists().where(Hold.subject_id == Subject.id, LASTS)
    about_it = CaseSubject.image_sha256 == Subject.image_sha256
    return by_itself | exists().where(about_it, Hold.case_id == CaseSubject.case_id, LASTS)


def is_workings_held() -> ColumnElement[bool]:
    """Return the condition that an answer is about an image that is on hold."""
    its_use = SubjectUse.id == Workings.attribution_id
    return exists().where(its_use, Subject.id == SubjectUse.subject_id, is_held())


def kept_by(hold: Hold) -> ColumnElement[bool]:
    """Return the condition that an image that was asked about is kept by a hold."""
    about = select(CaseSubject.image_sha256).where(CaseSubject.case_id == hold.case_id)
    its_cases = Subject.image_sha256.in_(about)
    return its_cases if hold.subject_id is None else its_cases | (Subject.id == hold.subject_id)


def cases_holding(session: Session, which: ColumnElement[bool]) -> list[int]:
    """Return the numbers of the cases for which one of these images is on hold."""
    lasting = select(Case.number).join(Hold, Hold.case_id == Case.id).where(LASTS)
    by_itself = lasting.join(Subject, Subject.id == Hold.subject_id).where(which)
    about = lasting.join(CaseSubject, CaseSubject.case_id == Case.id)
    by_case = about.join(Subject, Subject.image_sha256 == CaseSubject.image_sha256).where(which)
    return sorted(session.scalars(by_itself.union(by_case)))


def held_images(session: Session, hashes: Collection[str]) -> set[str]:
    """Return which of these images that were asked about are kept and on hold."""
    held = Subject.image_sha256.in_(hashes) & IS_KEPT & is_held()
    return set(session.scalars(select(Subject.image_sha256).where(held)))


def holds_on(session: Session, works: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return which of these works are on hold, by themselves or by their artist, with the holds.

    None of these holds ends until the session does.
    """
    found: dict[UUID, list[UUID]] = {}
    own = select(Artwork.id, Hold.id).join(Hold, Hold.artwork_id == Artwork.id)
    lasting = own.where(Artwork.id.in_(works), LASTS)
    for work, hold in session.execute(lasting.with_for_update(of=Hold, read=True)):
        found.setdefault(work, []).append(hold)
    of_artists = select(Hold.id, Hold.artist, Hold.at).where(Hold.artist.is_not(None), LASTS)
    for hold, slug, since in session.execute(of_artists.with_for_update(read=True)):
        theirs = _of_artist(session, str(slug), since, works)
        for work in session.scalars(select(Artwork.id).where(Artwork.id.in_(works), theirs)):
            found.setdefault(work, []).append(hold)
    return found


def works_by_case(
    session: Session, on_hold: Mapping[UUID, Collection[UUID]]
) -> dict[UUID, set[UUID]]:
    """Return which works are on hold for which cases, of works with their holds."""
    ids = {hold for those in on_hold.values() for hold in those}
    wanted = select(Hold.id, Hold.case_id).where(Hold.id.in_(ids))
    cases = dict(session.execute(wanted).all())
    found: dict[UUID, set[UUID]] = {}
    for work, those in on_hold.items():
        for hold in those:
            found.setdefault(cases[hold], set()).add(work)
    return found


def _of_artist(
    session: Session, slug: str, since: datetime, works: Collection[UUID]
) -> ColumnElement[bool]:
    """Return the condition that some works are an artist's, or were taken from them since then.

    Whoever an artist was merged into counts as they do, from then on; but not nobody, whose works
    are by many.
    """
    gave: list[ColumnElement[bool]] = []
    while merge := session.scalar(select(Change).where(Change.merged_slug == slug)):
        gave.append((Change.from_artist_id == merge.from_artist_id) & (Change.made_at >= since))
        since, slug = max(since, merge.made_at), merge.after["slug"]
    artist = artist_by_slug(session, slug)
    own = false() if artist.is_nobody else Artwork.artist_id == artist.id
    if not artist.is_nobody:
        gave.append((Change.from_artist_id == artist.id) & (Change.made_at >= since))
    moved = select(ChangeWork.artwork_id).join(Change, Change.id == ChangeWork.change_id)
    return own | Artwork.id.in_(moved.where(ChangeWork.artwork_id.in_(works), or_(*gave)))


def keep_exhibit(session: Session, exhibit: HeldExhibit, holds: Collection[UUID]) -> UUID | None:
    """Keep what is left of a withdrawn work, for these holds; the last time counts.

    Returns the earlier withdrawal whose exhibit it takes the place of.
    """
    known = session.get(HeldExhibit, exhibit.artwork_id)
    earlier = known.withdrawal_id if known else None
    session.merge(exhibit)
    session.flush()
    rows = [{"hold_id": one, "artwork_id": exhibit.artwork_id} for one in holds]
    insert_new(session, ExhibitHold, rows)
    return earlier


def exhibit_by_id(session: Session, case_id: UUID, artwork_id: UUID) -> HeldExhibit:
    """Return what a case keeps of a withdrawn work; raises NotFound."""
    wanted = select(HeldExhibit).where(HeldExhibit.artwork_id == artwork_id, _for(case_id))
    row = session.scalar(wanted)
    if row is None:
        raise NotFound(f"the case keeps nothing of artwork {artwork_id}")
    return row


def list_exhibits(
    session: Session, case_id: UUID, *, cursor: str | None = None, limit: int = 100
) -> Page[HeldExhibit]:
    """Return a page of what a case keeps of withdrawn works, by id."""
    wanted = select(HeldExhibit).where(_for(case_id)).order_by(HeldExhibit.artwork_id)
    if cursor is not None:
        wanted = wanted.where(HeldExhibit.artwork_id > id_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.artwork_id,))


def release_exhibits(session: Session, hold_id: UUID) -> set[UUID]:
    """Delete what was kept for a hold that has ended, unless another one needs it.

    Returns the withdrawals of the works of which it was kept. Of two holds that end at once, the
    second one waits for the exhibits that both have: then it finds that nothing else needs them.
    """
    mine = ExhibitHold.hold_id == hold_id
    kept = HeldExhibit.artwork_id.in_(select(ExhibitHold.artwork_id).where(mine))
    locked = select(HeldExhibit.artwork_id, HeldExhibit.withdrawal_id).where(kept)
    rows = session.execute(locked.order_by(HeldExhibit.artwork_id).with_for_update()).all()
    session.execute(delete(ExhibitHold).where(mine), execution_options=IN_SQL)
    others = exists().where(ExhibitHold.artwork_id == HeldExhibit.artwork_id)
    for few in chunks([work for work, _ in rows], AT_ONCE):
        gone = delete(HeldExhibit).where(HeldExhibit.artwork_id.in_(few), ~others)
        session.execute(gone, execution_options=IN_SQL)
    return {receipt for _, receipt in rows}


def held_under(session: Session, receipt: UUID) -> dict[str, Any]:
    """Return what is kept of a withdrawal's works and images for holds, and for which cases."""
    works = select(HeldExhibit.artwork_id).where(HeldExhibit.withdrawal_id == receipt)
    theirs = (Subject.receipt == receipt) & IS_KEPT
    images = select(Subject.id).where(theirs, is_held())
    by_work = select(ExhibitHold.hold_id).where(ExhibitHold.artwork_id.in_(works))
    numbers = select(Case.number).join(Hold, Hold.case_id == Case.id)
    for_works = set(session.scalars(numbers.where(Hold.id.in_(by_work))))
    return {
        "works": sorted(map(str, session.scalars(works))),
        "images": sorted(map(str, session.scalars(images))),
        "cases": sorted(for_works.union(cases_holding(session, theirs))),
    }


def _for(case_id: UUID) -> ColumnElement[bool]:
    return exists().where(
        ExhibitHold.artwork_id == HeldExhibit.artwork_id,
        Hold.id == ExhibitHold.hold_id,
        Hold.case_id == case_id,
    )
