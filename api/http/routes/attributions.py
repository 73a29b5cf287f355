"""Attributions: whose work an image draws on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, File, Query, Request, Response, UploadFile
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

from api.answers import (
    AgainOut,
    AnswerOut,
    DifferencesOut,
    FindingsOut,
    MemberOut,
    RecomputationOut,
    SetOut,
)
from api.http.access import ScopedRoute, needs
from api.http.dependencies import ONE_WORK, Cursor, PageSize, ServicesDep, Since, Until, WorksDep
from api.http.description import BYTES, also
from api.http.headers import POLICY
from api.http.preferences import LaterDep
from api.http.uploads import again, read_upload
from api.jobs import JobStateOut
from api.reports.pages import Page, make_page
from api.reports.report import SOURCES, render_report
from api.schemas import AttributionBrief, PageOut
from attribution.actors import Scope
from attribution.answers import Attribution, Verdict
from attribution.catalogue import queries
from attribution.catalogue.names import visible
from attribution.catalogue.queries import AnswersWanted
from attribution.config import Settings
from attribution.custody import How, Purpose
from attribution.errors import BadImage
from attribution.images import CheckedImage
from attribution.lookup.again import ask_again
from attribution.lookup.attributor import Also, recalled
from attribution.lookup.findings import find_ours
from attribution.lookup.regions import Regions, find_regions
from attribution.lookup.sights import evidence
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services
from ingest.lookups import accept_image

router = APIRouter(prefix="/attributions", tags=["attributions"], route_class=ScopedRoute)

MOST_IMAGES = 50  # of a set: an answer is waited for


@dataclass(frozen=True)
class Asked:
    """What is asked of an image beside the image itself."""

    limit: Annotated[int, Query(ge=1, le=50, description="Artists at most.")] = 5
    purpose: Annotated[
        Purpose | None,
        Query(
            description="What the question is for: recorded. Clearance, a claim and monitoring are "
            "about copies, so they are thorough unless `thorough` says otherwise."
        ),
    ] = None
    thorough: Annotated[
        bool | None,
        Query(
            description="Look up parts of the image too, and compare all that is near: slower. "
            "Without it `purpose` decides, else LAWFUL_THOROUGH. The answer says what was left out."
        ),
    ] = None

    def is_thorough(self, settings: Settings) -> bool:
        """Return whether parts of the image are to be looked up."""
        if self.thorough is not None:
            return self.thorough
        return settings.thorough or (self.purpose is not None and self.purpose.is_about_copies)


AskedDep = Annotated[Asked, Depends()]


class Together(BaseModel):
    """Earlier answers to be looked at together."""

    attributions: list[UUID] = Field(min_length=1, max_length=1_000)
    level: float = Field(default=0.1, gt=0, lt=1, description="False discovery rate.")


@router.post(
    "",
    summary="Attribute an image",
    status_code=201,
    response_model=AnswerOut,
    responses={202: {"model": JobStateOut, "description": "The job, where that is preferred"}},
    dependencies=[needs(Scope.LOOK_UP), ONE_WORK],
)
def create_attribution(
    image: Annotated[UploadFile, File(description="The image.")],
    services: ServicesDep,
    later: LaterDep,
    request: Request,
    response: Response,
    asked: AskedDep,
) -> AnswerOut | Response:
    """Rank the artists an image most resembles, with the supporting works.

    `score` is a share of the vote, `probability` what that was found to mean (null: not
    calibrated). The answer is recorded and can be read again. With `Prefer: respond-async` a worker
    looks the image up, and `answer` of the job leads to what would have been answered here.
    """
    checked = read_upload(image.file, services.limits)
    if later.is_preferred:
        image.file.seek(0)
        sha256 = checked.facts.sha256
        batch_id = accept_image(
            *(services, image.file, sha256),
            artists=asked.limit,
            purpose=asked.purpose,
            is_thorough=asked.is_thorough(services.settings),
        )
        return later.look_up(batch_id)
    answer = services.attributor.attribute(
        checked,
        limit=asked.limit,
        also=_keeping(services, checked, image, asked),
        is_thorough=asked.is_thorough(services.settings),
    )
    where = request.app.url_path_for("get_attribution", attribution_id=answer.id)
    response.headers["location"] = str(where)
    return AnswerOut.of(answer)


@router.post(
    "/sets",
    summary="Attribute images by one hand",
    status_code=201,
    dependencies=[needs(Scope.LOOK_UP)],
)
def create_set_attribution(
    images: Annotated[
        list[UploadFile], File(description="The images.", min_length=1, max_length=MOST_IMAGES)
    ],
    services: ServicesDep,
    works: WorksDep,
    asked: AskedDep,
) -> SetOut:
    """Give one answer for images that one hand made, beside an answer for each.

    Near-duplicates among them count once. The answers to the single images are recorded.
    """
    works(len(images))
    checked = []
    for number, image in enumerate(images, 1):
        try:
            checked.append(read_upload(image.file, services.limits))
        except BadImage as error:
            raise BadImage(error.reason, f"image {number} of {len(images)}: {error}") from error
    keep = [_keeping(services, *pair, asked) for pair in zip(checked, images, strict=True)]
    found = services.attributor.attribute_set(
        checked,
        limit=asked.limit,
        also=keep,
        is_thorough=asked.is_thorough(services.settings),
    )
    return SetOut.of(found)


def _keeping(services: Services, image: CheckedImage, file: UploadFile, asked: Asked) -> Also:
    obtained = Obtained(How.UPLOAD, asked.purpose)
    return keeping(services, image, partial(again, file.file), obtained)


@router.post(
    "/members",
    summary="Is an image registered?",
    dependencies=[needs(Scope.LOOK_UP), ONE_WORK],
)
def find_member(
    image: Annotated[UploadFile, File(description="The image.")], services: ServicesDep
) -> MemberOut:
    """Say whether the image, or a near copy of it, is registered, and how often that errs.

    Nothing found is no proof of absence. The answer is not recorded.
    """
    return MemberOut.of(services.attributor.member(read_upload(image.file, services.limits)))


@router.post(
    "/findings",
    summary="Which of many images show or resemble what is registered",
    responses=also(404),
    dependencies=[needs(Scope.LOOK_UP)],
)
def find_among(asked: Together, services: ServicesDep) -> FindingsOut:
    """Name the answers whose images are copies, and those that resemble a registered hand.

    The latter at a false discovery rate.
    """
    with services.sessions() as session:
        answers = recalled(session, list(dict.fromkeys(asked.attributions)))
    return FindingsOut.of(find_ours(answers, level=asked.level))


def artist_of(
    services: ServicesDep,
    artist: Annotated[
        str | None,
        Query(max_length=200, description="Slug: answers that name a work of this artist."),
    ] = None,
) -> UUID | None:
    """Return the id of the artist whose works answers are to name."""
    return _id_of(services, artist)


def original_by(
    services: ServicesDep,
    copy_of: Annotated[
        str | None,
        Query(max_length=200, description="Slug: images that are copies of this artist's works."),
    ] = None,
) -> UUID | None:
    """Return the id of the artist of whose works images are to be copies."""
    return _id_of(services, copy_of)


def _id_of(services: Services, slug: str | None) -> UUID | None:
    if slug is None:
        return None
    with services.sessions() as session:
        return queries.artist_by_slug(session, slug).id


def answers_wanted(
    artist_id: Annotated[UUID | None, Depends(artist_of)],
    original: Annotated[UUID | None, Depends(original_by)],
    verdict: Annotated[Verdict | None, Query(description="Only this.")] = None,
    sha256: Annotated[str | None, Query(description="Of the file that was asked about.")] = None,
    since: Since = None,
    until: Until = None,
) -> AnswersWanted:
    """Return which answers a request asks for."""
    return AnswersWanted(verdict, artist_id, sha256, since, until, original)


@router.get(
    "",
    summary="List earlier attributions",
    responses=also(404),
    dependencies=[needs(Scope.READ)],
)
def list_attributions(
    services: ServicesDep,
    wanted: Annotated[AnswersWanted, Depends(answers_wanted)],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[AttributionBrief]:
    """List earlier answers in short, the newest first.

    `artist` asks for those that name a work which is registered under the artist now, as a copy or
    as one that is like the image; `copy_of` for copies alone.
    """
    with services.sessions() as session:
        page = queries.list_attributions(session, wanted, cursor=cursor, limit=limit)
        return PageOut[AttributionBrief].of(page, AttributionBrief.of)


@router.get(
    "/{attribution_id}", summary="Get an earlier attribution", dependencies=[needs(Scope.READ)]
)
def get_attribution(attribution_id: UUID, services: ServicesDep) -> AnswerOut:
    """Return an earlier answer."""
    return AnswerOut.of(services.attributor.recall(attribution_id))


@router.get(
    "/{attribution_id}/differences",
    summary="See what has become different since an attribution",
    dependencies=[needs(Scope.READ)],
)
def get_differences(attribution_id: UUID, services: ServicesDep) -> DifferencesOut:
    """Compare what an earlier answer rests on with the present: works, artists, models, numbers.

    It does not ask again. What was withdrawn is gone, and cannot be brought back for it.
    """
    found = services.attributor.differences(attribution_id)
    return DifferencesOut.of(attribution_id, found)


@router.get(
    "/{attribution_id}/recomputation",
    summary="Compute an attribution again from what is kept of it",
    responses=also(409),
    dependencies=[needs(Scope.READ)],
)
def get_recomputation(attribution_id: UUID, services: ServicesDep) -> RecomputationOut:
    """Do the arithmetic of an earlier answer again, without models, and compare every figure.

    What cannot be computed is taken from the record, and said. 409 where nothing is kept to compute
    from.
    """
    found = services.attributor.recompute(attribution_id)
    return RecomputationOut.of(attribution_id, found)


@router.post(
    "/{attribution_id}/again",
    summary="Ask an earlier question today",
    status_code=201,
    responses=also(409),
    dependencies=[needs(Scope.LOOK_UP), ONE_WORK],
)
def ask_anew(
    attribution_id: UUID,
    services: ServicesDep,
    request: Request,
    response: Response,
    limit: Annotated[int, Query(ge=1, le=50, description="Artists at most.")] = 5,
) -> AgainOut:
    """Attribute the image that is kept of an earlier answer anew, as a new answer.

    It is as thorough as the earlier one.
    With what has become different of what the two rest on. 409 where the image is not kept.
    """
    found = ask_again(services, services.attributor, attribution_id, limit=limit)
    where = request.app.url_path_for("get_attribution", attribution_id=found.answer.id)
    response.headers["location"] = str(where)
    return AgainOut.of(found)


@router.get(
    "/{attribution_id}/works/{artwork_id}/picture",
    summary="See a work that an attribution cites",
    response_class=Response,
    responses=also(403)
    | {200: {"description": "WebP, 256 px at most", "content": {"image/webp": {"schema": BYTES}}}},
    dependencies=[needs(Scope.REVIEW)],
)
def get_cited_work(attribution_id: UUID, artwork_id: UUID, services: ServicesDep) -> Response:
    """Return a small WebP, also of a work that may be shown as evidence only; that is audited.

    403 where the work may be shown to nobody, 404 where no picture of it is kept.
    """
    picture = evidence(services, attribution_id, artwork_id)
    headers = {"cache-control": "private, no-store"}
    return Response(picture, media_type="image/webp", headers=headers)


@router.get(
    "/{attribution_id}/report",
    summary="Get the report of an attribution",
    response_class=HTMLResponse,
    dependencies=[needs(Scope.READ)],
)
def get_report(attribution_id: UUID, services: ServicesDep) -> HTMLResponse:
    """Return a page for people, with the image where it is kept and the caller has `review`."""
    return _report(services, [services.attributor.recall(attribution_id)])


@router.post(
    "/{attribution_id}/report",
    summary="Get the report, with the image",
    response_class=HTMLResponse,
    dependencies=[needs(Scope.LOOK_UP)],
)
def make_report(
    attribution_id: UUID,
    image: Annotated[UploadFile, File(description="The same file again.")],
    services: ServicesDep,
) -> HTMLResponse:
    """Return a page for people that shows the image; nothing is kept."""
    answer = services.attributor.recall(attribution_id)
    checked = read_upload(image.file, services.limits)
    page = make_page(services, visible(image.filename or "") or "the image", checked, answer)
    return _html([page])


@router.post(
    "/report",
    summary="Get one report of several attributions",
    response_class=HTMLResponse,
    responses=also(404),
    dependencies=[needs(Scope.LOOK_UP)],
)
def make_joint_report(asked: Together, services: ServicesDep) -> HTMLResponse:
    """Return a page for people: what several earlier answers say together, then each."""
    with services.sessions() as session:
        answers = recalled(session, list(dict.fromkeys(asked.attributions)))
    return _report(services, answers)


def _report(services: Services, answers: Sequence[Attribution]) -> HTMLResponse:
    pages = [
        make_page(services, f"Image {answer.image_sha256[:12]}", None, answer) for answer in answers
    ]
    return _html(pages)


def _html(pages: Sequence[Page]) -> HTMLResponse:
    headers = {"content-security-policy": f"{POLICY}; {SOURCES}"}
    return HTMLResponse(render_report(pages), headers=headers)


@router.post(
    "/{attribution_id}/regions",
    summary="See which parts of the image speak for whom",
    dependencies=[needs(Scope.LOOK_UP), ONE_WORK],
)
def find_attribution_regions(
    attribution_id: UUID,
    image: Annotated[UploadFile, File(description="The same file again.")],
    services: ServicesDep,
) -> Regions:
    """Compare the parts of the image with the works that the answer shows; nothing is kept.

    Works without display consent are not compared.
    """
    answer = services.attributor.recall(attribution_id)
    asked = read_upload(image.file, services.limits)
    return find_regions(services, services.encoders, asked, answer)
