"""Non-copies: what a person has looked at and declared to be no copy."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Form, UploadFile

from api.dependencies import ServicesDep
from api.uploads import read_upload
from attribution.copies.finder import declare_non_copy

router = APIRouter(prefix="/non-copies", tags=["attributions"])


@router.post("", summary="Declare that an image is no copy of a work", status_code=204)
def create_non_copy(
    image: Annotated[UploadFile, File(description="The image.")],
    artwork_id: Annotated[UUID, Form(description="The work that it is no copy of.")],
    services: ServicesDep,
) -> None:
    """Keep the copy lane silent about this pair from now on.

    409 when the image has the very pixels of the work.
    """
    facts = read_upload(image.file, services.limits).facts
    with services.sessions.begin() as session:
        declare_non_copy(session, facts, artwork_id)
