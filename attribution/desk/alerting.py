"""Alerts become cases: what watches have found, some at a time.

An alert is written with its answer (`queries.watches.alert`), so that none is lost, and no lookup
waits for the desk, of which only one case is opened at a time.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from sqlalchemy.orm import Session

from attribution.actors import Actor, acting
from attribution.cases import CaseKind, PartyRole
from attribution.catalogue import queries
from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import Alert, Quarantine
from attribution.catalogue.queries import watches
from attribution.collection import Stores
from attribution.custody import How
from attribution.desk.opening import NewCase, NewParty, open_case
from attribution.errors import BackendUnavailable, LawfulError
from attribution.tenants import across, within

log = logging.getLogger(__name__)

AT_ONCE = 100  # alerts of a tenant in one run
FLOOD = 20  # cases for one work within a DAY,
TIMES = 10  # and so many times what is usual: then it is quarantined
DAY, MONTH = timedelta(days=1), timedelta(days=30)
DESK = Actor("watches")  # who opens the cases


def see_to_alerts(stores: Stores) -> int:
    """Open the cases of alerts that wait, AT_ONCE of each tenant; returns how many were seen to.

    Does nothing while another process is at it.
    """
    with stores.sessions() as holder:
        if not queries.take_turn(holder, "alerts"):
            return 0
        with across(), stores.sessions() as session:
            names = watches.tenants_with_alerts(session)
        seen = 0
        for name in names:
            with within(name), acting(DESK):
                seen += _see_to_some(stores)
        return seen


def _see_to_some(stores: Stores) -> int:
    with stores.sessions() as session:
        rows = watches.waiting_alerts(session, AT_ONCE)
    for row in rows:
        with stores.sessions.begin() as session:
            new = None if _is_quarantined(session, row) else _case(session, row)
        case_id = None
        try:
            case_id = open_case(stores, new).case.id if new else None
        except BackendUnavailable:
            raise
        except LawfulError as error:  # the audit tells of an answer that was altered
            log.warning("answer %s gets no case: %s", row.attribution_id, error)
        with stores.sessions.begin() as session:
            watches.note_seen(session, row.attribution_id, case_id)
    return len(rows)


def _is_quarantined(session: Session, row: Alert) -> bool:
    """Whether a work opens no cases, from now on perhaps: it has opened far more than usual."""
    last = watches.last_quarantine(session, row.watch_id, row.artwork_id)
    if last is not None and last.released_at is None:
        return True
    moment = now()
    day_ago = moment - DAY
    since = max(day_ago, last.released_at) if last and last.released_at else day_ago
    cases = watches.count_cases(session, row.artwork_id, since, moment)
    earlier = watches.count_cases(session, row.artwork_id, day_ago - MONTH, day_ago)
    usual = earlier / MONTH.days
    if cases < max(FLOOD, TIMES * usual):
        return False
    session.add(
        Quarantine(watch_id=row.watch_id, artwork_id=row.artwork_id, cases=cases, usual=usual)
    )
    note(session, "quarantine", f"artwork:{row.artwork_id}", watch=str(row.watch_id))
    return True


def _case(session: Session, row: Alert) -> NewCase | None:
    """Return the case to open; None for a work that is withdrawn, or was itself looked up."""
    _, use = queries.subject_of_answer(session, row.attribution_id)
    if not watches.still_says(session, row) or (use and use.how is How.WORK):
        return None
    artist = queries.artwork_by_id(session, row.artwork_id).artist.slug
    is_again = watches.watch_by_id(session, row.watch_id).subject_id is not None
    return NewCase(
        CaseKind.GENERATED if use and use.how is How.GENERATED else CaseKind.MATCH,
        f"A watched image matches a work of {artist} that was registered since"
        if is_again
        else f"An image shows a work of {artist}, who is watched",
        attributions=[row.attribution_id],
        parties=[NewParty(PartyRole.ARTIST, artist=artist)],
    )
