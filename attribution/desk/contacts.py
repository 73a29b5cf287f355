"""How parties of cases can be reached: apart from the case, for LAWFUL_CONTACT_DAYS.

The audit says who kept, saw and deleted a contact, and nothing of what it says. When one goes is in
`attribution.upkeep.contacts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.database import empty_log
from attribution.catalogue.models import PartyContact
from attribution.catalogue.queries import contacts, desk
from attribution.collection import Stores
from attribution.custody import Forgotten
from attribution.desk.people import check_not_own, stated
from attribution.errors import Conflict


def keep_contact(stores: Stores, case_id: UUID, party_id: UUID, text: str) -> None:
    """Keep how a party can be reached, in place of what is kept; its time begins again.

    Raises NotFound, NotAllowed in a case of one's own, BadInput for an empty or too long text.
    """
    text, until = stated(text, "contact"), now() + timedelta(days=stores.settings.contact_days)
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_to_change(session, case_id))
        party = contacts.party_of_case(session, case_id, party_id)
        session.merge(PartyContact(party_id=party.id, text=text, until=until))
        note(session, "keep-contact", f"{contacts.PARTY}:{party.id}", until=until.isoformat())


def see_contacts(stores: Stores, case_id: UUID) -> Sequence[PartyContact]:
    """Return how the parties of a case can be reached; the audit says who has seen it.

    Raises NotFound, NotAllowed in a case of one's own: a party does not read where others are.
    """
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        rows = contacts.contacts_of_case(session, case_id)
        for row in rows:
            note(session, "view", f"{contacts.PARTY}:{row.party_id}")
    return rows


def forget_contact(stores: Stores, case_id: UUID, party_id: UUID) -> None:
    """Delete how a party can be reached.

    Raises NotFound, NotAllowed in a case of one's own, Conflict where nothing is kept.
    """
    with stores.sessions.begin() as session:
        check_not_own(session, desk.case_by_id(session, case_id))
        party = contacts.party_of_case(session, case_id, party_id)
        row = session.get(PartyContact, party.id, with_for_update=True)
        if row is None:
            raise Conflict(f"no contact of party {party_id} is kept: there is nothing to forget")
        contacts.forget_contact(session, row, Forgotten.REQUEST)
    empty_log(stores.sessions)
