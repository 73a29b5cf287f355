"""The models of this service: what they were trained on."""

from __future__ import annotations

from fastapi import APIRouter

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ServicesDep
from api.training_summary import TrainingSummaryOut
from attribution.actors import Scope
from attribution.upkeep.training_summary import summarise

router = APIRouter(prefix="/models", tags=["operation"], route_class=ScopedRoute)


@router.get(
    "/summary", summary="Get the summary of training content", dependencies=[needs(Scope.READ)]
)
def get_training_summary(services: ServicesDep) -> TrainingSummaryOut:
    """Say what was trained on what, under which licences and consents.

    In the order of the European Commission's template; `lawful models summary` writes it as a text
    that the provider completes.
    """
    return TrainingSummaryOut.of(summarise(services))
