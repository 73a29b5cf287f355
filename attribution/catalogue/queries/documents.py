"""Statements about documents of cases: files that somebody sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from attribution.cases import CaseStatus
from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import Case, CaseDocument, Decision
from attribution.catalogue.queries.pages import Page, check_limit, cut, number_key
from attribution.errors import NotFound

DOCUMENT = "document"  # what the audit calls one


def count_documents(session: Session, case_id: UUID) -> int:
    """Count the documents of a case, also those that were removed."""
    return session.scalar(select(func.count()).where(CaseDocument.case_id == case_id)) or 0


def list_documents(
    session: Session, case_id: UUID, *, cursor: str | None = None, limit: int = 100
) -> Page[CaseDocument]:
    """Return a page of the documents of a case, in the order they were added; removed ones too."""
    wanted = select(CaseDocument).where(CaseDocument.case_id == case_id)
    if cursor is not None:
        wanted = wanted.where(CaseDocument.position > number_key(cursor))
    rows = session.scalars(wanted.order_by(CaseDocument.position).limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.position,))


def document_of_case(session: Session, case_id: UUID, document_id: UUID) -> CaseDocument:
    """Return a document of a case; raises NotFound."""
    return _document(session, case_id, CaseDocument.id == document_id, document_id)


def document_at(session: Session, case_id: UUID, position: int) -> CaseDocument:
    """Return the document of a case with this number; raises NotFound."""
    return _document(session, case_id, CaseDocument.position == position, position)


def document_to_remove(session: Session, case_id: UUID, document_id: UUID) -> CaseDocument:
    """Return a document of a case, locked; raises NotFound."""
    document_of_case(session, case_id, document_id)
    wanted = select(CaseDocument).where(CaseDocument.id == document_id).with_for_update()
    return session.scalars(wanted.execution_options(populate_existing=True)).one()


def keep_documents_until(session: Session, case_id: UUID, until: datetime) -> None:
    """Have the documents of a case that closes go at this time."""
    theirs = update(CaseDocument).where(
        CaseDocument.case_id == case_id, CaseDocument.removed_at.is_(None)
    )
    session.execute(theirs.values(until=until), execution_options=IN_SQL)


def count_expired_documents(session: Session) -> int:
    """Count the documents whose time is over, and those whose file a crash has left."""
    return session.scalar(select(func.count()).select_from(CaseDocument).where(_expired())) or 0


def expired_documents(session: Session, limit: int) -> Sequence[CaseDocument]:
    """Return some of those that `count_expired_documents` counts; locks them.

    Without those that somebody else is removing.
    """
    wanted = select(CaseDocument).where(_expired()).order_by(CaseDocument.until).limit(limit)
    return session.scalars(wanted.with_for_update(skip_locked=True)).all()


def removed_documents(session: Session, ids: Collection[UUID]) -> Sequence[CaseDocument]:
    """Return those of some documents that were removed; locks them."""
    wanted = select(CaseDocument).where(CaseDocument.id.in_(ids))
    wanted = wanted.where(CaseDocument.removed_at.is_not(None))
    return session.scalars(wanted.with_for_update()).all()


def _expired() -> ColumnElement[bool]:
    """Not while an appeal against a decision of the case is open, but for what was removed."""
    decided = select(Decision.id).where(Decision.case_id == CaseDocument.case_id)
    appeal = exists().where(Case.appeals.in_(decided), Case.status != CaseStatus.CLOSED)
    return (CaseDocument.until <= now()) & (CaseDocument.removed_at.is_not(None) | ~appeal)


def _document(
    session: Session, case_id: UUID, which: ColumnElement[bool], called: Any
) -> CaseDocument:
    wanted = select(CaseDocument).where(CaseDocument.case_id == case_id, which)
    row = session.scalar(wanted)
    if row is None:
        raise NotFound(f"the case has no document {called}")
    return row
