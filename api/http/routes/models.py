"""The models of this service: what they were trained on."""

from __future__ import annotations

from fastapi import APIRouter

from api.http.access import ScopedRoute, needs
from api.http.dependencies import ServicesDep, SummariesDep
from api.training_summary import TrainingSummaryOut
from attribution.actors import Scope

router = APIRouter(prefix="/models", tags=["operation"], route_class=ScopedRoute)


@router.get(
    "/summary", summary="Get the summary of training content", dependencies=[needs(Scope.READ)]
)
def get_training_summary(services: ServicesDep, summaries: SummariesDep) -> TrainingSummaryOut:
    """Say what was trained on what, under which licences and consents.

    In the order of the European Commission's template; `lawful models summary` writes it as a text
    that the provider completes. It counts every work, so it is made every ten minutes at most:
    `counted_at` says when.
    """
    return TrainingSummaryOut.of(summaries.last(services))
