"""What people do in a case: assess, decide, sign, hand on, appeal, hold, pack."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel, Field

from api.console.rendering import PageRoute, went
from api.http.access import needs
from api.http.conditions import Editing
from api.http.dependencies import End, ServicesDep, WorksDep
from api.http.routes.cases import CasePlanned, plan_case
from api.http.routes.evidence import make_case_evidence
from attribution.actors import Scope
from attribution.cases import Assessed, CaseOutcome, Ground
from attribution.desk import judging, queue
from attribution.desk.holding import NewHold, end_hold, put_on_hold
from attribution.desk.opening import appeal

router = APIRouter(prefix="/cases", route_class=PageRoute)

ACTS = needs(Scope.REVIEW)
HELD = "^(artist:.+|(work|image):[0-9a-f-]{36})$"  # as the form of a case says it


class Planned(BaseModel):
    """A form that was filled in with when a case is to be judged."""

    priority: int = Field(ge=1, le=5)
    due_at: End | Literal[""] = ""  # left empty: it has no due date
    etag: str = Field(max_length=100)  # of the case as it was shown


@router.post("/{case_id}/assess", dependencies=[ACTS])
def assess(
    request: Request,
    case_id: UUID,
    services: ServicesDep,
    findings: Annotated[list[UUID], Form()],
    verdict: Annotated[Assessed, Form()],
    why: Annotated[str, Form()],
) -> Response:
    """Say whether findings hold."""
    judging.assess(services, case_id, findings, verdict, why)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/decide", dependencies=[ACTS])
def decide(
    request: Request,
    case_id: UUID,
    services: ServicesDep,
    outcome: Annotated[CaseOutcome, Form()],
    ground: Annotated[Ground, Form()],
    words: Annotated[str, Form()],
) -> Response:
    """Decide a case."""
    judging.decide(services, case_id, judging.NewDecision(outcome, ground, words))
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/second", dependencies=[ACTS])
def second(request: Request, case_id: UUID, services: ServicesDep) -> Response:
    """Sign the decision of somebody else."""
    judging.second(services, case_id)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/close", dependencies=[ACTS])
def close(request: Request, case_id: UUID, services: ServicesDep) -> Response:
    """Close a decided case."""
    judging.close(services, case_id)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/reopen", dependencies=[ACTS])
def reopen(
    request: Request, case_id: UUID, services: ServicesDep, text: Annotated[str, Form()]
) -> Response:
    """Have a case decided again."""
    judging.reopen(services, case_id, text)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/skip", dependencies=[ACTS])
def skip(
    request: Request, case_id: UUID, services: ServicesDep, text: Annotated[str, Form()]
) -> Response:
    """Leave a case to others."""
    queue.skip(services, case_id, text)
    return went(request, "cases")


@router.post("/{case_id}/move", dependencies=[ACTS])
def move(
    request: Request,
    case_id: UUID,
    services: ServicesDep,
    to: Annotated[str, Form()],
    text: Annotated[str, Form()],
) -> Response:
    """Give a case to somebody."""
    queue.move(services, case_id, to, text)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/plan", dependencies=[needs(Scope.OPERATE)])
def plan(
    request: Request, case_id: UUID, asked: Annotated[Planned, Form()], services: ServicesDep
) -> Response:
    """Give a case another priority and due date, unless it has changed since it was shown."""
    wanted = CasePlanned(priority=asked.priority, due_at=asked.due_at or None)
    plan_case(case_id, wanted, services, Editing(Response(), asked.etag))
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/release", dependencies=[ACTS])
def release(request: Request, case_id: UUID, services: ServicesDep) -> Response:
    """Give a case back to the queue."""
    queue.release(services, case_id)
    return went(request, "cases")


@router.post("/{case_id}/comment", dependencies=[ACTS])
def comment(
    request: Request, case_id: UUID, services: ServicesDep, text: Annotated[str, Form()]
) -> Response:
    """Write a comment."""
    queue.comment(services, case_id, text)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/appeal", dependencies=[ACTS])
def open_appeal(
    request: Request, case_id: UUID, services: ServicesDep, text: Annotated[str, Form()]
) -> Response:
    """Open an appeal against the last decision, or go to the open one."""
    return went(request, f"cases/{appeal(services, case_id, text).case.id}")


@router.post("/{case_id}/holds", dependencies=[ACTS])
def hold(
    request: Request,
    case_id: UUID,
    services: ServicesDep,
    what: Annotated[str, Form(pattern=HELD)],
    why: Annotated[str, Form()],
    until: Annotated[End | Literal[""], Form()] = "",
) -> Response:
    """Put something on hold: `what` as the form of the case has it."""
    kind, _, name = what.partition(":")
    new = NewHold(
        why,
        artwork_id=UUID(name) if kind == "work" else None,
        artist=name if kind == "artist" else None,
        subject_id=UUID(name) if kind == "image" else None,
        until=until or None,
    )
    put_on_hold(services, case_id, new)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/holds/{hold_id}/end", dependencies=[ACTS])
def end_one_hold(
    request: Request,
    case_id: UUID,
    hold_id: UUID,
    services: ServicesDep,
    why: Annotated[str, Form()],
) -> Response:
    """End a hold."""
    end_hold(services, case_id, hold_id, why)
    return went(request, f"cases/{case_id}")


@router.post("/{case_id}/evidence", dependencies=[ACTS])
def make_pack(case_id: UUID, services: ServicesDep, works: WorksDep) -> Response:
    """Return the evidence pack, to be saved."""
    return make_case_evidence(case_id, services, works)
