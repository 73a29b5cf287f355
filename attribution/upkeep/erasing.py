"""Erasing: the name of an actor goes out of the entries that there are, and the chain holds.

In slices, each with an entry that says which ones it is about: whoever is interrupted asks again.
"""

from __future__ import annotations

from dataclasses import dataclass

from attribution.catalogue import chain, queries
from attribution.catalogue.chain import ERASED
from attribution.catalogue.database import empty_log
from attribution.catalogue.names import visible
from attribution.collection import Stores
from attribution.errors import BadInput, NotFound
from attribution.tenants import current

AT_ONCE = 1_000  # entries in one transaction
LONGEST_REASON = 2_000  # characters


@dataclass(frozen=True)
class Erased:
    """What an erasure has done."""

    entries: int  # which have no actor any more
    has_more: bool  # entries of the same actor are left
    is_in_log: bool  # SQLite's log has the name until its readers are gone


def erase(stores: Stores, actor: str, reason: str, *, most: int | None = None) -> Erased:
    """Take an actor's name out of the tenant's entries, `most` of them; None: all there are now.

    Entries that are made later are as usual, that of the erasure among them. Raises NotFound where
    the actor has no entry, BadInput without a reason.
    """
    why = visible(reason)
    if not 0 < len(why) <= LONGEST_REASON:
        raise BadInput(
            f"an erasure needs a reason of 1 to {LONGEST_REASON} characters, for its own entry: "
            f"say why, without the name"
        )
    with stores.sessions() as session:
        until = queries.last_number(session)
        if actor == ERASED or not queries.has_entries(session, actor, until=until):
            raise NotFound(
                f"the audit of {current()!r} has no entry of {actor!r}; give the actor as "
                f"`lawful audit list` and /v1/audit show it"
            )
    done = 0
    while most is None or done < most:
        with stores.sessions.begin() as session:
            count = chain.erase(session, actor, why, until=until, limit=AT_ONCE)
        done += count
        if count < AT_ONCE:
            break
    with stores.sessions() as session:
        has_more = queries.has_entries(session, actor, until=until)
    return Erased(done, has_more, is_in_log=not empty_log(stores.sessions))
