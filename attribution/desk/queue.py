"""The queue: a case is given to one person for some time; they skip, move or release it.

Priority and due date say which case is next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.cases import Act, NoteKind, after
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import Case, CaseNote
from attribution.catalogue.queries import desk
from attribution.collection import Stores
from attribution.desk.people import account, check_not_own, check_other_reviewer, me, stated
from attribution.errors import BadInput, Conflict, NotAllowed

TRIED = 100  # cases that a caller may not judge, until there is said to be none for them


def take_next(stores: Stores) -> Case | None:
    """Give the caller the most urgent case that waits for them; None where none does.

    Nobody else gets it for LAWFUL_CASE_LEASE_MINUTES; asking again renews that.
    """
    lease = timedelta(minutes=stores.settings.case_lease_minutes)
    with stores.sessions.begin() as session:
        slugs = queries.slugs_leading_to(session, queries.artist_ids(session, who().artists))
        passed: list[UUID] = []
        while len(passed) < TRIED and (row := desk.waiting_case(session, me(), slugs, passed)):
            if _may_judge(session, row):
                row.lease_by, row.lease_until = me(), now() + lease
                note(session, "take-case", f"{desk.CASE}:{row.id}")
                return row
            passed.append(row.id)
    return None


def skip(stores: Stores, case_id: UUID, why: str) -> None:
    """Leave a case to others: the queue gives it to the caller only if somebody moves it to them.

    Raises NotFound, NotAllowed for a case of one's own, Conflict for one that is decided, or that
    somebody else works on.
    """
    why = stated(why, "reason")
    with _changing(stores, case_id) as (session, case):
        check_not_own(session, case)
        if case.assignee == me():
            case.assignee = None
        session.add(CaseNote(case_id=case_id, kind=NoteKind.SKIP, text=why, by=who().name))


def move(stores: Stores, case_id: UUID, to: str, why: str) -> None:
    """Give a case to somebody, as records of this service name them; raises as `skip` does.

    NotAllowed for an appeal against a decision of theirs, and in a case of one's own; BadInput for
    somebody whom no record could name.
    """
    why, to = stated(why, "reason"), account(to)
    with _changing(stores, case_id) as (session, case):
        check_not_own(session, case)
        check_other_reviewer(session, case, to)
        case.assignee = to
        session.add(CaseNote(case_id=case_id, kind=NoteKind.MOVE, text=why, by=who().name))
        note(session, "assign-case", f"{desk.CASE}:{case_id}", to=to)


def release(stores: Stores, case_id: UUID) -> None:
    """Give a case back to the queue; raises as `skip` does."""
    with _changing(stores, case_id) as (session, _):
        note(session, "release-case", f"{desk.CASE}:{case_id}")


def plan(stores: Stores, case_id: UUID, said: Mapping[str, int | datetime | None]) -> None:
    """Give a case another `priority` (1 to 5) or another `due_at`, which may be None.

    Raises NotFound, BadInput where nothing is said, Conflict for a case that is decided.
    """
    if not said:
        raise BadInput("nothing to change: give a priority, a due date, or both")
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.PLAN, case.status, case.number)
        for name, value in said.items():
            setattr(case, name, value)
        due = case.due_at and case.due_at.isoformat()
        note(session, "plan-case", f"{desk.CASE}:{case_id}", priority=case.priority, due_at=due)


def comment(stores: Stores, case_id: UUID, text: str) -> None:
    """Write a comment into a case, whatever its status; nobody can alter it.

    Raises NotFound, NotAllowed in a case of one's own.
    """
    text = stated(text, "comment")
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_to_change(session, case_id))
        session.add(CaseNote(case_id=case_id, kind=NoteKind.COMMENT, text=text, by=who().name))


def _may_judge(session: Session, case: Case) -> bool:
    try:
        check_not_own(session, case)
        check_other_reviewer(session, case, who().name)
    except NotAllowed:
        return False
    return True


@contextmanager
def _changing(stores: Stores, case_id: UUID) -> Iterator[tuple[Session, Case]]:
    """Lock a case that nobody else works on, and end the caller's lease."""
    with stores.sessions.begin() as session:
        case = desk.case_to_change(session, case_id)
        after(Act.TAKE, case.status, case.number)
        if case.lease_until and case.lease_until > now() and case.lease_by != me():
            raise Conflict(
                f"{case.lease_by} works on case {case.number} until "
                f"{case.lease_until:%Y-%m-%d %H:%M UTC}: ask them, or wait"
            )
        case.lease_by = case.lease_until = None
        yield session, case
