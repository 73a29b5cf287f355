"""Statements about cases: opening, listing, the queue, and what people have said in them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, CompoundSelect, Select, exists, or_, select, union_all, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.answers import Verdict
from attribution.cases import Assessed, CaseKind, CaseStatus, Lane, NoteKind
from attribution.catalogue.columns import now
from attribution.catalogue.conditions import check
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import (
    Artist,
    Assessment,
    Case,
    CaseFinding,
    CaseNote,
    CaseParty,
    CaseSubject,
    Change,
    Decision,
    Desk,
    LookupItem,
    RecordedAttribution,
)
from attribution.catalogue.queries.pages import Page, check_limit, cut, number_key
from attribution.errors import Hint, NotFound, Way

CASE = "case"  # what the audit calls one
MOST_NOTES = 500  # that are shown of one case
WAITING = (CaseStatus.OPEN, CaseStatus.SECOND)  # for somebody to judge them
SPOKE = (Verdict.COPY, Verdict.RELATED, Verdict.ATTRIBUTED)  # what a batch opens a case for


@dataclass(frozen=True)
class CasesWanted:
    """Which cases a list shows; what is None does not matter."""

    statuses: Collection[CaseStatus] = ()  # one of these; none: any
    kind: CaseKind | None = None
    assignee: str | None = None
    person: str | None = None  # to whom it is assigned, or who works on it now
    is_unassigned: bool = False  # and nobody works on it
    artist_id: UUID | None = None  # of a party, also one who was merged into this artist
    image_sha256: str | None = None
    due_before: datetime | None = None


# ---- opening -------------------------------------------------------------------------------------


def hold_desk(session: Session) -> Desk:
    """Return the tenant's desk; nobody else opens a case or adds to one until the session ends."""
    insert_new(session, Desk, [{"last_case": 0}])
    return session.scalars(
        select(Desk).with_for_update().execution_options(populate_existing=True)
    ).one()


def open_cases_of(session: Session, kind: CaseKind, hashes: Collection[str]) -> dict[str, UUID]:
    """Return which of these images are in an open case of this kind, and in which."""
    wanted = select(CaseSubject.image_sha256, CaseSubject.case_id).where(
        CaseSubject.image_sha256.in_(hashes), CaseSubject.open_kind == kind
    )
    return dict(session.execute(wanted).all())


def last_closed_case(session: Session, kind: CaseKind, hashes: Collection[str]) -> UUID | None:
    """Return the last closed case of this kind that is about one of these images."""
    about = select(CaseSubject.case_id).where(CaseSubject.image_sha256.in_(hashes))
    wanted = select(Case.id).where(
        Case.id.in_(about), Case.kind == kind, Case.status == CaseStatus.CLOSED
    )
    return session.scalar(wanted.order_by(Case.number.desc()).limit(1))


def open_appeal(session: Session, decision_id: UUID) -> Case | None:
    """Return the appeal against a decision that is not closed."""
    wanted = select(Case).where(Case.appeals == decision_id, Case.status != CaseStatus.CLOSED)
    return session.scalar(wanted)


def appeals_against(session: Session, case_id: UUID) -> Sequence[tuple[Case, int]]:
    """Return the appeals against decisions of a case, each with the number of that decision."""
    wanted = select(Case, Decision.number).join(Decision, Decision.id == Case.appeals)
    mine = wanted.where(Decision.case_id == case_id).order_by(Case.number)
    return [(appeal, number) for appeal, number in session.execute(mine)]


def release_subjects(session: Session, case_id: UUID) -> None:
    """Let the images of a case that closes be the subjects of another one."""
    theirs = update(CaseSubject).where(CaseSubject.case_id == case_id).values(open_kind=None)
    session.execute(theirs, execution_options=IN_SQL)


def answers_to_look_at(
    session: Session, batch_id: UUID, *, after: int, limit: int
) -> list[tuple[int, UUID]]:
    """Return answers of a lookup batch that name a work or one artist, behind a position."""
    wanted = (
        select(LookupItem.position, RecordedAttribution.id)
        .join(RecordedAttribution, RecordedAttribution.id == LookupItem.attribution_id)
        .where(
            LookupItem.batch_id == batch_id,
            LookupItem.position > after,
            RecordedAttribution.verdict.in_(SPOKE),
        )
    )
    rows = session.execute(wanted.order_by(LookupItem.position).limit(limit))
    return [(position, one) for position, one in rows]


