"""Webhooks that wait for people are told of a copy when a decision that holds confirms it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.cases import RULINGS, CaseOutcome, Lane
from attribution.catalogue.columns import now
from attribution.catalogue.models import Case
from attribution.catalogue.queries import announce_copies, desk
from attribution.events import After


def tell(session: Session, case: Case, outcome: CaseOutcome) -> None:
    """Have webhooks told which works people found that images of a case show, each once.

    A decision that holds has to say so; one in an appeal is about another decision.
    """
    ruling = RULINGS[outcome]
    if ruling.lane is not Lane.COPY or not ruling.rests_on_finding:
        return
    rows = desk.copies_confirmed_or_told(session, case.id)
    told = {finding.about["work"] for finding, _ in rows if finding.told_at}
    copies: dict[UUID, dict[str, Any]] = {}
    for finding, attribution_id in rows:
        work = finding.about["work"]
        if work not in told:
            told.add(work)
            finding.told_at = now()
            said = {"attribution": str(attribution_id), "artwork": work}
            decided = {"case": str(case.id), "outcome": outcome}
            copies[UUID(work)] = said | {"kind": finding.about["kind"]} | decided
    announce_copies(session, After.REVIEW, copies)
