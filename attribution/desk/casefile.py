"""What an evidence pack says of a case: what was found, assessed and decided, as JSON values.

What people wrote to each other, who works on it, how parties can be reached and the files of
documents stay out: a pack goes to strangers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.cases import CaseOutcome
from attribution.catalogue.models import Assessment, Case, Decision, Sealed
from attribution.catalogue.queries import desk
from attribution.catalogue.queries.documents import list_documents
from attribution.chunks import chunks
from attribution.desk.opening import every
from attribution.errors import Conflict

AT_ONCE = 500


def _alike(*names: str) -> dict[str, str]:
    return {name: name for name in names}


CASE = _alike(
    *("id", "number", "kind", "title", "status", "appeals", "follows"),
    *("opened_at", "opened_by"),
)
APPEALED = _alike("id", "number", "decision", "outcome")
PARTY = _alike("role", "artist", "name")
SUBJECT = {
    "id": "id",
    "sha256": "image_sha256",
    "attribution": "attribution_id",
    "artwork": "artwork_id",
}
FINDING = {"id": "id", "subject": "subject_id", **_alike("lane", "statement", "about")}
SAID = _alike("id", "verdict", "why", "by", "at")
DOCUMENT = {
    "size": "size_bytes",
    **_alike("id", "title", "sha256", "media_type", "by", "at"),
    **_alike("removed_at", "removed_by", "removed_why"),
}
DECISION = _alike(
    *("id", "number", "outcome", "ground", "words", "by", "at"),
    *("supersedes", "needs_second", "seconded_by", "seconded_at"),
)
"""What a pack has of each row: its name there, and the column."""


@dataclass(frozen=True)
class Earlier:
    """The case that one goes back to."""

    id: UUID
    number: int
    decision: int | None  # the number of that which an appeal is against; none: the case is closed


@dataclass(frozen=True)
class Appealed:
    """An appeal against a decision of a case."""

    id: UUID
    number: int  # of the appeal's own case
    decision: int  # the number of the decision that it is against
    outcome: CaseOutcome | None  # none: no decision about it holds yet


@dataclass(frozen=True)
class CaseFile:
    """A case, as a pack has it."""

    id: UUID
    number: int
    title: str
    earlier: Earlier | None
    appealed: Sequence[Appealed]
    said: dict[str, Any]
    records: Sequence[Sealed]  # that the audit vouches for
    decisions: Sequence[Decision]
    lookups: Sequence[UUID]  # answers about its images

    @property
    def named(self) -> dict[str, Any]:
        """Which case it is, and which it goes back to, as the manifest says it."""
        earlier = self.earlier and {
            "id": str(self.earlier.id),
            "number": self.earlier.number,
            "decision": self.earlier.decision,
        }
        return {"id": str(self.id), "number": self.number, "earlier": earlier}


def case_file(session: Session, case_id: UUID) -> CaseFile:
    """Return what a pack says of a case; raises NotFound, Conflict for one without an answer."""
    case = desk.case_by_id(session, case_id)
    subjects = list(every(session, case, desk.list_case_subjects))
    lookups = [one.attribution_id for one in subjects if one.attribution_id is not None]
    if not lookups:
        raise Conflict(
            f"case {case.number} has no image that was asked about: there is no answer to pack"
        )
    findings, assessments = _findings(session, case)
    decisions = desk.decisions_of(session, case_id)
    papers = list(every(session, case, list_documents))
    appealed = appealed_in(session, case_id)
    said = _values(case, CASE) | {
        "parties": [_values(one, PARTY) for one in desk.parties_of(session, case_id)],
        "subjects": [_values(one, SUBJECT) for one in subjects],
        "findings": findings,
        "decisions": [_values(one, DECISION) for one in decisions],
        "documents": [_values(one, DOCUMENT) for one in papers],
        "appealed": [_values(one, APPEALED) for one in appealed],
    }
    records: list[Sealed] = [case, *assessments, *decisions, *papers]
    title, earlier = f"Case {case.number}: {case.title}", earlier_of(session, case)
    return CaseFile(
        case_id, case.number, title, earlier, appealed, said, records, decisions, lookups
    )


def earlier_of(session: Session, case: Case) -> Earlier | None:
    """Return the case that one follows, or whose decision it appeals against."""
    if case.follows is not None:
        closed = desk.case_by_id(session, case.follows)
        return Earlier(closed.id, closed.number, None)
    if case.appeals is not None:
        decision = desk.decision_by_id(session, case.appeals)
        decided = desk.case_by_id(session, decision.case_id)
        return Earlier(decided.id, decided.number, decision.number)
    return None


def appealed_in(session: Session, case_id: UUID) -> Sequence[Appealed]:
    """Return the appeals against decisions of a case, and what was decided about each."""
    return [
        Appealed(appeal.id, appeal.number, number, _holds(desk.decisions_of(session, appeal.id)))
        for appeal, number in desk.appeals_against(session, case_id)
    ]


def _holds(decisions: Sequence[Decision]) -> CaseOutcome | None:
    """Return the outcome of the last decision if it holds."""
    last = decisions[-1] if decisions else None
    is_unsigned = last is None or (last.needs_second and last.seconded_at is None)
    return None if last is None or is_unsigned else last.outcome


def _findings(session: Session, case: Case) -> tuple[list[dict[str, Any]], list[Assessment]]:
    """Return the findings with what people said of each, and the rows of that."""
    said: list[dict[str, Any]] = []
    rows: list[Assessment] = []
    for few in chunks(list(every(session, case, desk.list_case_findings)), AT_ONCE):
        assessed = desk.assessments_of(session, [one.id for one in few])
        for one in few:
            theirs = assessed.get(one.id, [])
            said.append(_values(one, FINDING) | {"assessments": [_values(x, SAID) for x in theirs]})
            rows += theirs
    return said, rows


def _values(row: object, names: Mapping[str, str]) -> dict[str, Any]:
    """Return columns of a row as JSON values, each under the name that a pack has for it."""
    return {name: _json(getattr(row, column)) for name, column in names.items()}


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
