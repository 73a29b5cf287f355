"""Statements about what happened in a case: entries of the audit, and the rows they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, select, union_all
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue.models import (
    Assessment,
    AuditEntry,
    CaseDocument,
    CaseFinding,
    CaseNote,
    CaseParty,
    Decision,
    Hold,
    Sealed,
)
from attribution.catalogue.queries.contacts import PARTY
from attribution.catalogue.queries.desk import CASE
from attribution.catalogue.queries.pages import Page, check_limit, cut, number_key
from attribution.catalogue.sealed import KINDS, SEALED

REMOVE_PARTY = "remove-party"
END_HOLD = "end-hold"  # the hold itself has an entry that says the same


def list_timeline(
    session: Session, case_id: UUID, *, cursor: str | None = None, limit: int = 100
) -> Page[AuditEntry]:
    """Return a page of the entries about a case and all that is in it, the newest first.

    Assessments and notes, of which there may be thousands, are found by the number of their only
    entry; what may have several entries by how these call it.
    """
    findings = select(CaseFinding.id).where(CaseFinding.case_id == case_id)
    numbers: CompoundSelect[Any] = union_all(
        select(Assessment.sealed).where(Assessment.finding_id.in_(findings)),
        select(CaseNote.sealed).where(CaseNote.case_id == case_id),
        select(AuditEntry.sequence).where(AuditEntry.object.in_(list(_objects(session, case_id)))),
    )
    wanted = select(AuditEntry).where(
        AuditEntry.sequence.in_(numbers),
        AuditEntry.tenant == tenants.current(),
        AuditEntry.action != END_HOLD,
    )
    if cursor is not None:
        wanted = wanted.where(AuditEntry.sequence < number_key(cursor))
    newest = wanted.order_by(AuditEntry.sequence.desc()).limit(check_limit(limit))
    return cut(session.scalars(newest).all(), limit, lambda row: (row.sequence,))


def rows_about(session: Session, entries: Sequence[AuditEntry]) -> dict[str, Sealed]:
    """Return the sealed rows that entries are about, as they are now, by how entries call them."""
    kinds: dict[str, set[UUID]] = {}
    for entry in entries:
        name, _, row_id = (entry.object or "").partition(":")
        if name in SEALED:
            kinds.setdefault(name, set()).add(UUID(row_id))
    return {
        kind.key(row.id): row
        for name, ids in kinds.items()
        for kind in (SEALED[name],)
        for row in session.scalars(select(kind.table).where(kind.table.id.in_(ids)))
    }


def _objects(session: Session, case_id: UUID) -> Iterator[str]:
    """Yield what entries call a case and what is in it, also parties that are not any more."""
    case = f"{CASE}:{case_id}"
    yield case
    for table in (Decision, Hold, CaseDocument):
        for one in session.scalars(select(table.id).where(table.case_id == case_id)):
            yield KINDS[table].key(one)
    for party in session.scalars(select(CaseParty.id).where(CaseParty.case_id == case_id)):
        yield f"{PARTY}:{party}"
    gone = select(AuditEntry.details).where(
        AuditEntry.object == case, AuditEntry.action == REMOVE_PARTY
    )
    for details in session.scalars(gone):
        yield f"{PARTY}:{details['party']}"
