"""Attributions: whose work an image draws on."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, File, Query, Request, Response, UploadFile

from api.dependencies import Cursor, PageSize, ServicesDep
from api.schemas import AttributionBrief, PageOut
from api.uploads import read_upload
from attribution.catalog import queries
from attribution.regions import Regions, find_regions
from attribution.types import Attribution

router = APIRouter(prefix="/attributions", tags=["attributions"])


@router.post("", summary="Attribute an image", status_code=201)
def create_attribution(
    image: Annotated[UploadFile, File(description="The image.")],
    services: ServicesDep,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=50, description="Artists at most.")] = 5,
) -> Attribution:
    """Rank the artists an image most resembles, with the works that speak for each.

    Scores are shares of the vote, not probabilities. The answer is recorded and can be read again.
    """
    answer = services.attributor.attribute(read_upload(image.file, services.limits), limit=limit)
    where = request.app.url_path_for("get_attribution", attribution_id=answer.id)
    response.headers["location"] = str(where)
    return answer


@router.get("", summary="List earlier attributions")
def list_attributions(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[AttributionBrief]:
    """Earlier answers in short, the newest first."""
    with services.sessions() as session:
        page = queries.list_attributions(session, cursor=cursor, limit=limit)
        return PageOut[AttributionBrief].of(page, AttributionBrief.of)


@router.get("/{attribution_id}", summary="Get an earlier attribution")
def get_attribution(attribution_id: UUID, services: ServicesDep) -> Attribution:
    """Return an answer as it was given."""
    return services.attributor.recall(attribution_id)


@router.post("/{attribution_id}/regions", summary="See which parts of the image speak for whom")
def find_attribution_regions(
    attribution_id: UUID,
    image: Annotated[UploadFile, File(description="The same file again: it was not kept.")],
    services: ServicesDep,
) -> Regions:
    """Compare the parts of the image with the works that the answer shows; nothing is kept.

    Works without display consent are not compared.
    """
    answer = services.attributor.recall(attribution_id)
    return find_regions(services, read_upload(image.file, services.limits), answer)
