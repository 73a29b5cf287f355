"""Keys for tests of who may do what."""

from __future__ import annotations

from collections.abc import Collection

from attribution.actors import Role, Scope
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.upkeep.keys import IssuedKey, NewKey, create


def make_key(
    settings: Settings,
    role: Role | None = None,
    *,
    scopes: Collection[Scope] = (),
    artists: Collection[str] = (),
) -> IssuedKey:
    """Make a key as the command line does, beside a service that may be running."""
    with open_stores(settings) as stores:
        return create(stores, NewKey(f"{role} of the tests", role, scopes, artists))


def bearing(token: str) -> dict[str, str]:
    """Return the headers of a request with this key."""
    return {"authorization": f"Bearer {token}"}
