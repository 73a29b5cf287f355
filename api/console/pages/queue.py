"""The queue: cases that wait, and the next one for whoever asks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy.orm import Session

from api.cases import CaseOut
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, ServicesDep
from attribution.actors import Scope
from attribution.cases import CaseKind, CaseStatus
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.queries import desk
from attribution.desk import queue
from attribution.desk.people import me

router = APIRouter(prefix="/cases", route_class=PageRoute)

SHOWN = 50  # cases a page
SOON = timedelta(days=3)  # what is due until then is shown as due

STATUSES: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "open",
    CaseStatus.SECOND: "waits for a second person",
    CaseStatus.DECIDED: "decided",
    CaseStatus.CLOSED: "closed",
}


class Show(StrEnum):
    """Which cases are listed."""

    MINE = "mine"
    UNASSIGNED = "unassigned"
    DUE = "due"
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Wanted:
    """Which cases somebody asks for; nothing stands for any."""

    show: Show = Show.OPEN
    kind: CaseKind | Literal[""] = ""
    artist: Annotated[str, Query(max_length=200)] = ""  # slug of a party

    def of(self, session: Session) -> desk.CasesWanted:
        """Return it as the catalogue takes it; raises NotFound for an unknown artist."""
        slug = self.artist.strip()
        wanted = desk.CasesWanted(
            statuses=STATUSES.keys() - {CaseStatus.CLOSED},
            kind=self.kind or None,
            artist_id=queries.artist_by_slug(session, slug).id if slug else None,
        )
        match self.show:
            case Show.MINE:
                return replace(wanted, person=me())
            case Show.UNASSIGNED:
                return replace(wanted, statuses=desk.WAITING, is_unassigned=True)
            case Show.DUE:
                return replace(wanted, statuses=desk.WAITING, due_before=now() + SOON)
            case Show.OPEN:
                return wanted
            case Show.CLOSED:
                return replace(wanted, statuses=[CaseStatus.CLOSED])


@router.get("", dependencies=[needs(Scope.CASES)])
def show_cases(
    request: Request,
    services: ServicesDep,
    wanted: Annotated[Wanted, Depends()],
    cursor: Cursor = None,
    *,
    none_waits: bool = False,
) -> Response:
    """List cases, the newest first."""
    with services.sessions() as session:
        found = desk.list_cases(session, wanted.of(session), cursor=cursor, limit=SHOWN)
        cases = [CaseOut.of(row) for row in found.items]
    return page(
        request,
        "cases.html",
        cases=cases,
        next=found.next,
        shows=list(Show),
        kinds=list(CaseKind),
        wanted=wanted,
        filters={"show": wanted.show.value, "kind": wanted.kind, "artist": wanted.artist},
        none_waits=none_waits,
        statuses=STATUSES,
    )


@router.post("/next", dependencies=[needs(Scope.REVIEW)])
def take_next(request: Request, services: ServicesDep) -> Response:
    """Take the most urgent case that waits."""
    row = queue.take_next(services)
    return went(request, f"cases/{row.id}" if row else "cases?show=mine&none_waits=true")
