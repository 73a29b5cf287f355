"""What opens a case about the image of an answer, or shows the cases that it is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Form, Request, Response
from pydantic import BaseModel

from api.cases import CaseOut
from api.console.rendering import PageRoute, went
from api.http.access import needs
from api.http.dependencies import ServicesDep
from attribution.actors import Scope
from attribution.answers import Attribution
from attribution.cases import CaseKind, PartyRole
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries import desk
from attribution.desk.opening import NewCase, NewParty, open_case
from attribution.services import Services

router = APIRouter(prefix="/cases", route_class=PageRoute)

KINDS: Mapping[CaseKind, str] = {
    CaseKind.MATCH: "match: an image that shows or resembles registered works",
    CaseKind.GENERATED: "generated: a picture that was drawn here",
    CaseKind.WITHDRAWAL: "withdrawal: somebody asks that works are withdrawn",
}
"""What a case about an answer may be."""


@dataclass(frozen=True)
class Opening:
    """What a case about an answer begins with, and the cases that its image is in."""

    attribution_id: UUID
    title: str
    artist: str | None  # slug of whose work the image shows
    cases: Sequence[CaseOut]
    kinds: Mapping[CaseKind, str]

    @classmethod
    def of(cls, services: Services, answer: Attribution) -> Self:
        """Read it."""
        work = answer.laid_on
        slug = work.slug if work and not is_nobody(work.name) else None
        with services.sessions() as session:
            rows = desk.subjects_in_open_cases(session, answer.image_sha256)
            cases = [CaseOut.of(case) for case, _ in rows]
        other = f" and work {str(work.id)[:8]}" if work else ""
        title = f"Image {answer.image_sha256[:8]}{other}"  # which says nothing about anybody
        return cls(answer.id, title, slug, cases, KINDS)


class OpeningSent(BaseModel):
    """What a case about an answer is opened with."""

    attribution: UUID
    kind: CaseKind
    title: str
    artist: str | None = None  # slug of a party
    work: UUID | None = None  # which the image is being compared with


@router.post("", dependencies=[needs(Scope.REVIEW)])
def open_one(
    request: Request,
    services: ServicesDep,
    asked: Annotated[OpeningSent, Form()],
) -> Response:
    """Open a case about the image of an answer, and go to it; or back to comparing with a work."""
    parties = [NewParty(PartyRole.ARTIST, artist=asked.artist)] if asked.artist else []
    about = [asked.attribution]
    opened = open_case(services, NewCase(asked.kind, asked.title, about, parties=parties))
    here = f"compare/{asked.attribution}/{asked.work}" if asked.work else f"cases/{opened.case.id}"
    return went(request, here)
