"""Content Credentials of files: verified, and recovered where they were cut off."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, File, UploadFile

from api.credentials import VerifiedOut
from api.http.access import ScopedRoute, needs
from api.http.dependencies import ONE_WORK, ServicesDep
from api.http.uploads import upload_bytes
from attribution.actors import Scope
from attribution.generation.recovery import verify_credentials

router = APIRouter(prefix="/credentials", tags=["credentials"], route_class=ScopedRoute)


@router.post(
    "/verify",
    summary="Verify Content Credentials",
    dependencies=[needs(Scope.READ), ONE_WORK],
)
def verify(
    image: Annotated[UploadFile, File(description="The image.")], services: ServicesDep
) -> VerifiedOut:
    """Say whether a manifest holds, who signed it and when; unless it is trusted, find ours.

    A picture that was drawn here is known by its bytes, its pixels, or as a near copy: whole,
    turned, mirrored, made smaller, saved again; not a part of one. Else its watermark leads to it,
    where pictures are watermarked. Nothing is recorded.
    """
    data = upload_bytes(image.file, services.limits)
    return VerifiedOut.of(verify_credentials(services, data, services.studio.watermarker))
