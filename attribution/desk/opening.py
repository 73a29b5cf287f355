"""Opening a case, and adding images to it: each image is in one open case of a kind."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.cases import Act, CaseKind, CaseStatus, NoteKind, PartyRole, after
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import (
    Case,
    CaseFinding,
    CaseNote,
    CaseParty,
    CaseSubject,
    Desk,
    PartyContact,
    Subject,
)
from attribution.catalogue.models.desk import PRIORITY
from attribution.catalogue.queries import contacts, desk
from attribution.catalogue.queries.pages import Page
from attribution.chunks import chunks
from attribution.collection import Stores
from attribution.custody import Forgotten
from attribution.desk.findings import Finding, of_answer, of_work
from attribution.desk.people import account, check_not_own, stated
from attribution.errors import BadInput, Conflict
from attribution.lookup.attributor import recalled
from attribution.upkeep.holds import receipts_of, tell

AT_ONCE = 500  # images that one transaction adds
MOST = 10_000  # images of a case
MOST_PARTIES = 100  # of a case

Row = TypeVar("Row")


@dataclass(frozen=True)
class NewParty:
    """Somebody who has to do with a case: a registered artist, or anybody by name."""

    role: PartyRole
    artist: str | None = None  # slug
    name: str | None = None
    account: str | None = None  # as records of this service name them, if they use it


@dataclass(frozen=True)
class NewCase:
    """What a case is opened for."""

    kind: CaseKind
    title: str
    attributions: Sequence[UUID] = ()
    artwork: UUID | None = None  # that several artists claim
    batch: UUID | None = None  # its answers that name a work or one artist
    parties: Sequence[NewParty] = ()
    priority: int = PRIORITY
    due_at: datetime | None = None  # none: as LAWFUL_CASE_DAYS says


@dataclass(frozen=True)
class Opened:
    """A case, and whether it is new."""

    case: Case
    is_new: bool


@dataclass(frozen=True)
class _Exhibit:
    sha256: str
    findings: Sequence[Finding]
    attribution_id: UUID | None = None
    artwork_id: UUID | None = None


def open_case(stores: Stores, new: NewCase) -> Opened:
    """Open a case, or return the open one of that kind which has these images already.

    Images that are in other open cases of the kind are left out where some are new. One that was in
    a closed case is judged anew, and the new case names that one (`follows`). Raises
    NotFound, and BadInput for an appeal, which is opened against a decision.
    """
    if new.kind is CaseKind.APPEAL:
        raise BadInput("an appeal is opened against a decision of a case, not by itself")
    slices = _slices(stores, new)
    opened = _open(stores, new, next(slices, []))
    if opened.case.status is CaseStatus.OPEN:
        for few in slices:
            add_answers(stores, opened.case.id, few)
    with stores.sessions() as session:
        return Opened(desk.case_by_id(session, opened.case.id), opened.is_new)


def add_answers(stores: Stores, case_id: UUID, attributions: Sequence[UUID]) -> int:
    """Add the images of recorded answers to a case; returns how many are new in it.

    Those that are in an open case of its kind, this one or another, are left out. Raises NotFound,
    Conflict for a case that takes no more, BadInput for more than AT_ONCE.
    """
    if len(attributions) > AT_ONCE:
        raise BadInput(f"{len(attributions)} answers; send at most {AT_ONCE} at once")
    with stores.sessions.begin() as session:
        exhibits = _answers(session, list(dict.fromkeys(attributions)))
        desk.hold_desk(session)
        case = desk.case_to_change(session, case_id)
        after(Act.ADD, case.status, case.number)
        if added := _add(session, case, exhibits):
            note(session, "add-images", f"{desk.CASE}:{case.id}", added=added)
        return added


def add_party(stores: Stores, case_id: UUID, party: NewParty) -> None:
    """Name another party of a case; raises NotFound, BadInput without an artist or a name.

    And for an account that no record could name; NotAllowed in a case of one's own.
    """
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.ADD, case.status, case.number)
        check_not_own(session, case)
        (row,) = _add_parties(session, case, [party])
        said = {"role": row.role, "artist": row.artist, "account": row.account}
        note(session, "add-party", f"{desk.CASE}:{case.id}", party=str(row.id), **said)


def remove_party(stores: Stores, case_id: UUID, party_id: UUID, why: str) -> None:
    """Take somebody who was named by mistake out of a case, with how they can be reached.

    The audit keeps who it was, but for a name; the reason is a comment. Raises NotFound, BadInput
    without a reason, NotAllowed in a case of one's own, Conflict unless the case is open.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.DROP, case.status, case.number)
        check_not_own(session, case)
        row = contacts.party_of_case(session, case_id, party_id)
        if (contact := session.get(PartyContact, row.id, with_for_update=True)) is not None:
            contacts.forget_contact(session, contact, Forgotten.REQUEST)
            session.flush()  # a contact refers to its party
        session.delete(row)
        said = {"role": row.role, "artist": row.artist, "account": row.account}
        note(session, "remove-party", f"{desk.CASE}:{case.id}", party=str(row.id), **said)
        # Not in that entry: it goes out with packs, and what people write to each other does not
        session.add(CaseNote(case_id=case.id, kind=NoteKind.COMMENT, text=why, by=who().name))
    empty_log(stores.sessions)


