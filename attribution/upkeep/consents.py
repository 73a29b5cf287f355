"""Consent as people say it, and works that follow when a statement begins or ends.

The statement and what follows from it for works are one transaction. Then index and pictures follow
as after a correction, and what may not be found any more is withdrawn.
"""

from __future__ import annotations

from collections.abc import Collection as Several
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Change, Consent
from attribution.catalogue.names import visible
from attribution.catalogue.queries import Origin, Statement
from attribution.collection import Collection
from attribution.consents import (
    LONGEST_DOCUMENT,
    Answer,
    ConsentPurpose,
    ConsentSource,
    is_in_force,
    next_turn,
)
from attribution.errors import BadInput, NotAllowed
from attribution.images import forbidden_by
from attribution.upkeep.correction import finish, follow_up, somebody, work_to_change
from attribution.upkeep.withdrawal import withdraw

MOST = 1_000  # statements that begin or end, in one run
AT_ONCE = 1_000  # works of a portfolio that are read together
# A work that was just moving there when something was said of a portfolio is looked at then.
MEANWHILE = timedelta(minutes=10)
TURNS = Origin("reconcile", "a statement of consent begins or ends")
TAKEN_BACK = "consent to be found was denied (statement {})"


@dataclass(frozen=True)
class Saying:
    """What somebody says: of one work, or of an artist's whole portfolio."""

    purpose: ConsentPurpose
    answer: Answer
    artwork_id: UUID | None = None
    artist: str | None = None  # slug
    document: str | None = None  # where it is written: a URL, or words
    valid_from: datetime | None = None
    valid_until: datetime | None = None


def say(collection: Collection, said: Saying) -> Consent:
    """Keep a statement, and have the works follow it.

    Raises NotFound, Conflict for a work that is withdrawn or on its way in, for an artist that has
    withdrawn and for nobody, BadInput for what contradicts itself, and NotAllowed for a yes that
    the file forbids and no document backs.
    """
    _check(said)
    document = visible(said.document or "") or None
    origin = Origin(who().name, f"consent: {said.purpose} {said.answer}")
    with collection.sessions.begin() as session:
        if said.artwork_id is not None:
            work = work_to_change(session, said.artwork_id)
            because = forbidden_by(work.facts, work.rights).get(said.purpose)
            if because and said.answer is Answer.ALLOW and document is None:
                raise NotAllowed(
                    f"the file of artwork {work.id} says {because}; name the document in which its "
                    f"artist says otherwise"
                )
        artist_id = somebody(session, said.artist).id if said.artist is not None else None
        if artist_id is not None:
            queries.lock_portfolios(session, [artist_id], speaks=True)
        row = queries.add_consent(
            session,
            Statement(
                said.purpose,
                said.answer,
                ConsentSource.PERSON,
                by=who().name,
                artwork_id=said.artwork_id,
                artist_id=artist_id,
                document=document,
                valid_from=said.valid_from,
                valid_until=said.valid_until,
            ),
        )
        changes = _follow(session, row, origin)
        row.turns_at = next_turn(row, now())
        if _takes_back(row):
            row.turns_at = row.said_at  # until it is withdrawn
        elif artist_id is not None:
            row.turns_at = min(filter(None, (row.turns_at, row.said_at + MEANWHILE)))
    follow_up(collection, changes)
    if _takes_back(row):
        _take_back(collection, row)
    with collection.sessions() as session:
        return queries.consent_by_id(session, row.id)


def follow_due(collection: Collection) -> int:
    """Have works follow statements that have begun or ended, MOST at most; returns how many."""
    with collection.sessions() as session:
        due = [row.id for row in queries.due_consents(session, MOST)]
    for one in due:
        with collection.sessions.begin() as session:
            row = queries.consent_by_id(session, one)
            changes = _follow(session, row, TURNS)
            is_over = _takes_back(row)
            if not is_over:
                queries.note_turned(session, row)
        finish(collection, changes)
        if is_over:
            _take_back(collection, row)
    return len(due)


def _check(said: Saying) -> None:
    if (said.artwork_id is None) == (said.artist is None):
        raise BadInput("say which work or which artist it is about: one of them")
    if said.document is not None and len(said.document) > LONGEST_DOCUMENT:
        raise BadInput(
            f"the document has {len(said.document)} characters; {LONGEST_DOCUMENT} are kept at "
            f"most: give its address"
        )
    if said.valid_from and said.valid_until and said.valid_until <= said.valid_from:
        raise BadInput(
            f"it would end on {said.valid_until:%Y-%m-%d}, and begin on {said.valid_from:%Y-%m-%d}"
        )
    if said.purpose is ConsentPurpose.INDEX and said.answer is Answer.ASK:
        raise BadInput("a work is found or not: say allow or deny of index")
    if said.purpose is ConsentPurpose.INDEX and said.answer is Answer.DENY and said.valid_until:
        raise BadInput("a work that may not be found is withdrawn, for good: leave its end out")


def _follow(session: Session, row: Consent, origin: Origin) -> list[Change]:
    changes = []
    for works in _about(session, row):
        changes += queries.correct_works(session, {work: {} for work in works}, origin)
    return changes


def _about(session: Session, row: Consent) -> Iterator[Several[UUID]]:
    """Yield the works that a statement is about, some at a time."""
    if row.artwork_id is not None:
        yield [row.artwork_id]
    elif row.artist_id is not None:
        yield from queries.works_of_artists(session, [row.artist_id], AT_ONCE)


def _takes_back(row: Consent) -> bool:
    is_no = row.purpose == ConsentPurpose.INDEX and row.answer != Answer.ALLOW
    return is_no and row.ended_at is None and is_in_force(row, now())


def _take_back(collection: Collection, row: Consent) -> None:
    """Withdraw what may not be found any more."""
    with collection.sessions() as session:
        artist = queries.consent_by_id(session, row.id).artist
    about = str(row.artwork_id) if artist is None else artist.slug
    withdraw(collection, about, reason=TAKEN_BACK.format(row.id))
