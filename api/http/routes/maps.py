"""The map of the catalogue: works that look alike lie near each other."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, File, Query, UploadFile
from pydantic import BaseModel, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ONE_WORK, ServicesDep
from api.http.description import also
from api.http.uploads import read_upload
from attribution.actors import Scope
from attribution.catalogue.queries import Placed
from attribution.errors import BadInput
from attribution.lookup.maps import MOST, land, view
from attribution.types import Box

router = APIRouter(prefix="/map", tags=["search"], route_class=ScopedRoute)


class PlacedOut(BaseModel):
    """A work on the map."""

    id: UUID
    x: float = Field(description="In parts of the map's sides, from the left.")
    y: float = Field(description="And from the top.")
    title: str | None
    slug: str = Field(description="Of its artist.")
    name: str
    is_shown: bool = Field(description="Whether its thumbnail may be displayed.")

    @classmethod
    def of(cls, one: Placed) -> Self:
        """Shape a work."""
        return cls.model_validate({**vars(one), "is_shown": one.consent_display})


class MapOut(BaseModel):
    """The works within a box of the map."""

    made_at: datetime | None = Field(description="When it was laid out; null: there is none yet.")
    space: str | None = Field(description="The vectors that it was laid out by.")
    works: list[PlacedOut]
    is_sample: bool = Field(
        description="Whether there are more within the box: ask for less of it."
    )


class NearOut(PlacedOut):
    """A work near an image."""

    cosine: float


class LandingOut(BaseModel):
    """Where an image lies on the map."""

    x: float
    y: float
    nearest: list[NearOut] = Field(description="The works it lies between, the nearest first.")


@router.get("", summary="Look at the map", dependencies=[needs(Scope.READ)])
def get_map(
    services: ServicesDep,
    box: Annotated[
        str,
        Query(
            max_length=200,
            description="Left, top, right and bottom in parts of the map's sides, with commas.",
        ),
    ] = "0,0,1,1",
    limit: Annotated[int, Query(ge=1, le=MOST, description="Works at most.")] = MOST,
) -> MapOut:
    """List the works within a part of the map; of a part with more of them, always the same."""
    found = view(services, services.row.fingerprint, read_box(box), limit=limit)
    return MapOut(
        made_at=found.map.made_at if found.map else None,
        space=found.map.space if found.map else None,
        works=[PlacedOut.of(one) for one in found.works],
        is_sample=found.is_sample,
    )


@router.post(
    "",
    summary="Put an image on the map",
    responses=also(404),
    dependencies=[needs(Scope.LOOK_UP), ONE_WORK],
)
def put_on_map(
    image: Annotated[UploadFile, File(description="A picture; it is not kept.")],
    services: ServicesDep,
) -> LandingOut:
    """Say where an image would lie, and which works it would lie between; nothing is recorded."""
    found = land(services, services.encoders, read_upload(image.file, services.limits))
    return LandingOut(
        x=found.x,
        y=found.y,
        nearest=[
            NearOut(**PlacedOut.of(one).model_dump(), cosine=cosine)
            for one, cosine in found.nearest
        ],
    )


def read_box(text: str) -> Box:
    """Read a box; raises BadInput."""
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError:
        raise BadInput(
            f"{text!r} is not a box; give left, top, right and bottom with commas: 0,0,0.5,0.5"
        ) from None
    return left, top, right, bottom
