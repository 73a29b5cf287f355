"""The audit: who did what, and when."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.audit import AuditEntryOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, PageSize, ServicesDep, Since
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.catalogue.queries import EntriesWanted

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
