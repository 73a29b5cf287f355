"""Assessing findings and deciding cases. A decision never changes: a later one supersedes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.cases import (
    RULINGS,
    Act,
    Assessed,
    CaseKind,
    CaseOutcome,
    CaseStatus,
    Ground,
    NoteKind,
    after,
)
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import Assessment, Case, CaseNote, Decision
from attribution.catalogue.queries import desk, documents, holds
from attribution.collection import Stores
from attribution.desk.people import (
    check_named,
    check_not_own,
    check_other_reviewer,
    me,
    person,
    stated,
)
from attribution.desk.telling import tell
from attribution.errors import BadInput, Conflict, NotAllowed

NAMED = 5  # findings that an error lists
AT_ONCE = 500  # findings that are assessed in one transaction


@dataclass(frozen=True)
class NewDecision:
    """What is decided, by which reason code, in which words."""

    outcome: CaseOutcome
    ground: Ground
    words: str


def assess(
    stores: Stores, case_id: UUID, findings: Sequence[UUID], verdict: Assessed, why: str
) -> None:
    """Say of findings of a case whether they hold; what was said before stays in the record.

    Raises NotFound, NotAllowed for a case of one's own, Conflict unless the case is open.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        case = _to_judge(session, case_id, Act.ASSESS)
        for one in desk.findings_by_id(session, case_id, findings).values():
            one.assessed = verdict
            session.add(Assessment(finding_id=one.id, verdict=verdict, why=why, by=who().name))
        case.status = after(Act.ASSESS, case.status, case.number)


def decide(stores: Stores, case_id: UUID, new: NewDecision) -> None:
    """Decide an open case; a grave outcome waits for the signature of a second person.

    So does one in place of a decision that two people have signed.

    Raises NotFound, NotAllowed for a case of one's own or an appeal against one's own decision,
    BadInput for an outcome of appeals elsewhere, Conflict unless the case is open, its findings of
    the lane are assessed, and one is confirmed where the outcome rests on it.
    """
    words, ruling = stated(new.words, "statement of reasons"), RULINGS[new.outcome]
    with stores.sessions.begin() as session:
        case = _to_judge(session, case_id, Act.DECIDE)
        if ruling.in_appeal != (case.kind is CaseKind.APPEAL):
            allowed = (
                one.value
                for one, other in RULINGS.items()
                if other.in_appeal == (case.kind is CaseKind.APPEAL)
            )
            raise BadInput(
                f"{new.outcome.value!r} is not an outcome of case {case.number}, of the kind "
                f"{case.kind.value!r}; use one of {', '.join(allowed)}"
            )
        _check_assessed(session, case, new.outcome)
        earlier = desk.decisions_of(session, case_id)
        # What two people have decided, one alone does not lift.
        is_grave = ruling.is_grave or bool(earlier and earlier[-1].seconded_at)
        if is_grave:
            check_named(f"{new.outcome.value!r} needs two people")
        session.add(
            Decision(
                case_id=case_id,
                number=len(earlier) + 1,
                outcome=new.outcome,
                ground=new.ground,
                words=words,
                by=who().name,
                supersedes=earlier[-1].id if earlier else case.appeals,
                needs_second=is_grave,
            )
        )
        decided = after(Act.DECIDE, case.status, case.number)
        case.status = CaseStatus.SECOND if is_grave else decided
        if not is_grave:
            _holds_now(session, case, new.outcome)
        _let_go(case)


def second(stores: Stores, case_id: UUID) -> None:
    """Sign the decision of somebody else, which holds from now on.

    Raises NotFound, NotAllowed for one's own decision or a case of one's own, Conflict unless the
    case waits for that.
    """
    with stores.sessions.begin() as session:
        case = _to_judge(session, case_id, Act.SIGN)
        decision = desk.decisions_of(session, case_id)[-1]
        check_named("a second signature is another person's")
        if person(decision.by) == me():
            raise NotAllowed(
                f"{who().name} made decision {decision.number} of case {case.number}: another "
                f"person has to second it"
            )
        decision.seconded_by, decision.seconded_at = who().name, now()
        case.status = after(Act.SIGN, case.status, case.number)
        _holds_now(session, case, decision.outcome)
        _let_go(case)


def reopen(stores: Stores, case_id: UUID, why: str) -> None:
    """Open a decided case again: the next decision supersedes its last one.

    Raises NotFound, NotAllowed as for a decision, Conflict unless the case is decided or waits for
    a second person.
    """
    why = stated(why, "reason")
    with stores.sessions.begin() as session:
        case = _to_judge(session, case_id, Act.REOPEN)
        case.status = after(Act.REOPEN, case.status, case.number)
        session.add(CaseNote(case_id=case_id, kind=NoteKind.REOPEN, text=why, by=who().name))
        _let_go(case)


def close(stores: Stores, case_id: UUID) -> None:
    """Close a decided case: its images may be the subjects of another one from now on.

    Its documents go LAWFUL_DOCUMENT_DAYS later.

    Raises NotFound, NotAllowed for a case of one's own, Conflict unless the case is decided and
    nothing is on hold for it.
    """
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        case.status = after(Act.CLOSE, case.status, case.number)
        check_not_own(session, case)
        if any(one.ended_at is None for one in holds.holds_of(session, case_id)):
            raise Conflict(f"something is on hold for case {case.number}: end its holds first")
        desk.release_subjects(session, case_id)
        until = now() + timedelta(days=stores.settings.document_days)
        documents.keep_documents_until(session, case_id, until)
        note(session, "close-case", f"{desk.CASE}:{case_id}")


def _to_judge(session: Session, case_id: UUID, act: Act) -> Case:
    """Return a case, locked, that the caller may judge; raises NotFound, Conflict, NotAllowed."""
    case = desk.case_to_change(session, case_id)
    after(act, case.status, case.number)
    check_not_own(session, case)
    check_other_reviewer(session, case, who().name)
    return case


def _check_assessed(session: Session, case: Case, outcome: CaseOutcome) -> None:
    lane = RULINGS[outcome].lane
    where = f" of the lane {lane.value!r}" if lane else ""
    if left := desk.unassessed(session, case.id, lane):
        more = f" and {len(left) - NAMED:,} more" if len(left) > NAMED else ""
        raise Conflict(
            f"findings {', '.join(map(str, left[:NAMED]))}{more}{where} of case {case.number} are "
            f"not assessed: assess them before a decision {outcome.value!r}"
        )
    if RULINGS[outcome].rests_on_finding and not desk.has_confirmed(session, case.id, lane):
        raise Conflict(
            f"no finding{where} of case {case.number} is confirmed, and {outcome.value!r} rests on "
            f"one: confirm one, or decide otherwise"
        )


def _holds_now(session: Session, case: Case, outcome: CaseOutcome) -> None:
    """Tell whom a decision that holds concerns; that in an appeal is said in its case as well."""
    tell(session, case, outcome)
    if case.appeals is not None:
        against = desk.decision_by_id(session, case.appeals).case_id
        said = {"appeal": str(case.id), "number": case.number, "outcome": outcome.value}
        note(session, "decide-appeal", f"{desk.CASE}:{against}", **said)


def _let_go(case: Case) -> None:
    case.lease_by = case.lease_until = None
