"""How parties of cases can be reached goes: when its time is over, and when somebody says so."""

from __future__ import annotations

from uuid import UUID

from attribution.catalogue.models import PartyContact
from attribution.catalogue.queries import contacts
from attribution.collection import Stores
from attribution.custody import Forgotten
from attribution.errors import Conflict

AT_ONCE = 100  # contacts in one transaction
MOST = 10_000  # contacts whose time is over, in one run


def forget(stores: Stores, case_id: UUID, party_id: UUID) -> None:
    """Delete how a party can be reached; raises NotFound, Conflict where nothing is kept."""
    with stores.sessions.begin() as session:
        party = contacts.party_of_case(session, case_id, party_id)
        row = session.get(PartyContact, party.id, with_for_update=True)
        if row is None:
            raise Conflict(f"no contact of party {party_id} is kept: there is nothing to forget")
        contacts.forget_contact(session, row, Forgotten.REQUEST)


def forget_expired(stores: Stores) -> int:
    """Delete the tenant's contacts whose time is over, MOST at most; returns how many."""
    gone = 0
    while gone < MOST:
        with stores.sessions.begin() as session:
            rows = contacts.expired_contacts(session, AT_ONCE)
            for row in rows:
                contacts.forget_contact(session, row, Forgotten.RETENTION)
        if not rows:
            break
        gone += len(rows)
    return gone