# ---- one case ------------------------------------------------------------------------------------


def case_by_id(session: Session, case_id: UUID) -> Case:
    """Return a case; raises NotFound."""
    row = session.get(Case, case_id)
    if row is None:
        raise NotFound(f"no case {case_id}", hint=Hint(Way.LIST_CASES))
    return row


def case_by_number(session: Session, number: int) -> Case:
    """Return the case of the tenant with this number; raises NotFound."""
    row = session.scalar(select(Case).where(Case.number == number))
    if row is None:
        raise NotFound(f"no case {number}", hint=Hint(Way.LIST_CASES))
    return row


def case_to_change(session: Session, case_id: UUID) -> Case:
    """Return a case as it is now; nobody else changes it until the session ends."""
    case_by_id(session, case_id)
    wanted = select(Case).where(Case.id == case_id).with_for_update()
    row = session.scalars(wanted.execution_options(populate_existing=True)).one()
    check(session, [case_id])
    return row


def parties_of(session: Session, case_id: UUID) -> Sequence[CaseParty]:
    """Return the parties of a case, in the order they were added."""
    wanted = select(CaseParty).where(CaseParty.case_id == case_id)
    return session.scalars(wanted.order_by(CaseParty.added_at, CaseParty.id)).all()


def decisions_of(session: Session, case_id: UUID) -> Sequence[Decision]:
    """Return the decisions of a case, the first one first."""
    wanted = select(Decision).where(Decision.case_id == case_id)
    return session.scalars(wanted.order_by(Decision.number)).all()


def decision_by_id(session: Session, decision_id: UUID) -> Decision:
    """Return a decision."""
    return session.scalars(select(Decision).where(Decision.id == decision_id)).one()


def notes_of(session: Session, case_id: UUID) -> Sequence[CaseNote]:
    """Return the last MOST_NOTES notes of a case, the newest first."""
    wanted = select(CaseNote).where(CaseNote.case_id == case_id)
    newest = wanted.order_by(CaseNote.at.desc(), CaseNote.id)
    return session.scalars(newest.limit(MOST_NOTES)).all()


# ---- subjects and findings -----------------------------------------------------------------------


def list_case_subjects(
    session: Session, case_id: UUID, *, cursor: str | None = None, limit: int = 100
) -> Page[CaseSubject]:
    """Return a page of the subjects of a case, in the order they were added."""
    wanted = _behind(select(CaseSubject), CaseSubject, case_id, cursor)
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.position,))


def receipts_of_answers(session: Session, ids: Collection[UUID]) -> dict[UUID, list[UUID]]:
    """Return under which receipts something of recorded answers went; the answers are not read."""
    wanted = select(RecordedAttribution.id, RecordedAttribution.answer["removed"])
    return {
        answer_id: [UUID(one["receipt"]) for one in removed or ()]
        for answer_id, removed in session.execute(wanted.where(RecordedAttribution.id.in_(ids)))
    }


def list_case_findings(
    session: Session,
    case_id: UUID,
    *,
    is_assessed: bool | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[CaseFinding]:
    """Return a page of the findings of a case, in the order of its subjects."""
    wanted = _behind(select(CaseFinding), CaseFinding, case_id, cursor)
    if is_assessed is not None:
        wanted = wanted.where(CaseFinding.assessed.is_not(None) == is_assessed)
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.position,))


def findings_of_subjects(
    session: Session, case_id: UUID, subjects: Collection[UUID]
) -> dict[UUID, list[CaseFinding]]:
    """Return the findings about some images of a case, by image, in their order."""
    wanted = select(CaseFinding).where(
        CaseFinding.case_id == case_id, CaseFinding.subject_id.in_(subjects)
    )
    found: dict[UUID, list[CaseFinding]] = {one: [] for one in subjects}
    for row in session.scalars(wanted.order_by(CaseFinding.position)):
        found[row.subject_id].append(row)
    return found


