"""Keys to the HTTP API: made, rotated, revoked, and told by whom a request is.

A token is shown once, when it is made; kept is its SHA-256, and its first eleven characters, by
which people and records speak of it. It is as random as a key of a cipher, so a plain hash does.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import ROLES, Actor, Role, Scope, who
from attribution.catalogue import chain, queries
from attribution.catalogue.belief import Belief, believe, uncovered
from attribution.catalogue.columns import now
from attribution.catalogue.models import ApiKey, KeyState
from attribution.catalogue.names import visible
from attribution.collection import Stores
from attribution.errors import (
    BackendUnavailable,
    BadInput,
    Conflict,
    NotAllowed,
    NotFound,
    Unauthenticated,
)
from attribution.logs import TOKEN
from attribution.tenants import across

FIRST = "make the first key with `lawful keys create NAME --role operator`"
LONGEST_NAME = 100  # characters
START = "lk_"
PREFIX = 11  # characters of a token that are no secret
NOTED_EVERY = timedelta(minutes=1)
NOTHING = "0" * 64  # what no token hashes to
OF_SOME_ARTISTS = ROLES[Role.CONTRIBUTOR]  # what a key may do that is kept to some artists


@dataclass(frozen=True)
class NewKey:
    """What a key is for, and what it may do: what its role may, and these scopes."""

    name: str
    role: Role | None = None
    scopes: Collection[Scope] = ()
    artists: Collection[str] = ()  # slugs of those whose works it may bring; empty: all
    expires_at: datetime | None = None


@dataclass(frozen=True)
class IssuedKey:
    """A key that was just made, with its token: nobody can show that again."""

    row: ApiKey
    token: str


def create(stores: Stores, new: NewKey) -> IssuedKey:
    """Make a key.

    Raises BadInput for one that could do nothing, or would be over, NotFound for an artist that is
    not registered, NotAllowed for more than its maker may do.
    """
    with stores.sessions.begin() as session:
        row = ApiKey(
            name=_named(new.name),
            role=new.role,
            scopes=sorted(new.scopes),
            artists=sorted({queries.artist_by_slug(session, one).slug for one in new.artists}),
            expires_at=new.expires_at,
        )
        if row.expires_at is not None and row.expires_at <= now():
            raise BadInput(f"the key would be over: {row.expires_at:%Y-%m-%d %H:%M UTC} has passed")
        _check_scopes(row)
        return _issue(session, row, "create-key")


def rotate(stores: Stores, key_id: UUID) -> IssuedKey:
    """Put a new key in the place of one that is revoked by that; its time begins again.

    Raises NotFound, Conflict for one that was revoked or altered, NotAllowed as `create` does.
    """
    with stores.sessions.begin() as session:
        old = _unrevoked(session, key_id)
        if not _is_believed(session, old):
            raise Conflict(
                f"the key {old.prefix} was altered in the database, so no other key may do what it "
                f"says; revoke it, and make another with `lawful keys create`"
            )
        lasts = old.expires_at and old.expires_at - old.created_at
        old.revoked_at = now()
        row = ApiKey(
            name=old.name,
            role=old.role,
            scopes=old.scopes,
            artists=old.artists,
            expires_at=lasts and now() + lasts,
        )
        return _issue(session, row, "rotate-key", instead_of=old.prefix)


def revoke(stores: Stores, key_id: UUID) -> ApiKey:
    """Have a key open nothing from now on.

    Raises NotFound, Conflict for one that was revoked, NotAllowed for one that may do more.
    """
    with stores.sessions.begin() as session:
        row = _unrevoked(session, key_id)
        _check_reach(row, "revoke")
        row.revoked_at = now()
        chain.note(session, "revoke-key", f"key:{row.id}", prefix=row.prefix)
        return row


def find(stores: Stores, prefix: str) -> ApiKey:
    """Return the key that people call so; raises NotFound. A whole token is never repeated."""
    with stores.sessions() as session:
        row = queries.key_by_prefix(session, prefix[:PREFIX])
    if row is None:
        raise NotFound(
            f"no key {prefix[:PREFIX]!r}; `lawful keys list` shows them, such as lk_1a2b3c4d"
        )
    return row


def any_exist(stores: Stores) -> bool:
    """Tell whether a key was ever made."""
    with across(), stores.sessions() as session:
        return queries.keys_exist(session)


def are_needed(stores: Stores) -> bool:
    """Tell whether callers have to say who they are: by a key, or a token of the provider."""
    return bool(stores.settings.oidc_issuer) or any_exist(stores)


def authenticate(stores: Stores, token: str) -> Actor:
    """Return who sent this token, and note that they did; raises Unauthenticated."""
    if not TOKEN.fullmatch(token):
        raise Unauthenticated(
            "what was sent as a key is none of this service's: send the whole of what `lawful keys "
            "create` printed, as `Authorization: Bearer lk_…`",
            why="not-a-key",
        )
    with across(), stores.sessions() as session:
        row = queries.key_by_prefix(session, token[:PREFIX])
        is_right = hmac.compare_digest(_digest(token), row.sha256 if row else NOTHING)
        is_believed = row is not None and is_right and _is_believed(session, row)
    if row is None or not is_right:
        raise Unauthenticated(
            "this key is not known here; check that the whole of it was sent",
            why="wrong-key" if row else "unknown-key",
            who=f"key {row.prefix}" if row else None,
        )
    return _let_in(stores, row, is_believed=is_believed)


def resume(stores: Stores, prefix: str) -> Actor:
    """Return who logged in with the key that is called so, as `authenticate` would now."""
    with across(), stores.sessions() as session:
        row = queries.key_by_prefix(session, prefix)
        is_believed = row is not None and _is_believed(session, row)
    if row is None:
        raise Unauthenticated(
            f"the key {prefix} of this session is not known here any more; log in with another",
            why="unknown-key",
        )
    return _let_in(stores, row, is_believed=is_believed)


def _let_in(stores: Stores, row: ApiKey, *, is_believed: bool) -> Actor:
    """Return who has this key, and note that it is used; raises Unauthenticated."""
    name = f"key {row.prefix} ({row.name})"
    if not is_believed:
        raise Unauthenticated(
            f"the key {row.prefix} was altered in the database, so it opens nothing; whoever runs "
            f"the service finds more with `lawful audit verify`, and makes another one",
            why="altered-key",
            who=name,
            tenant=row.tenant,
        )
    if row.state is not KeyState.ACTIVE:
        over, how = row.revoked_at or row.expires_at, "was revoked" if row.revoked_at else "expired"
        raise Unauthenticated(
            f"the key {row.prefix} {how} on {over:%Y-%m-%d at %H:%M UTC}; ask whoever administers "
            f"the service for another one",
            why=f"{row.state}-key",
            who=name,
            tenant=row.tenant,
        )
    _note_used(stores, row)
    return Actor(name, row.granted, frozenset(row.artists), row.tenant)


def _is_believed(session: Session, row: ApiKey) -> bool:
    (belief,) = believe(session, "key", [row])
    if belief is Belief.ALTERED:  # or revoked since it was read
        session.refresh(row)
        (belief,) = believe(session, "key", [row])
    if belief is Belief.UNCOVERED:  # one of before the audit, or one that was put there since
        _, fault = uncovered(session, "key")
        return fault is None
    return belief is Belief.INTACT


def _issue(session: Session, row: ApiKey, action: str, **more: str) -> IssuedKey:
    """Keep a key with a token of its own; raises NotAllowed where its maker may do less."""
    _check_reach(row, "create")
    token = f"{START}{secrets.token_hex(4)}_{secrets.token_urlsafe(32)}"
    row.prefix, row.sha256, row.issued_by = token[:PREFIX], _digest(token), who().name
    queries.add_key(session, row)
    said = {"prefix": row.prefix, "name": row.name, "scopes": sorted(row.granted)}
    chain.note(session, action, f"key:{row.id}", **said, **more)
    return IssuedKey(row, token)


def _named(name: str) -> str:
    said = visible(name)
    if not said:
        raise BadInput("the name of the key is empty; say what it is for, such as 'rights desk'")
    if len(said) > LONGEST_NAME:
        raise BadInput(f"the name of the key has {len(said)} characters; give {LONGEST_NAME}")
    return said


def _check_scopes(row: ApiKey) -> None:
    if not row.granted:
        known = ", ".join(Role)
        raise BadInput(f"the key may do nothing: give a role ({known}), or scopes")
    if row.artists and not {Scope.CONTRIBUTE} <= row.granted <= OF_SOME_ARTISTS:
        raise BadInput(
            f"only uploads can be kept to some artists, so such a key has the role "
            f"{Role.CONTRIBUTOR.value!r}, or the scopes of it; this one may "
            f"{', '.join(sorted(row.granted))}"
        )


def _check_reach(row: ApiKey, doing: str) -> None:
    """Raise NotAllowed for a key that may do more than whoever makes or revokes it."""
    actor = who()
    if beyond := sorted(row.granted - actor.scopes):
        raise NotAllowed(
            f"{actor.name} may not {' or '.join(beyond)}, so it cannot {doing} a key that may; a "
            f"person with access to the machine can: `lawful keys {doing}`",
            why="more-than-own",
        )


def _unrevoked(session: Session, key_id: UUID) -> ApiKey:
    row = queries.key_to_change(session, key_id)
    if row.revoked_at is not None:
        raise Conflict(
            f"the key {row.prefix} ({row.name}) was revoked on {row.revoked_at:%Y-%m-%d}; make "
            f"another with `lawful keys create`"
        )
    return row


def _note_used(stores: Stores, row: ApiKey) -> None:
    since = now() - NOTED_EVERY
    if row.last_used_at is None or row.last_used_at < since:
        # A database that takes nothing in (a full disk) can still be read with a key.
        with suppress(BackendUnavailable), across(), stores.sessions.begin() as session:
            queries.note_key_used(session, row.id, unless_since=since)


def _digest(token: str) -> str:
    return sha256(token.encode()).hexdigest()
