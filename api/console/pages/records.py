"""Records about artists and works: statements of consent, changes and their undo, receipts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.conditions import EditingDep
from api.http.dependencies import ServicesDep
from api.http.routes.changes import Undone, undo_change
from api.http.routes.consents import Said, create_consent
from api.http.routes.withdrawals import get_withdrawal
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.lookup.wording import receipt_said

router = APIRouter(route_class=PageRoute)


@router.post("/consents", dependencies=[needs(Scope.OPERATE)])
def state_consent(
    request: Request, asked: Annotated[Said, Form()], services: ServicesDep
) -> Response:
    """Keep a statement of consent about a work or a portfolio."""
    said = create_consent(asked, services, request, Response())
    about = f"works/{said.artwork_id}" if said.artwork_id else f"artists/{said.artist}"
    return went(request, about)


@router.post("/changes/{change_id}/undo", dependencies=[needs(Scope.OPERATE)])
def undo(
    request: Request,
    change_id: UUID,
    services: ServicesDep,
    editing: EditingDep,
    reason: Annotated[str, Form(max_length=2_000)] = "",
) -> Response:
    """Take a change back."""
    made = undo_change(change_id, services, editing, Undone(reason=reason or None))
    about = f"works/{made.artwork_id}" if made.artwork_id else f"artists/{made.artist}"
    return went(request, about)


@router.get("/receipts/{withdrawal_id}", dependencies=[needs(Scope.READ)])
def show_receipt(request: Request, withdrawal_id: UUID, services: ServicesDep) -> Response:
    """Show what a withdrawal removed from where, and what was checked; to be printed."""
    row = get_withdrawal(withdrawal_id, services)
    with services.sessions() as session:
        artist = queries.artists_by_id(session, [row.artist_id])[row.artist_id]
    said = list(receipt_said(row.receipt))
    return page(request, "receipt.html", one=row, artist=artist.name, said=said)
