"""One case, with everything that is said in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session

from api.cases import CaseDetail, CaseFindingOut
from api.console.pages.papers import PAPERS
from api.console.pages.queue import STATUSES
from api.console.pages.timeline import LATEST, held, timeline
from api.console.rendering import PageRoute, page
from api.http.access import needs
from api.http.conditions import Reading
from api.http.dependencies import Cursor, ServicesDep
from api.http.routes.cases import get_case, get_case_differences
from api.http.routes.documents import list_case_documents
from api.http.routes.evidence import MOST_LOOKUPS
from api.http.routes.holds import list_case_exhibits
from api.reports.sentences import SENTENCES, say
from api.reports.telling import Figure, appeal_says
from attribution.actors import Scope
from attribution.cases import RULINGS, STATES, Assessed, CaseKind, Ground, PartyRole
from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus, CaseFinding, CaseSubject
from attribution.catalogue.queries import desk
from attribution.custody import Kept
from attribution.desk.casefile import appealed_in, earlier_of
from attribution.desk.exhibits import receipts_of
from attribution.desk.people import me, person
from attribution.lookup import wording
from attribution.lookup.sights import exhibit
from attribution.services import Services

router = APIRouter(prefix="/cases", route_class=PageRoute)

READS = needs(Scope.CASES)
IMAGES = 10  # a page


@dataclass(frozen=True)
class Shown:
    """An image of a case with its findings."""

    subject: CaseSubject
    findings: Sequence[CaseFindingOut]
    receipts: Sequence[UUID]
    image_id: UUID | None  # by which it is put on hold
    is_kept: bool
    kept: str
    works: Sequence[Figure]


@router.get("/{case_id}", dependencies=[READS])
def show_case(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """Show a case with everything that is said in it, its images some at a time."""
    response = Response()
    case = get_case(case_id, services, Reading(response))
    with services.sessions() as session:
        earlier = earlier_of(session, desk.case_by_id(session, case_id))
        appeals = [(one.id, appeal_says(one)) for one in appealed_in(session, case_id)]
        found = desk.list_case_subjects(session, case_id, cursor=cursor, limit=IMAGES)
    images = _images(services, case_id, found.items)
    last = case.decisions[-1] if case.decisions else None
    return page(
        request,
        "case.html",
        case=case,
        etag=response.headers["etag"],
        earlier=earlier,
        appeals=appeals,
        statuses=STATUSES,
        acts={act.name for act, states in STATES.items() if case.status in states},
        told=timeline(services, case_id, limit=LATEST),
        images=images,
        next=found.next,
        last=last,
        last_said=say("decisions", last.outcome) if last else "",
        is_own_decision=last is not None and person(last.by) == me(),
        needs_second=last is not None and last.seconded_at is not None,
        outcomes=[
            (one.value, say("decisions", one), ruling.is_grave)
            for one, ruling in RULINGS.items()
            if ruling.in_appeal == (case.kind is CaseKind.APPEAL)
        ],
        grounds={one.value: SENTENCES["grounds"][one] for one in Ground},
        verdicts=list(Assessed),
        holds=[(one, held(one)) for one in case.holds],
        to_hold=dict(_to_hold(case, images)),
        exhibits=list_case_exhibits(case_id, services, limit=PAPERS),
        documents=list_case_documents(case_id, services, limit=PAPERS),
        document_days=services.settings.document_days,
        roles=list(PartyRole),
        most_in_pack=MOST_LOOKUPS,
        me=me(),
    )


def findings_out(session: Session, rows: Sequence[CaseFinding]) -> list[CaseFindingOut]:
    """Return findings with what people said of them."""
    said = desk.assessments_of(session, [one.id for one in rows])
    return [CaseFindingOut.of(one, said.get(one.id, [])) for one in rows]


def _images(services: Services, case_id: UUID, subjects: Sequence[CaseSubject]) -> list[Shown]:
    with services.sessions() as session:
        rows = desk.findings_of_subjects(session, case_id, [one.id for one in subjects])
        findings = {one: findings_out(session, few) for one, few in rows.items()}
        receipts = receipts_of(session, subjects)
        asked = {
            one.id: queries.subject_of_answer(session, one.attribution_id)
            if one.attribution_id
            else (None, None)
            for one in subjects
        }
        named = {one.id: list(_works(one, rows[one.id])) for one in subjects}
        works = queries.artworks_by_id(session, {work for few in named.values() for work in few})
    shown = []
    for one in subjects:
        image, use = asked[one.id]
        figures = [
            _figure(services, works[work], one.attribution_id)
            for work in named[one.id]
            if work in works
        ]
        is_kept = image is not None and image.kept is not Kept.NOTHING
        said = wording.image_kept(image, use)
        image_id = image.id if image is not None and is_kept else None
        shown.append(
            Shown(one, findings[one.id], receipts[one.id], image_id, is_kept, said, figures)
        )
    return shown


def _works(subject: CaseSubject, findings: Sequence[CaseFinding]) -> Iterator[UUID]:
    """Yield each work that an image of a case is, or that its findings name, once."""
    named = [UUID(one.about["work"]) for one in findings if "work" in one.about]
    yield from dict.fromkeys([*named, *([subject.artwork_id] if subject.artwork_id else [])])


def _figure(services: Services, row: Artwork, attribution_id: UUID | None) -> Figure:
    picture: bytes | None = None
    unseen: str | None = row.status.value
    if row.status is ArtworkStatus.INDEXED:
        unseen = "no answer cites it here"
        if attribution_id is not None:
            picture, unseen = exhibit(services, row, attribution_id)
    title = row.title or say("figures", "untitled")
    lines = [f"{title}, {row.artist.name}"]
    return Figure(picture, f"Registered work: {title}", unseen or "", lines, work=row.id)


def _to_hold(case: CaseDetail, images: Sequence[Shown]) -> Iterator[tuple[str, str]]:
    """Yield what of a case may be put on hold: as the form sends it, and in words."""
    for party in case.parties:
        if party.artist:
            yield f"artist:{party.artist}", f"all works of {party.artist}"
    for one in images:
        for work in one.works:
            yield f"work:{work.work}", f"the work {work.lines[0]}"
        if one.image_id:
            yield f"image:{one.image_id}", f"image {one.subject.position}"


@router.get("/{case_id}/differences", dependencies=[READS])
def show_differences(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """Say what has become different since the answers that a case rests on."""
    found = get_case_differences(case_id, services, cursor)
    return page(request, "case_differences.html", case_id=case_id, found=found)
