"""Keys: who may do what over HTTP."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, End, PageSize, ServicesDep
from api.keys import IssuedKeyOut, KeyOut
from api.schemas import PageOut
from attribution.actors import Role, Scope
from attribution.catalogue import queries
from attribution.upkeep import keys
from attribution.upkeep.keys import LONGEST_NAME, NewKey

router = APIRouter(prefix="/keys", tags=["keys"], route_class=ScopedRoute)


class KeyWanted(BaseModel):
    """What a key is for, and what it may do."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=LONGEST_NAME, examples=["rights desk"])
    role: Role | None = Field(None, examples=["reviewer"])
    scopes: list[Scope] = Field([], description="On top of those of the role.")
    artists: list[str] = Field(
        [],
        max_length=1_000,
        description="Slugs of those whose works it may upload; left out: every artist's.",
        examples=[["ann-example"]],
    )
    expires_at: End | None = Field(
        None,
        description="UTC where no zone is said; a date is meant to its end. Left out: it has none.",
    )


@router.post("", summary="Make a key", status_code=201, dependencies=[needs(Scope.ADMINISTER)])
def create_key(asked: KeyWanted, services: ServicesDep) -> IssuedKeyOut:
    """Make a key; it may do at most what its maker may.

    From the first one on, every call needs one.
    """
    return IssuedKeyOut.of_issued(keys.create(services, NewKey(**vars(asked))))


@router.get("", summary="List keys", dependencies=[needs(Scope.ADMINISTER)])
def list_keys(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[KeyOut]:
    """List keys, also expired and revoked ones, the newest first; no token is shown again."""
    with services.sessions() as session:
        page = queries.list_keys(session, cursor=cursor, limit=limit)
        return PageOut[KeyOut].of(page, KeyOut.of)


@router.post("/{key_id}/revoke", summary="Revoke a key", dependencies=[needs(Scope.ADMINISTER)])
def revoke_key(key_id: UUID, services: ServicesDep) -> KeyOut:
    """Have a key open nothing from now on. 409 for one that was revoked already."""
    return KeyOut.of(keys.revoke(services, key_id))


@router.post("/{key_id}/rotate", summary="Rotate a key", dependencies=[needs(Scope.ADMINISTER)])
def rotate_key(key_id: UUID, services: ServicesDep) -> IssuedKeyOut:
    """Revoke a key and make another that may do the same, for as long as the first was to last."""
    return IssuedKeyOut.of_issued(keys.rotate(services, key_id))
