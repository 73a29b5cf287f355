"""Withdrawals: an artist or a work is forgotten everywhere, with a receipt."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from api.http.access import ScopedRoute, needs
from api.http.dependencies import Cursor, JobsDep, PageSize, ServicesDep
from api.http.description import also
from api.schemas import PageOut, WithdrawalOut
from attribution.actors import Scope
from attribution.catalogue import queries
from attribution.upkeep.withdrawal import withdraw

router = APIRouter(prefix="/withdrawals", tags=["withdrawals"], route_class=ScopedRoute)


class Requested(BaseModel):
    """Who or what is to be forgotten, and why."""

    what: str = Field(
        max_length=200,
        description="Slug of an artist or id of an artwork.",
        examples=["ann-example"],
    )
    reason: str = Field(min_length=1, max_length=2000, examples=["asked for by the artist"])


@router.post(
    "",
    summary="Withdraw an artist or a work",
    status_code=201,
    responses=also(404, 409),
    dependencies=[needs(Scope.OPERATE)],
)
def create_withdrawal(
    asked: Requested,
    services: ServicesDep,
    jobs: JobsDep,
    request: Request,
    response: Response,
) -> WithdrawalOut:
    """Forget it: nothing returns it from now on. Asked again, the first receipt comes back."""
    row = withdraw(services, asked.what, reason=asked.reason)
    jobs.calibrate()
    where = request.app.url_path_for("get_withdrawal", withdrawal_id=row.id)
    response.headers["location"] = str(where)
    return WithdrawalOut.model_validate(row)


@router.get("", summary="List withdrawals", dependencies=[needs(Scope.READ)])
def list_withdrawals(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[WithdrawalOut]:
    """List requests with their receipts, the newest first."""
    with services.sessions() as session:
        page = queries.list_withdrawals(session, cursor=cursor, limit=limit)
        return PageOut[WithdrawalOut].of(page, WithdrawalOut.model_validate)


@router.get("/{withdrawal_id}", summary="Get a withdrawal", dependencies=[needs(Scope.READ)])
def get_withdrawal(withdrawal_id: UUID, services: ServicesDep) -> WithdrawalOut:
    """Return a receipt."""
    with services.sessions() as session:
        return WithdrawalOut.model_validate(queries.withdrawal_by_id(session, withdrawal_id))
