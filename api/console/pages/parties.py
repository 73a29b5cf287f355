"""Parties of a case, and how they can be reached, which is apart from the case."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.conditions import Reading
from api.http.dependencies import ServicesDep
from api.http.routes.cases import (
    CaseSaid,
    ContactSent,
    PartySent,
    add_case_party,
    forget_party_contact,
    get_case,
    keep_party_contact,
    list_case_contacts,
    remove_case_party,
)
from attribution.actors import Scope

router = APIRouter(prefix="/cases", route_class=PageRoute)

ACTS = needs(Scope.REVIEW)


@router.post("/{case_id}/parties", dependencies=[ACTS])
def add_party(
    request: Request, case_id: UUID, asked: Annotated[PartySent, Form()], services: ServicesDep
) -> Response:
    """Name somebody who has to do with a case."""
    add_case_party(case_id, asked, services)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/parties/{party_id}/remove", dependencies=[ACTS])
def remove_party(
    request: Request,
    case_id: UUID,
    party_id: UUID,
    asked: Annotated[CaseSaid, Form()],
    services: ServicesDep,
) -> Response:
    """Take somebody out of a case who was named by mistake."""
    remove_case_party(case_id, party_id, asked, services)
    return went(request, f"cases/{case_id}")


@router.get("/{case_id}/contacts", dependencies=[ACTS])
def show_contacts(request: Request, case_id: UUID, services: ServicesDep) -> Response:
    """Show how the parties can be reached; the audit says who has seen it."""
    kept = {one.party_id: one for one in list_case_contacts(case_id, services).contacts}
    parties = get_case(case_id, services, Reading(Response())).parties
    contacts = [(one, kept.get(one.id)) for one in parties]
    return page(
        request,
        "case_contacts.html",
        case_id=case_id,
        contacts=contacts,
        contact_days=services.settings.contact_days,
    )


@router.post("/{case_id}/parties/{party_id}/contact", dependencies=[ACTS])
def keep_contact(
    request: Request,
    case_id: UUID,
    party_id: UUID,
    asked: Annotated[ContactSent, Form()],
    services: ServicesDep,
) -> Response:
    """Keep how a party can be reached, in place of what is kept."""
    keep_party_contact(case_id, party_id, asked, services)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/parties/{party_id}/contact/forget", dependencies=[ACTS])
def forget_contact(
    request: Request, case_id: UUID, party_id: UUID, services: ServicesDep
) -> Response:
    """Delete how a party can be reached."""
    forget_party_contact(case_id, party_id, services)
    return went(request, f"cases/{case_id}")
