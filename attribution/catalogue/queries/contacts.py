"""Statements about how parties of cases can be reached: kept apart from them, for some time."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import CaseParty, PartyContact
from attribution.custody import Forgotten
from attribution.errors import NotFound

PARTY = "party"  # what the audit calls one


def party_of_case(session: Session, case_id: UUID, party_id: UUID) -> CaseParty:
    """Return a party of a case; raises NotFound for one of another case."""
    wanted = select(CaseParty).where(CaseParty.id == party_id, CaseParty.case_id == case_id)
    row = session.scalar(wanted)
    if row is None:
        raise NotFound(f"the case has no party {party_id}")
    return row


def contacts_of_case(session: Session, case_id: UUID) -> Sequence[PartyContact]:
    """Return how the parties of a case can be reached, as far as that is kept."""
    theirs = select(CaseParty.id).where(CaseParty.case_id == case_id)
    wanted = select(PartyContact).where(PartyContact.party_id.in_(theirs))
    return session.scalars(wanted.order_by(PartyContact.party_id)).all()


def forget_contact(session: Session, row: PartyContact, why: Forgotten) -> None:
    """Delete how a party can be reached; the audit says why, and nothing of it."""
    session.delete(row)
    note(session, "forget-contact", f"{PARTY}:{row.party_id}", why=why)


def count_expired_contacts(session: Session) -> int:
    """Count the contacts whose time is over."""
    return session.scalar(select(func.count()).where(PartyContact.until <= now())) or 0


def expired_contacts(session: Session, limit: int) -> Sequence[PartyContact]:
    """Return some contacts whose time is over, which nobody else is forgetting; locks them."""
    wanted = select(PartyContact).where(PartyContact.until <= now()).order_by(PartyContact.until)
    return session.scalars(wanted.limit(limit).with_for_update(skip_locked=True)).all()
