"""Who acts, and what they may do.

Every door says at its edge who acts (`acting`); what is recorded asks `who()`. Nothing is passed
along, because every use case would have to.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from attribution.errors import ScopeMissing


class Scope(StrEnum):
    """One thing that a caller may do."""

    READ = "read"  # what is registered, jobs, receipts, corrections
    LOOK_UP = "lookup"  # ask whose work an image draws on, search, reports
    CONTRIBUTE = "contribute"  # upload works
    REVIEW = "review"  # say that an image is no copy of a work; assess and decide cases
    CASES = "cases"  # read cases
    GENERATE = "generate"  # draw pictures
    OPERATE = "operate"  # correct, merge, withdraw, jobs of others
    AUDIT = "audit"  # read who did what, erase a name there
    ADMINISTER = "administer"  # make and revoke keys, and webhooks


class Role(StrEnum):
    """A set of scopes with a name."""

    READER = "reader"
    CONTRIBUTOR = "contributor"
    REVIEWER = "reviewer"
    OPERATOR = "operator"
    AUDITOR = "auditor"


ROLES: Mapping[Role, frozenset[Scope]] = {
    Role.READER: frozenset({Scope.READ, Scope.LOOK_UP}),
    Role.CONTRIBUTOR: frozenset({Scope.READ, Scope.LOOK_UP, Scope.CONTRIBUTE}),
    Role.REVIEWER: frozenset({Scope.READ, Scope.LOOK_UP, Scope.REVIEW, Scope.CASES}),
    # Who runs the service is whom the audit is about. As a key gives no more than it has, only the
    # command line makes keys of auditors.
    Role.OPERATOR: frozenset(Scope) - {Scope.AUDIT},
    Role.AUDITOR: frozenset({Scope.READ, Scope.AUDIT, Scope.CASES}),
}


@dataclass(frozen=True)
class Actor:
    """A person or a program that does something."""

    name: str  # as records show it: "command line (ann)", "key lk_1a2b3c4d (rights desk)"
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset(Scope))
    artists: frozenset[str] = frozenset()  # slugs of those whose works they may bring; empty: all
    tenant: str | None = None  # to whom they belong; none: to whom this process does

    @property
    def id(self) -> str:
        """What stays when they call themselves something else: "key lk_1a2b3c4d", "oidc 42"."""
        return self.name.partition(" (")[0]

    def require(self, scope: Scope) -> None:
        """Raise ScopeMissing unless they may do this."""
        if scope not in self.scopes:
            raise ScopeMissing(
                f"{self.name} may not do this: it needs the scope {scope.value!r}; ask whoever "
                f"administers the service for it"
            )


_actor: ContextVar[Actor | None] = ContextVar("actor", default=None)


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Have everything within the block done by this actor."""
    token = _actor.set(actor)
    try:
        yield
    finally:
        _actor.reset(token)


def who() -> Actor:
    """Return who acts; where no door has said it, the user of the operating system."""
    return _actor.get() or Actor(f"process of {system_user()}")


def system_user() -> str:
    """Return the user that this process runs as; a container may run as one without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unnamed user"
