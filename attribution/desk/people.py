"""Who may judge in a case: two people are two accounts, and nobody judges a case of their own."""

from __future__ import annotations

import re

from sqlalchemy.orm import Session

from attribution.actors import who
from attribution.catalogue import queries
from attribution.catalogue.models import Case
from attribution.catalogue.queries import desk
from attribution.chunks import chunks
from attribution.errors import BadInput, NotAllowed, NotFound

TERMINAL = "command line ("
USER = re.compile(r"key lk_\S+|oidc \S.*|command line \(.+\)")
AT_ONCE = 1_000  # artists in one statement
LONGEST = 4_000  # characters of a reason, a comment, a statement


def person(name: str) -> str:
    """Return what of an actor's name tells people apart: "key lk_1a2b3c4d", "oidc 42".

    On the command line the whole name does: every user of the system is a person.
    """
    return name if name.startswith(TERMINAL) else name.partition(" (")[0]


def account(name: str) -> str:
    """Return what tells a user of the service apart; raises BadInput for what no record says.

    Nobody would be who is called otherwise, so nothing would keep them from judging.
    """
    found = person(name.strip())
    if not USER.fullmatch(found):
        raise BadInput(
            f"{name!r} is no user of the service as records name them: give it as the audit does, "
            f"such as 'key lk_1a2b3c4d', 'oidc 42' or 'command line (ann)'"
        )
    return found


def me() -> str:
    """Return the person who acts."""
    return person(who().name)


def check_named(why: str) -> None:
    """Raise NotAllowed for whoever acts without an account: nothing tells them from others."""
    if not USER.fullmatch(me()):
        raise NotAllowed(
            f"{why}, and {who().name!r} may be anybody: log in with a key or an account of your "
            f"own first; whoever administers the service gives each person one"
        )


def check_not_own(session: Session, case: Case) -> None:
    """Raise NotAllowed where the caller is a party of the case, or acts for an artist of it.

    An artist of a case is a party, or named by one of its findings.
    """
    actor = who()
    own = {_now(session, slug) for slug in actor.artists}
    for party in desk.parties_of(session, case.id):
        if party.account is not None and person(party.account) == me():
            raise NotAllowed(
                f"{actor.name} is a party of case {case.number}: somebody else has to judge it"
            )
        if party.artist is not None and _now(session, party.artist) in own:
            raise NotAllowed(
                f"{actor.name} acts for {party.artist!r}, a party of case {case.number}: somebody "
                f"else has to judge it"
            )
    named = sorted(desk.artists_in_findings(session, case.id)) if own else []
    theirs = queries.artist_ids(session, actor.artists)
    if any(queries.artist_ids(session, few) & theirs for few in chunks(named, AT_ONCE)):
        raise NotAllowed(
            f"{actor.name} acts for an artist whom findings of case {case.number} name: somebody "
            f"else has to judge it"
        )


def check_other_reviewer(session: Session, case: Case, name: str) -> None:
    """Raise NotAllowed where somebody is to judge an appeal against a decision of their own.

    Also against one that was about it: an appeal against a decision in an appeal.
    """
    if case.appeals is None:
        return
    decision = desk.decision_by_id(session, case.appeals)
    check_other_reviewer(session, desk.case_by_id(session, decision.case_id), name)
    if person(name) in {person(one) for one in (decision.by, decision.seconded_by) if one}:
        raise NotAllowed(
            f"case {case.number} is an appeal against a decision of {person(name)}: another "
            f"reviewer has to judge it"
        )


def stated(text: str, what: str) -> str:
    """Return a text without blanks around it; raises BadInput where it is empty or too long."""
    text = text.strip()
    if not text:
        raise BadInput(f"the {what} is empty; the record of the case keeps it, so give one")
    if len(text) > LONGEST:
        raise BadInput(f"the {what} has {len(text)} characters; give at most {LONGEST}")
    return text


def _now(session: Session, slug: str) -> str:
    """Return the slug that one leads to now, after merges."""
    try:
        return queries.artist_by_slug(session, slug).slug
    except NotFound:
        return slug
