"""What has become of the answers that a case rests on."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue.models import CaseSubject
from attribution.lookup.attributor import recalled


def receipts_of(session: Session, subjects: Iterable[CaseSubject]) -> dict[UUID | None, list[UUID]]:
    """Return under which receipts of withdrawals something of these answers went, by answer."""
    ids = [one.attribution_id for one in subjects if one.attribution_id is not None]
    return {answer.id: [one.receipt for one in answer.removed] for answer in recalled(session, ids)}
