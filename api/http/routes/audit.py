"""The audit: who did what, and when."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BeforeValidator, WithJsonSchema

from api.audit import AuditEntryOut, ErasedOut, ErasureWanted, read_since
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, PageSize, ServicesDep
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.queries import EntriesWanted
from attribution.upkeep.erasing import erase

MOST_ERASED = 10_000  # entries by one request: a few seconds

Since = Annotated[
    int | datetime | None,
    BeforeValidator(read_since),
    Query(description="From this entry on: its number, or a time, UTC where no zone is said."),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]

router = APIRouter(prefix="/audit", tags=["audit"], route_class=ScopedRoute)


def entries_wanted(
    action: Annotated[str | None, Query(max_length=32, examples=["lookup"])] = None,
    actor: Annotated[str | None, Query(max_length=200)] = None,
    about: Annotated[
        str | None, Query(alias="object", max_length=64, description="Such as `attribution:ID`.")
    ] = None,
    since: Since = None,
) -> EntriesWanted:
    """Return which entries a request asks for."""
    return EntriesWanted(action, actor, about, since)


@router.get("", summary="List who did what", dependencies=[needs(Scope.AUDIT)])
def list_audit(
    services: ServicesDep,
    wanted: Annotated[EntriesWanted, Depends(entries_wanted)],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[AuditEntryOut]:
    """List entries, the newest first. `lawful audit verify` says whether they are as written."""
    with services.sessions() as session:
        page = queries.list_entries(session, wanted, cursor=cursor, limit=limit)
        return PageOut[AuditEntryOut].of(page, AuditEntryOut.model_validate)


@router.post("/erasures", summary="Erase an actor's name", dependencies=[needs(Scope.AUDIT)])
def erase_actor(asked: ErasureWanted, services: ServicesDep) -> ErasedOut:
    """Take the name of an actor out of the entries that there are; the chain still verifies.

    An entry says that it was done, by whom, why, and of which entries. `has_more`: send it again.
    """
    done = erase(services, asked.actor, asked.reason, most=MOST_ERASED)
    return ErasedOut.model_validate(done)
