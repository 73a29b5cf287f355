"""How parties of cases can be reached goes when its time is over."""

from __future__ import annotations

from attribution.catalogue.database import empty_log
from attribution.catalogue.queries import contacts
from attribution.collection import Stores
from attribution.custody import Forgotten

AT_ONCE = 100  # contacts in one transaction
MOST = 10_000  # contacts whose time is over, in one run


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
    if gone:
        empty_log(stores.sessions)
    return gone
