"""What a case keeps: documents that people sent, and sealed exhibits of withdrawn works."""

from __future__ import annotations

import base64
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response

from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, ServicesDep
from api.http.routes.documents import (
    DocumentRemoved,
    DocumentSent,
    create_document,
    get_case_document,
    list_case_documents,
    remove_case_document,
)
from api.http.routes.holds import list_case_exhibits, open_case_exhibit
from attribution.actors import Scope

router = APIRouter(prefix="/cases", route_class=PageRoute)

READS, ACTS = needs(Scope.CASES), needs(Scope.REVIEW)
PAPERS = 20  # a page


@router.get("/{case_id}/documents", dependencies=[READS])
def show_documents(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """List documents of a case, some at a time."""
    documents = list_case_documents(case_id, services, cursor, PAPERS)
    return page(request, "case_documents.html", case_id=case_id, documents=documents)


@router.post("/{case_id}/documents", dependencies=[ACTS])
def add_document(
    request: Request,
    case_id: UUID,
    asked: Annotated[DocumentSent, Form(media_type="multipart/form-data")],
    services: ServicesDep,
) -> Response:
    """Keep a file that somebody sent."""
    create_document(case_id, asked, services)
    return went(request, f"cases/{case_id}")


@router.get("/{case_id}/documents/{document_id}", dependencies=[ACTS])
def save_document(case_id: UUID, document_id: UUID, services: ServicesDep) -> Response:
    """Return a file, to be saved; the audit says who has seen it."""
    return get_case_document(case_id, document_id, services)


@router.post("/{case_id}/documents/{document_id}/remove", dependencies=[ACTS])
def remove_document(
    request: Request,
    case_id: UUID,
    document_id: UUID,
    asked: Annotated[DocumentRemoved, Form()],
    services: ServicesDep,
) -> Response:
    """Delete a file; its line stays."""
    remove_case_document(case_id, document_id, asked, services)
    return went(request, f"cases/{case_id}")


@router.get("/{case_id}/exhibits", dependencies=[READS])
def show_exhibits(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """List sealed exhibits of a case, some at a time."""
    exhibits = list_case_exhibits(case_id, services, cursor, PAPERS)
    return page(request, "case_exhibits.html", case_id=case_id, exhibits=exhibits)


@router.get("/{case_id}/exhibits/{artwork_id}", dependencies=[ACTS])
def open_exhibit(
    request: Request, case_id: UUID, artwork_id: UUID, services: ServicesDep
) -> Response:
    """Show what is kept of a withdrawn work; the audit says who has seen it."""
    found = open_case_exhibit(case_id, artwork_id, services)
    picture = base64.b64decode(found.picture) if found.picture else None
    return page(request, "case_exhibit.html", case_id=case_id, found=found, picture=picture)
