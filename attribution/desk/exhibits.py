"""What has become of the answers and works that a case rests on."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue.models import CaseSubject
from attribution.catalogue.queries.desk import receipts_of_answers
from attribution.catalogue.queries.records import removals


def receipts_of(session: Session, subjects: Sequence[CaseSubject]) -> dict[UUID, list[UUID]]:
    """Return under which receipts of withdrawals something of these exhibits went, by subject."""
    answers = [one.attribution_id for one in subjects if one.attribution_id is not None]
    works = {one.artwork_id for one in subjects if one.artwork_id is not None}
    gone = receipts_of_answers(session, answers)
    for removal, withdrawn in removals(session, works).items():
        gone |= {work: [removal.receipt] for work in withdrawn}
    return {
        subject.id: [
            receipt
            for exhibit in (subject.attribution_id, subject.artwork_id)
            if exhibit is not None
            for receipt in gone.get(exhibit, [])
        ]
        for subject in subjects
    }