def subjects_in_open_cases(session: Session, sha256: str) -> list[tuple[Case, CaseSubject]]:
    """Return where an image is in a case that is not closed, the newest case first."""
    wanted = (
        select(Case, CaseSubject)
        .join(Case, Case.id == CaseSubject.case_id)
        .where(CaseSubject.image_sha256 == sha256, Case.status != CaseStatus.CLOSED)
    )
    return [(case, one) for case, one in session.execute(wanted.order_by(Case.number.desc()))]


def findings_by_id(
    session: Session, case_id: UUID, ids: Collection[UUID]
) -> dict[UUID, CaseFinding]:
    """Return findings of a case; raises NotFound for one that it does not have."""
    wanted = select(CaseFinding).where(CaseFinding.case_id == case_id, CaseFinding.id.in_(ids))
    rows = {row.id: row for row in session.scalars(wanted)}
    if missing := set(ids) - rows.keys():
        raise NotFound(f"the case has no finding {min(missing)}")
    return rows


def findings_at(
    session: Session, case_id: UUID, positions: Collection[int] | None
) -> Sequence[UUID]:
    """Return the findings at these positions, or all that nobody has assessed; raises NotFound."""
    wanted = select(CaseFinding.id, CaseFinding.position).where(CaseFinding.case_id == case_id)
    if positions is None:
        wanted = wanted.where(CaseFinding.assessed.is_(None))
    else:
        wanted = wanted.where(CaseFinding.position.in_(positions))
    found = {position: one for one, position in session.execute(wanted)}
    if missing := set(positions or ()) - found.keys():
        raise NotFound(f"the case has no finding {min(missing)}")
    return list(found.values())


def artists_in_findings(session: Session, case_id: UUID) -> set[str]:
    """Return the slugs of the artists whom findings of a case name."""
    wanted = select(CaseFinding.about).where(CaseFinding.case_id == case_id)
    return {slug for about in session.scalars(wanted) for slug in _slugs(about)}


def _slugs(about: Mapping[str, Any]) -> Iterator[str]:
    yield from (about[key] for key in ("artist", "registered") if key in about)
    yield from about.get("claimed_by", ())
    yield from (one["artist"] for one in about.get("artists", ()))


def assessments_of(session: Session, findings: Collection[UUID]) -> dict[UUID, list[Assessment]]:
    """Return what people said of these findings, by finding, the last one last."""
    wanted = select(Assessment).where(Assessment.finding_id.in_(findings))
    found: dict[UUID, list[Assessment]] = {}
    for row in session.scalars(wanted.order_by(Assessment.at, Assessment.id)):
        found.setdefault(row.finding_id, []).append(row)
    return found


def unassessed(session: Session, case_id: UUID, lane: Lane | None) -> Sequence[int]:
    """Return the positions of findings that nobody has assessed, in one lane or in all."""
    return session.scalars(_positions(case_id, lane, CaseFinding.assessed.is_(None))).all()


def has_confirmed(session: Session, case_id: UUID, lane: Lane | None) -> bool:
    """Whether a person has confirmed a finding of a lane."""
    confirmed = _positions(case_id, lane, CaseFinding.assessed == Assessed.CONFIRMED)
    return session.scalar(confirmed.limit(1)) is not None


def copies_confirmed_or_told(
    session: Session, case_id: UUID
) -> Sequence[tuple[CaseFinding, UUID | None]]:
    """Return findings of copies that people confirmed, or of which webhooks were told once.

    Each with the answer about its image, in the order of the case.
    """
    wanted = (
        select(CaseFinding, CaseSubject.attribution_id)
        .join(CaseSubject, CaseSubject.id == CaseFinding.subject_id)
        .where(CaseFinding.case_id == case_id, CaseFinding.lane == Lane.COPY)
        .where((CaseFinding.assessed == Assessed.CONFIRMED) | CaseFinding.told_at.is_not(None))
    )
    rows = session.execute(wanted.order_by(CaseFinding.position))
    return [(finding, answer) for finding, answer in rows]


