"""The calibration: what the votes were found to mean, and when."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter
from pydantic import BaseModel, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ServicesDep
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.upkeep.calibrating import is_due

router = APIRouter(prefix="/calibration", tags=["operation"], route_class=ScopedRoute)


class BinOut(BaseModel):
    """Held-out questions whose first artist was given a probability within these bounds."""

    lowest: float
    highest: float
    questions: int
    predicted: float = Field(description="Mean probability.")
    right: float = Field(description="Part of them whose first artist was the right one.")
    right_from: float = Field(description="Wilson's interval of `right`, 95 %.")
    right_to: float


class ReliabilityOut(BaseModel):
    """How often the probabilities are right, on questions that they were not fitted on."""

    questions: int = Field(description="0: too little is registered to hold any back.")
    error: float | None = Field(description="Expected calibration error; null without questions.")
    bins: list[BinOut] = Field(description="Ascending; those without questions are left out.")


class CalibrationOut(BaseModel):
    """The state of the calibration; null where there is none."""

    calibrated: bool = Field(description="Whether answers have probabilities.")
    due: bool = Field(description="Whether enough has changed for it to be made anew.")
    made_at: datetime | None = None
    works: int | None = Field(default=None, description="Works that could be found then.")
    artists: int | None = None
    asked: int | None = Field(default=None, description="Works asked for.")
    weights: dict[str, float] | None = Field(
        default=None,
        description="By voice: a voter's log share, or nearness in a space, by cosine.",
    )
    spaces: dict[str, float] | None = Field(
        default=None, description="Parts of the neighbours' share that the spaces give."
    )
    reliability: ReliabilityOut | None = Field(
        default=None, description="Null where it was calibrated before this was recorded."
    )


@router.get("", summary="Get the state of the calibration", dependencies=[needs(Scope.READ)])
def get_calibration(services: ServicesDep) -> CalibrationOut:
    """Say when the votes were last held against known works, and whether that is due again."""
    row = services.row
    with services.sessions() as session:
        kept = queries.calibration_of(session, row.fingerprint)
        due = is_due(session, services)
    if kept is None or not kept.numbers:
        return CalibrationOut(calibrated=False, due=due)
    return CalibrationOut(
        calibrated=True,
        due=due,
        made_at=kept.made_at,
        works=kept.works,
        artists=kept.artists,
        asked=kept.asked,
        weights=dict(zip(kept.voices, kept.numbers["weights"], strict=True)),
        spaces=kept.numbers["spaces"],
        reliability=ReliabilityOut(**kept.reliability) if kept.reliability else None,
    )