def appeal(stores: Stores, case_id: UUID, why: str, parties: Sequence[NewParty] = ()) -> Opened:
    """Open an appeal against the last decision of a case, or return the one that is open.

    It has the images and the machine's statements of then, and nobody has assessed them yet.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        held = desk.hold_desk(session)
        of = desk.case_to_change(session, case_id)
        after(Act.APPEAL, of.status, of.number)
        decision = desk.decisions_of(session, of.id)[-1]
        if (known := desk.open_appeal(session, decision.id)) is not None:
            return Opened(known, is_new=False)
        case = _new(
            session,
            held,
            kind=CaseKind.APPEAL,
            title=f"Appeal against decision {decision.number} of case {of.number}",
            appeals=decision.id,
            priority=of.priority,
            due_at=_due(stores, CaseKind.APPEAL),
        )
        known_parties = [
            NewParty(one.role, one.artist, one.name, one.account)
            for one in desk.parties_of(session, of.id)
        ]
        _add_parties(session, case, [*known_parties, *parties])
        _copy(session, of, case)
        session.add(CaseNote(case_id=case.id, kind=NoteKind.APPEAL, text=why, by=who().name))
        filed = {"appeal": str(case.id), "number": case.number}
        note(session, "open-appeal", f"{desk.CASE}:{of.id}", **filed)
    return Opened(case, is_new=True)


def _open(stores: Stores, new: NewCase, first: Sequence[UUID]) -> Opened:
    """Open a case with the first images of it, or find the one that has them."""
    if new.batch is not None and not (first or new.attributions):
        raise Conflict(
            f"no answer of lookup batch {new.batch} names a work or one artist: there is nothing "
            f"to open a case for"
        )
    with stores.sessions.begin() as session:
        exhibits = [*_answers(session, first), *_work(session, new.artwork)]
        hashes = [one.sha256 for one in exhibits]
        held = desk.hold_desk(session)
        known = desk.open_cases_of(session, new.kind, hashes)
        if exhibits and all(one.sha256 in known for one in exhibits):
            return Opened(desk.case_by_id(session, known[exhibits[0].sha256]), is_new=False)
        case = _new(
            session,
            held,
            kind=new.kind,
            title=stated(new.title, "title"),
            priority=new.priority,
            due_at=new.due_at or _due(stores, new.kind),
            follows=desk.last_closed_case(session, new.kind, hashes),
        )
        _add_parties(session, case, new.parties)
        _add(session, case, exhibits)
    return Opened(case, is_new=True)


def _new(session: Session, held: Desk, **said: Any) -> Case:
    """Give a new case the next number of the desk, which has to be held."""
    held.last_case += 1
    case = Case(id=uuid4(), number=held.last_case, opened_by=who().name, **said)
    case.subjects = case.findings = 0
    session.add(case)
    session.flush()
    return case


def _due(stores: Stores, kind: CaseKind) -> datetime | None:
    days = stores.settings.case_days.get(kind)
    return None if days is None else now() + timedelta(days=days)


def _slices(stores: Stores, new: NewCase) -> Iterator[Sequence[UUID]]:
    """Yield the answers that a case is opened for, as many as one transaction adds, MOST at most.

    Those of a batch that name a work or one artist.
    """
    yield from chunks(list(dict.fromkeys(new.attributions)), AT_ONCE)
    if new.batch is None:
        return
    position = -1
    for _ in range(MOST // AT_ONCE):
        with stores.sessions() as session:
            queries.lookup_batch_by_id(session, new.batch)
            rows = desk.answers_to_look_at(session, new.batch, after=position, limit=AT_ONCE)
        if not rows:
            return
        position = rows[-1][0]
        yield [one for _, one in rows]


def _answers(session: Session, ids: Sequence[UUID]) -> list[_Exhibit]:
    return [
        _Exhibit(one.image_sha256, list(of_answer(one)), attribution_id=one.id)
        for one in recalled(session, ids)
    ]


def _work(session: Session, work_id: UUID | None) -> Iterable[_Exhibit]:
    if work_id is None:
        return
    work = queries.artwork_by_id(session, work_id)
    claims = queries.claims_for(session, [work_id]).get(work_id, [])
    if not claims:
        raise Conflict(f"no other artist claims work {work_id}: there is no conflict to judge")
    yield _Exhibit(work.sha256, list(of_work(work, claims)), artwork_id=work_id)


def _add_parties(session: Session, case: Case, parties: Iterable[NewParty]) -> Sequence[CaseParty]:
    new, rows = list(parties), []
    if len(desk.parties_of(session, case.id)) + len(new) > MOST_PARTIES:
        raise Conflict(f"case {case.number} would have more than {MOST_PARTIES} parties")
    for one in new:
        if (one.artist is None) == (not (one.name or "").strip()):
            raise BadInput("a party is an artist (slug) or has a name: give one of both")
        slug = None if one.artist is None else queries.artist_by_slug(session, one.artist).slug
        user = None if one.account is None else account(one.account)
        rows.append(
            CaseParty(case_id=case.id, role=one.role, artist=slug, name=one.name, account=user)
        )
    session.add_all(rows)
    session.flush()
    return rows


def _add(session: Session, case: Case, exhibits: Iterable[_Exhibit]) -> int:
    """Add the images that no open case of the kind has; the desk has to be held."""
    kind = case.kind
    new = {one.sha256: one for one in exhibits}  # of several answers about one image, the last
    for sha256 in desk.open_cases_of(session, kind, list(new)):
        del new[sha256]
    if case.subjects + len(new) > MOST:
        raise Conflict(
            f"case {case.number} has {case.subjects} images; with {len(new)} more it would pass "
            f"{MOST}: open another case"
        )
    found: dict[UUID, Sequence[Finding]] = {}
    for one in new.values():
        case.subjects += 1
        subject = CaseSubject(
            id=uuid4(),
            case_id=case.id,
            position=case.subjects,
            image_sha256=one.sha256,
            attribution_id=one.attribution_id,
            artwork_id=one.artwork_id,
            open_kind=kind,
        )
        session.add(subject)
        found[subject.id] = one.findings
    session.flush()  # findings refer to their subjects
    # Nobody forgets them meanwhile: what is on hold for the case keeps them too
    images = queries.subjects_to_change(session, Subject.image_sha256.in_(new))
    tell(session, receipts_of(images))
    for subject_id, findings in found.items():
        _add_findings(session, case, subject_id, findings)
    return len(new)


def _copy(session: Session, old: Case, new: Case) -> None:
    """Give a case the images and findings of another one, not assessed."""
    subjects: dict[UUID, UUID] = {}
    for subject in every(session, old, desk.list_case_subjects):
        subjects[subject.id] = uuid4()
        session.add(
            CaseSubject(
                id=subjects[subject.id],
                case_id=new.id,
                position=subject.position,
                image_sha256=subject.image_sha256,
                attribution_id=subject.attribution_id,
                artwork_id=subject.artwork_id,
            )
        )
    new.subjects = old.subjects
    session.flush()  # findings refer to their subjects
    for one in every(session, old, desk.list_case_findings):
        finding = Finding(one.lane, one.statement, one.about)
        _add_findings(session, new, subjects[one.subject_id], [finding])


def _add_findings(
    session: Session, case: Case, subject_id: UUID, findings: Iterable[Finding]
) -> None:
    for one in findings:
        case.findings += 1
        session.add(
            CaseFinding(case_id=case.id, position=case.findings, subject_id=subject_id, **vars(one))
        )


def every(session: Session, case: Case, listed: Callable[..., Page[Row]]) -> Iterator[Row]:
    """Yield every row of a list of a case."""
    cursor: str | None = None
    while True:
        page = listed(session, case.id, cursor=cursor, limit=AT_ONCE)
        yield from page.items
        if (cursor := page.next) is None:
            return