def _positions(case_id: UUID, lane: Lane | None, which: ColumnElement[bool]) -> Select[int]:
    wanted = select(CaseFinding.position).where(CaseFinding.case_id == case_id, which)
    if lane is not None:
        wanted = wanted.where(CaseFinding.lane == lane)
    return wanted.order_by(CaseFinding.position)


def _behind(
    wanted: Select[Any], table: type[CaseSubject | CaseFinding], case_id: UUID, cursor: str | None
) -> Select[Any]:
    wanted = wanted.where(table.case_id == case_id).order_by(table.position)
    return wanted if cursor is None else wanted.where(table.position > number_key(cursor))


# ---- lists and the queue -------------------------------------------------------------------------


def list_cases(
    session: Session, wanted: CasesWanted, *, cursor: str | None = None, limit: int = 100
) -> Page[Case]:
    """Return a page of cases, the newest first."""
    rows = select(Case).order_by(Case.number.desc())
    for column, value in (
        (Case.kind, wanted.kind),
        (Case.assignee, wanted.assignee),
    ):
        rows = rows if value is None else rows.where(column == value)
    if wanted.statuses:
        rows = rows.where(Case.status.in_(wanted.statuses))
    is_leased = Case.lease_until.is_not(None) & (Case.lease_until > now())
    if wanted.person is not None:
        works = is_leased & (Case.lease_by == wanted.person)
        rows = rows.where(or_(Case.assignee == wanted.person, works))
    if wanted.is_unassigned:
        rows = rows.where(Case.assignee.is_(None), ~is_leased)
    if wanted.due_before is not None:
        rows = rows.where(Case.due_at < wanted.due_before)
    if wanted.artist_id is not None:
        leading: CompoundSelect[Any] = union_all(
            select(Artist.slug).where(Artist.id == wanted.artist_id),
            select(Change.merged_slug).where(
                Change.artist_id == wanted.artist_id, Change.merged_slug.is_not(None)
            ),
        )
        party = select(CaseParty.case_id).where(CaseParty.artist.in_(leading))
        rows = rows.where(Case.id.in_(party))
    if wanted.image_sha256 is not None:
        about = CaseSubject.image_sha256 == wanted.image_sha256
        rows = rows.where(Case.id.in_(select(CaseSubject.case_id).where(about)))
    if cursor is not None:
        rows = rows.where(Case.number < number_key(cursor))
    return cut(
        session.scalars(rows.limit(check_limit(limit))).all(), limit, lambda row: (row.number,)
    )


def waiting_case(
    session: Session, person: str, artists: Collection[str], passed: Collection[UUID]
) -> Case | None:
    """Return the most urgent case that waits for a person, locked; None where none does.

    Those assigned to them, and those of nobody that they have not skipped; neither an appeal
    against what they decided, nor a case whose decision of theirs waits for somebody else, nor one
    of which they are a party, by themselves or for `artists` (slugs), nor what was `passed` over.
    """
    moment = now()
    free = or_(Case.lease_until.is_(None), Case.lease_until < moment, Case.lease_by == person)
    skipped = exists().where(
        CaseNote.case_id == Case.id, CaseNote.kind == NoteKind.SKIP, is_by(CaseNote.by, person)
    )
    for_them = or_(Case.assignee == person, Case.assignee.is_(None) & ~skipped)
    own = is_by(Decision.by, person)
    took_part = exists().where(
        Decision.id == Case.appeals, own | is_by(Decision.seconded_by, person)
    )
    is_party = exists().where(
        CaseParty.case_id == Case.id,
        is_by(CaseParty.account, person) | CaseParty.artist.in_(artists),
    )
    signs_own = exists().where(Decision.case_id == Case.id, own, Case.status == CaseStatus.SECOND)
    wanted = (
        select(Case)
        .where(Case.status.in_(WAITING), free, for_them)
        .where(~took_part, ~signs_own, ~is_party, Case.id.not_in(passed))
        .order_by(Case.priority, Case.due_at.is_(None), Case.due_at, Case.number)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    return session.scalars(wanted).one_or_none()


def is_by(
    column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None], person: str
) -> ColumnElement[bool]:
    """Whether a record is by a person, whatever they called themselves then."""
    return or_(column == person, column.startswith(f"{person} (", autoescape=True))
