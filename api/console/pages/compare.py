"""Compare: the image in question and a work that its answer cites, with one zoom for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel

from api.cases import CaseFindingOut, CaseOut
from api.console.pages.case import findings_out
from api.console.pages.opening import Opening
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import ServicesDep
from api.reports.telling import cited
from attribution.actors import Scope
from attribution.answers import Attribution
from attribution.cases import Assessed
from attribution.catalogue import queries
from attribution.catalogue.models import CaseFinding
from attribution.catalogue.queries import desk
from attribution.copies.overlap import onto_image
from attribution.custody import Kept
from attribution.desk import judging
from attribution.errors import NotFound
from attribution.images import show_image
from attribution.lookup import wording
from attribution.lookup.sights import large_evidence, sight
from attribution.lookup.subjects import shown
from attribution.services import Services

router = APIRouter(prefix="/compare", route_class=PageRoute)

SEES = needs(Scope.REVIEW)
IMAGE_PX = 2_000  # the longer side


@dataclass(frozen=True)
class Judged:
    """A case that the image is in, with its findings that name the work."""

    case: CaseOut
    findings: Sequence[CaseFindingOut]


@dataclass(frozen=True)
class Judgement:
    """What people say of an image and a work, and what opens a case about the image."""

    judged: Sequence[Judged]
    opening: Opening


class AssessmentSent(BaseModel):
    """What a person says of a finding of a case."""

    case: UUID
    finding: UUID
    verdict: Assessed
    why: str


@router.get("/{attribution_id}/image", dependencies=[SEES])
def get_image(
    attribution_id: UUID,
    services: ServicesDep,
    px: Annotated[int, Query(ge=64, le=IMAGE_PX)] = IMAGE_PX,
) -> Response:
    """Show the image in question, decoded and encoded again: its bytes may be anything."""
    data, said = shown(services, attribution_id)
    if data is None:
        raise NotFound(said)
    return _picture(show_image(data, services.limits, max_px=px))


@router.get("/{attribution_id}/{artwork_id}/work", dependencies=[SEES])
def get_work(attribution_id: UUID, artwork_id: UUID, services: ServicesDep) -> Response:
    """Show a work that the answer cites, as large as may be."""
    return _picture(large_evidence(services, attribution_id, artwork_id))


@router.get("/{attribution_id}/{artwork_id}", dependencies=[SEES])
def show_compare(
    request: Request, attribution_id: UUID, artwork_id: UUID, services: ServicesDep
) -> Response:
    """Show both, and what people say of them."""
    answer = services.attributor.recall(attribution_id)
    seen = sight(services, attribution_id, artwork_id)
    with services.sessions() as session:
        subject, use = queries.subject_of_answer(session, attribution_id)
    works = cited(answer)
    if artwork_id not in works:  # one that was declared to be none of it is recorded as cited too
        raise NotFound(f"answer {attribution_id} names no artwork {artwork_id}")
    order = list(works)
    at = order.index(artwork_id)
    laid_on = answer.laid_on
    outlines = laid_on.overlap if laid_on and laid_on.id == artwork_id else None
    onto = None if outlines is None else onto_image(outlines)
    title, _, name = works[artwork_id]
    return page(
        request,
        "compare.html",
        answer=answer,
        headline=wording.headline(answer),
        artwork_id=artwork_id,
        number=at + 1,
        count=len(order),
        earlier=order[at - 1] if at else None,
        later=order[at + 1] if at + 1 < len(order) else None,
        title=title,
        name=name,
        said=_said(answer, artwork_id),
        sight=seen,
        is_kept=subject is not None and subject.kept is not Kept.NOTHING,
        kept=wording.image_kept(subject, use),
        outlines=outlines,
        onto=None if onto is None else onto.ravel().tolist(),
        judgement=_judgement(services, answer, artwork_id),
    )


@router.post("/{attribution_id}/{artwork_id}/assess", dependencies=[SEES])
def assess(
    request: Request,
    attribution_id: UUID,
    artwork_id: UUID,
    services: ServicesDep,
    asked: Annotated[AssessmentSent, Form()],
) -> Response:
    """Say whether a finding holds, with both pictures in sight."""
    answer = services.attributor.recall(attribution_id)
    judging.assess(services, asked.case, [asked.finding], asked.verdict, asked.why)
    if "hx-request" not in request.headers:
        return went(request, f"compare/{attribution_id}/{artwork_id}")
    judgement = _judgement(services, answer, artwork_id)
    part = page(
        request, "judgement.html", answer=answer, artwork_id=artwork_id, judgement=judgement
    )
    part.headers["hx-retarget"], part.headers["hx-reswap"] = "#judgement", "outerHTML"
    return part


def _picture(webp: bytes) -> Response:
    return Response(webp, media_type="image/webp", headers={"cache-control": "private, no-store"})


def _said(answer: Attribution, artwork_id: UUID) -> str:
    """Return what the machine says of the image and the work."""
    if answer.laid_on and answer.laid_on.id == artwork_id:
        return wording.lanes(answer)["copy"]
    works = (work for artist in answer.artists for work in artist.works if work.id == artwork_id)
    return wording.similar(next(works).similarity)


def _judgement(services: Services, answer: Attribution, artwork_id: UUID) -> Judgement:
    _, slug, _ = cited(answer).get(artwork_id, (None, None, None))
    with services.sessions() as session:
        judged = []
        for case, subject in desk.subjects_in_open_cases(session, answer.image_sha256):
            rows = desk.findings_of_subjects(session, case.id, [subject.id])[subject.id]
            named = [one for one in rows if _names(one, artwork_id, slug)]
            judged.append(Judged(CaseOut.of(case), findings_out(session, named)))
    return Judgement(judged, Opening.of(services, answer))


def _names(finding: CaseFinding, artwork_id: UUID, slug: str | None) -> bool:
    artists = [one["artist"] for one in finding.about.get("artists", ())]
    return finding.about.get("work") == str(artwork_id) or slug in artists
