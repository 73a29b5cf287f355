"""Pairs of an image and a work that people decided about: shown by it, or not.

From decisions that hold alone. An assessment without a decision says nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session, aliased

from attribution.cases import Assessed, CaseOutcome, CaseStatus, Ground, Lane
from attribution.catalogue.models import (
    ArtworkStatus,
    Case,
    CaseFinding,
    CaseSubject,
    Decision,
)
from attribution.catalogue.queries.artworks import artworks_by_id
from attribution.catalogue.queries.pages import Page, check_limit, cut, numbers_key

MATCHES = (CaseOutcome.MATCH_CONFIRMED, CaseOutcome.MATCH_LICENSED)
ANOTHER = (Ground.OTHER_PICTURE, Ground.SAME_SUBJECT)  # reasons that speak of the pictures
DONE = (CaseStatus.DECIDED, CaseStatus.CLOSED)


@dataclass(frozen=True)
class Pair:
    """An image and a work, in a lane, and the decision that says whether they match."""

    image_sha256: str
    artwork_id: UUID
    lane: Lane
    is_match: bool
    case: Case
    decision: Decision


def list_pairs(session: Session, *, cursor: str | None = None, limit: int = 100) -> Page[Pair]:
    """Return a page of pairs, of the newest case first; without works that are withdrawn.

    So a page may have fewer than `limit`, and another one behind it.
    """
    wanted = (
        select(Case, Decision, CaseFinding, CaseSubject.image_sha256)
        .join(Decision, Decision.case_id == Case.id)
        .join(CaseFinding, CaseFinding.case_id == Case.id)
        .join(CaseSubject, CaseSubject.id == CaseFinding.subject_id)
        .where(_holds(), CaseFinding.lane == Lane.COPY, _says())
        .order_by(Case.number.desc(), CaseFinding.position)
    )
    if cursor is not None:
        number, position = numbers_key(cursor, 2)
        within = and_(Case.number == number, CaseFinding.position > position)
        wanted = wanted.where(or_(Case.number < number, within))
    rows = session.execute(wanted.limit(check_limit(limit))).all()
    page = cut(rows, limit, lambda row: (row[0].number, row[2].position))
    works = {finding.id: UUID(finding.about["work"]) for _, _, finding, _ in page.items}
    known = artworks_by_id(session, set(works.values()), status=ArtworkStatus.INDEXED)
    pairs = (
        Pair(sha256, works[finding.id], finding.lane, decision.outcome in MATCHES, case, decision)
        for case, decision, finding, sha256 in page.items
        if works[finding.id] in known
    )
    return Page(tuple(pairs), page.next)


def decisions_about(session: Session, sha256: str, limit: int) -> list[tuple[Case, Decision]]:
    """Return decisions that hold in cases about an image, the newest first."""
    about = select(CaseSubject.case_id).where(CaseSubject.image_sha256 == sha256)
    wanted = select(Case, Decision).join(Decision, Decision.case_id == Case.id)
    held = wanted.where(Case.id.in_(about), _holds()).order_by(Decision.at.desc(), Decision.id)
    return [(case, one) for case, one in session.execute(held.limit(limit))]


def _says() -> ColumnElement[bool]:
    """Whether a decision says of a finding that its work is shown, or that it is not."""
    shown = Decision.outcome.in_(MATCHES) & (CaseFinding.assessed == Assessed.CONFIRMED)
    rejected = (Decision.outcome == CaseOutcome.MATCH_REJECTED) & Decision.ground.in_(ANOTHER)
    return shown | (rejected & (CaseFinding.assessed == Assessed.REJECTED))


def _holds() -> ColumnElement[bool]:
    """Whether a decision holds: the last of its case, and no appeal against it was granted."""
    later, appeal, granted, beyond = (
        *(aliased(Decision), aliased(Case)),
        *(aliased(Decision), aliased(Decision)),
    )
    is_last = ~exists().where(later.case_id == Decision.case_id, later.number > Decision.number)
    is_lifted = exists().where(
        appeal.appeals == Decision.id,
        appeal.status.in_(DONE),
        granted.case_id == appeal.id,
        granted.outcome == CaseOutcome.APPEAL_GRANTED,
        ~exists().where(beyond.case_id == granted.case_id, beyond.number > granted.number),
    )
    return Case.status.in_(DONE) & is_last & ~is_lifted
