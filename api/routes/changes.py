"""Changes: what was corrected, when and by which door."""

from __future__ import annotations

from fastapi import APIRouter

from api.changes import ChangeOut
from api.dependencies import Cursor, PageSize, ServicesDep
from api.schemas import PageOut
from attribution.catalog import queries

router = APIRouter(prefix="/changes", tags=["changes"])


@router.get("", summary="List corrections")
def list_changes(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[ChangeOut]:
    """List corrections of works and artists, the newest first."""
    with services.sessions() as session:
        page = queries.list_changes(session, cursor=cursor, limit=limit)
        return PageOut[ChangeOut].of(page, ChangeOut.of)
