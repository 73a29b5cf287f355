"""Documents of a case: files that somebody sent."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from api.cases import DocumentOut, document_name
from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, PageSize, ServicesDep
from api.http.description import BYTES, also
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.catalogue.queries import desk, documents
from attribution.desk.documents import add_document, remove_document, see_document
from attribution.desk.people import LONGEST

router = APIRouter(prefix="/cases", tags=["cases"], route_class=ScopedRoute)
READS, ACTS = needs(Scope.CASES), needs(Scope.REVIEW)


class DocumentSent(BaseModel):
    """A file that somebody sent, and what it is."""

    file: UploadFile = Field(description="A PDF, an image, a text in UTF-8 or an e-mail.")
    title: str = Field(min_length=1, max_length=LONGEST, examples=["The shop's answer of 1 March"])


class DocumentRemoved(BaseModel):
    """Why a document goes."""

    model_config = ConfigDict(extra="forbid")

    why: str = Field(min_length=1, max_length=LONGEST, examples=["sent by mistake"])


@router.post(
    "/{case_id}/documents",
    summary="Add a document to a case",
    status_code=201,
    responses=also(409),
    dependencies=[ACTS],
)
def create_document(
    case_id: UUID,
    asked: Annotated[DocumentSent, Form(media_type="multipart/form-data")],
    services: ServicesDep,
) -> DocumentOut:
    """Keep a file until LAWFUL_DOCUMENT_DAYS after the case is closed."""
    data = asked.file.file.read(services.limits.max_bytes + 1)
    return DocumentOut.of(add_document(services, case_id, data, asked.title))


@router.get("/{case_id}/documents", summary="List the documents of a case", dependencies=[READS])
def list_case_documents(
    case_id: UUID, services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[DocumentOut]:
    """List documents in the order they were added, also those that were removed."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        page = documents.list_documents(session, case_id, cursor=cursor, limit=limit)
        return PageOut[DocumentOut].of(page, DocumentOut.of)


@router.get(
    "/{case_id}/documents/{document_id}",
    summary="Get a document of a case",
    response_class=Response,
    responses=also(409)
    | {
        200: {"description": "The file", "content": {"application/octet-stream": {"schema": BYTES}}}
    },
    dependencies=[ACTS],
)
def get_case_document(case_id: UUID, document_id: UUID, services: ServicesDep) -> Response:
    """Return the very bytes, to be saved and not shown; the audit says who has seen them.

    404 for one that was removed, 409 where it was encrypted with a key that is not at hand.
    """
    row, data = see_document(services, case_id, document_id)
    headers = {"content-disposition": f'attachment; filename="{document_name(row)}"'}
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.post(
    "/{case_id}/documents/{document_id}/remove",
    summary="Remove a document of a case",
    responses=also(409),
    dependencies=[ACTS],
)
def remove_case_document(
    case_id: UUID, document_id: UUID, asked: DocumentRemoved, services: ServicesDep
) -> DocumentOut:
    """Delete the file; its line stays in the list, with who removed it and why."""
    return DocumentOut.of(remove_document(services, case_id, document_id, asked.why))
