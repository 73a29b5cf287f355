"""What an evidence pack says of a case: what was found, assessed and decided, as JSON values.

What people wrote to each other, who works on it and how parties can be reached stay out: a pack
goes to strangers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue.models import (
    Assessment,
    CaseFinding,
    CaseSubject,
    Decision,
    Sealed,
)
from attribution.catalogue.queries import desk
from attribution.errors import Conflict

AT_ONCE = 500


@dataclass(frozen=True)
class CaseFile:
    """A case, as a pack has it."""

    id: UUID
    title: str
    said: dict[str, Any]
    records: Sequence[Sealed]  # that the audit vouches for
    decisions: Sequence[Decision]
    lookups: Sequence[UUID]  # answers about its images


def case_file(session: Session, case_id: UUID) -> CaseFile:
    """Return what a pack says of a case; raises NotFound, Conflict for one without an answer."""
    case = desk.case_by_id(session, case_id)
    subjects = list(_subjects(session, case_id))
    lookups = [one.attribution_id for one in subjects if one.attribution_id is not None]
    if not lookups:
        raise Conflict(
            f"case {case.number} has no image that was asked about: there is no answer to pack"
        )
    findings, assessments = _findings(session, case_id)
    decisions = desk.decisions_of(session, case_id)
    said = {
        "id": str(case.id),
        "number": case.number,
        "kind": case.kind,
        "title": case.title,
        "status": case.status,
        "appeals": _text(case.appeals),
        "opened_at": _text(case.opened_at),
        "opened_by": case.opened_by,
        "parties": [
            {"role": one.role, "artist": one.artist, "name": one.name}
            for one in desk.parties_of(session, case_id)
        ],
        "subjects": [_subject(one) for one in subjects],
        "findings": findings,
        "decisions": [_decision(one) for one in decisions],
    }
    records: list[Sealed] = [case, *assessments, *decisions]
    return CaseFile(case_id, f"Case {case.number}: {case.title}", said, records, decisions, lookups)


def _subjects(session: Session, case_id: UUID) -> Iterator[CaseSubject]:
    cursor: str | None = None
    while True:
        page = desk.list_case_subjects(session, case_id, cursor=cursor, limit=AT_ONCE)
        yield from page.items
        if (cursor := page.next) is None:
            return


def _findings(session: Session, case_id: UUID) -> tuple[list[dict[str, Any]], list[Assessment]]:
    """Return the findings with what people said of each, and the rows of that."""
    said, rows = [], []
    cursor: str | None = None
    while True:
        page = desk.list_case_findings(session, case_id, cursor=cursor, limit=AT_ONCE)
        assessed = desk.assessments_of(session, [one.id for one in page.items])
        for one in page.items:
            said.append(_finding(one, assessed.get(one.id, [])))
            rows += assessed.get(one.id, [])
        if (cursor := page.next) is None:
            return said, rows


def _subject(row: CaseSubject) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "sha256": row.image_sha256,
        "attribution": _text(row.attribution_id),
        "artwork": _text(row.artwork_id),
    }


def _finding(row: CaseFinding, assessments: Sequence[Assessment]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "subject": str(row.subject_id),
        "lane": row.lane,
        "statement": row.statement,
        "about": row.about,
        "assessments": [
            {
                "id": str(one.id),
                "verdict": one.verdict,
                "why": one.why,
                "by": one.by,
                "at": _text(one.at),
            }
            for one in assessments
        ],
    }


def _decision(row: Decision) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "number": row.number,
        "outcome": row.outcome,
        "ground": row.ground,
        "words": row.words,
        "by": row.by,
        "at": _text(row.at),
        "supersedes": _text(row.supersedes),
        "needs_second": row.needs_second,
        "seconded_by": row.seconded_by,
        "seconded_at": _text(row.seconded_at),
    }


def _text(one: UUID | datetime | None) -> str | None:
    if isinstance(one, datetime):
        return one.isoformat()
    return None if one is None else str(one)
