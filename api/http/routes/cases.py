"""Cases: what people look at, assess and decide."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.orm import Session

from api.cases import CaseDetail, CaseFindingOut, CaseOut, CaseSubjectOut, ContactOut, PairOut
from api.http.access import ScopedRoute, needs
from api.http.conditions import Editing, EditingDep, ReadingDep
from api.http.dependencies import Cursor, End, Moment, PageSize, ServicesDep
from api.http.description import also
from api.schemas import PageOut
from attribution.actors import Scope
from attribution.cases import Assessed, CaseKind, CaseOutcome, CaseStatus, Ground, PartyRole
from attribution.catalogue import queries
from attribution.catalogue.models.desk import PRIORITY
from attribution.catalogue.queries import desk, pairs
from attribution.catalogue.queries.records import check_sha256
from attribution.desk import judging, opening, queue
from attribution.desk.contacts import forget_contact, keep_contact, see_contacts
from attribution.desk.exhibits import receipts_of
from attribution.desk.people import LONGEST
from attribution.services import Services

router = APIRouter(prefix="/cases", tags=["cases"], route_class=ScopedRoute)
READS, ACTS, PLANS = needs(Scope.CASES), needs(Scope.REVIEW), needs(Scope.OPERATE)
OPEN_ALREADY: dict[int | str, dict[str, Any]] = {
    200: {"model": CaseOut, "description": "The case that is open already"}
}
Words = Annotated[str, Field(min_length=1, max_length=LONGEST)]


class Sent(BaseModel):
    """A body in which only what is known may stand."""

    model_config = ConfigDict(extra="forbid")


class PartySent(Sent):
    """Somebody who has to do with a case."""

    role: PartyRole
    artist: str | None = Field(None, max_length=200, description="Slug of a registered artist.")
    name: str | None = Field(None, max_length=200, description="Of anybody else.")
    account: str | None = Field(
        None,
        max_length=200,
        description="Who this is among the users of the service, as records name them: they "
        "judge nothing in this case.",
        examples=["key lk_1a2b3c4d"],
    )

    def party(self) -> opening.NewParty:
        """Return it as the desk takes it."""
        return opening.NewParty(**vars(self))


class CaseSent(Sent):
    """What a case is opened for."""

    kind: CaseKind
    title: Words = Field(examples=["A print of “Red boat” in a web shop"])
    attributions: list[UUID] = Field([], max_length=opening.AT_ONCE, description="Answers, by id.")
    artwork_id: UUID | None = Field(None, description="A work that several artists claim.")
    batch_id: UUID | None = Field(
        None, description="A lookup batch: those of its answers that name a work or one artist."
    )
    parties: list[PartySent] = Field([], max_length=100)
    priority: int = Field(PRIORITY, ge=1, le=5)
    due_at: End | None = Field(None, description="Left out: as LAWFUL_CASE_DAYS says.")


class AnswersSent(Sent):
    """Answers whose images are added."""

    attributions: list[UUID] = Field(min_length=1, max_length=opening.AT_ONCE)


class AddedOut(BaseModel):
    """How many images are new in the case; the others are in an open case of its kind."""

    added: int


class AssessmentSent(Sent):
    """What a person says of findings."""

    findings: list[UUID] = Field(min_length=1, max_length=judging.AT_ONCE)
    verdict: Assessed
    why: Words = Field(examples=["the same brush strokes, mirrored"])


class DecisionSent(Sent):
    """What is decided."""

    outcome: CaseOutcome
    ground: Ground
    words: Words = Field(examples=["the print shows the registered work, mirrored"])


class CaseSaid(Sent):
    """Why something is done, or a comment."""

    text: Words


class CaseMoved(CaseSaid):
    """To whom a case goes, and why."""

    to: str = Field(min_length=1, max_length=200, examples=["key lk_1a2b3c4d"])


class AppealSent(CaseSaid):
    """Why a decision is appealed against, and by whom."""

    parties: list[PartySent] = Field([], max_length=100)


class CasePlanned(Sent):
    """When a case is judged: what is left out stays."""

    priority: int = Field(PRIORITY, ge=1, le=5, description="1 is the most urgent.")
    due_at: End | None = Field(None, description="Null: it has no due date.")


class ContactSent(Sent):
    """How a party can be reached."""

    text: Words = Field(examples=["Ms Example, mail@shop.example"])


class ContactsOut(BaseModel):
    """How the parties of a case can be reached."""

    contacts: list[ContactOut]


class NextCaseOut(BaseModel):
    """The next case of the queue."""

    case: CaseOut | None = Field(description="Null: none waits for you.")


class ThenNowOut(BaseModel):
    """What has become different for one image since the answer that a case rests on."""

    position: int
    attribution_id: UUID
    differences: list[str] = Field(description="Sentences; none: nothing is different.")


@dataclass(frozen=True)
class Filter:
    """Which cases a list shows."""

    status: CaseStatus | None = None
    kind: CaseKind | None = None
    assignee: Annotated[str | None, Query(max_length=200)] = None
    artist: Annotated[str | None, Query(max_length=200, description="Slug of a party.")] = None
    sha256: Annotated[str | None, Query(description="Of the file of an image.")] = None
    due_before: Moment | None = None

    def of(self, session: Session) -> desk.CasesWanted:
        """Return it as the catalogue takes it; raises NotFound for an unknown artist."""
        return desk.CasesWanted(
            statuses=(self.status,) if self.status else (),
            kind=self.kind,
            assignee=self.assignee,
            artist_id=queries.artist_by_slug(session, self.artist).id if self.artist else None,
            image_sha256=check_sha256(self.sha256) if self.sha256 else None,
            due_before=self.due_before,
        )


@router.post(
    "",
    summary="Open a case",
    status_code=201,
    responses=also(404, 409) | OPEN_ALREADY,
    dependencies=[ACTS],
)
def create_case(
    asked: CaseSent, services: ServicesDep, request: Request, response: Response
) -> CaseOut:
    """Open a case, or return the open one of that kind that has these images, with 200."""
    new = opening.NewCase(
        kind=asked.kind,
        title=asked.title,
        attributions=asked.attributions,
        artwork=asked.artwork_id,
        batch=asked.batch_id,
        parties=[one.party() for one in asked.parties],
        priority=asked.priority,
        due_at=asked.due_at,
    )
    return _opened(opening.open_case(services, new), request, response)


@router.get("", summary="List cases", responses=also(404), dependencies=[READS])
def list_cases(
    services: ServicesDep,
    wanted: Annotated[Filter, Depends()],
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[CaseOut]:
    """List cases, the newest first."""
    with services.sessions() as session:
        page = desk.list_cases(session, wanted.of(session), cursor=cursor, limit=limit)
        return PageOut[CaseOut].of(page, CaseOut.of)


@router.post("/next", summary="Take the next case of the queue", dependencies=[ACTS])
def take_next_case(services: ServicesDep) -> NextCaseOut:
    """Get the most urgent case that waits; nobody else gets it for LAWFUL_CASE_LEASE_MINUTES."""
    row = queue.take_next(services)
    return NextCaseOut(case=CaseOut.of(row) if row else None)


@router.get("/pairs", summary="List decided pairs", dependencies=[READS])
def list_case_pairs(
    services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[PairOut]:
    """List images and works that decisions which hold call a match, or none, for calibration.

    Of the newest case first. A page may have fewer than `limit` while `next` leads on.
    """
    with services.sessions() as session:
        page = pairs.list_pairs(session, cursor=cursor, limit=limit)
        return PageOut[PairOut].of(page, PairOut.of)


@router.get("/{case_id}", summary="Get a case", dependencies=[READS])
def get_case(case_id: UUID, services: ServicesDep, reading: ReadingDep) -> CaseDetail:
    """Parties, decisions and notes; images and findings are lists of their own."""
    return reading.tagged(_detail(services, case_id))


@router.patch("/{case_id}", summary="Plan a case", responses=also(409), dependencies=[PLANS])
def plan_case(
    case_id: UUID, asked: CasePlanned, services: ServicesDep, editing: EditingDep
) -> CaseDetail:
    """Give a case another priority or due date, which say what is next in the queue."""
    with _editing(services, editing, case_id):
        queue.plan(services, case_id, asked.model_dump(exclude_unset=True))
    return editing.tagged(_detail(services, case_id))


@router.get("/{case_id}/subjects", summary="List the images of a case", dependencies=[READS])
def list_case_subjects(
    case_id: UUID, services: ServicesDep, cursor: Cursor = None, limit: PageSize = 100
) -> PageOut[CaseSubjectOut]:
    """List images in the order they were added."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        page = desk.list_case_subjects(session, case_id, cursor=cursor, limit=limit)
        receipts = receipts_of(session, page.items)
        return PageOut[CaseSubjectOut].of(
            page, lambda row: CaseSubjectOut.of(row, receipts[row.id])
        )


@router.post(
    "/{case_id}/subjects", summary="Add images to a case", responses=also(409), dependencies=[ACTS]
)
def add_case_subjects(case_id: UUID, asked: AnswersSent, services: ServicesDep) -> AddedOut:
    """Add the images of answers; those in an open case of the kind are left out."""
    return AddedOut(added=opening.add_answers(services, case_id, asked.attributions))


@router.get("/{case_id}/findings", summary="List the findings of a case", dependencies=[READS])
def list_case_findings(
    case_id: UUID,
    services: ServicesDep,
    assessed: Annotated[
        bool | None, Query(description="Only those that somebody has assessed, or nobody.")
    ] = None,
    cursor: Cursor = None,
    limit: PageSize = 100,
) -> PageOut[CaseFindingOut]:
    """List what the machine said, with what people said of that."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        page = desk.list_case_findings(
            session, case_id, is_assessed=assessed, cursor=cursor, limit=limit
        )
        said = desk.assessments_of(session, [one.id for one in page.items])
        return PageOut[CaseFindingOut].of(
            page, lambda row: CaseFindingOut.of(row, said.get(row.id, []))
        )


@router.get(
    "/{case_id}/differences", summary="Compare a case with the present", dependencies=[READS]
)
def get_case_differences(
    case_id: UUID,
    services: ServicesDep,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=50, description="Images a page.")] = 20,
) -> PageOut[ThenNowOut]:
    """Say for each image what has become different since its answer, for appeals above all."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        page = desk.list_case_subjects(session, case_id, cursor=cursor, limit=limit)
    answers = {row.attribution_id: row for row in page.items if row.attribution_id is not None}
    items = [
        ThenNowOut(
            position=answers[answer].position,
            attribution_id=answer,
            differences=[one.said for one in different],
        )
        for answer, different in services.attributor.differences_of_each(list(answers)).items()
    ]
    return PageOut[ThenNowOut](items=items, next=page.next)


@router.post(
    "/{case_id}/assessments", summary="Assess findings", responses=also(409), dependencies=[ACTS]
)
def assess_findings(
    case_id: UUID, asked: AssessmentSent, services: ServicesDep, editing: EditingDep
) -> CaseDetail:
    """Say whether findings hold, and why; the last assessment of a finding counts."""
    with _editing(services, editing, case_id):
        judging.assess(services, case_id, asked.findings, asked.verdict, asked.why)
    return editing.tagged(_detail(services, case_id))


@router.post(
    "/{case_id}/decisions", summary="Decide a case", responses=also(409), dependencies=[ACTS]
)
def decide_case(
    case_id: UUID, asked: DecisionSent, services: ServicesDep, editing: EditingDep
) -> CaseDetail:
    """Decide; a grave outcome waits for the signature of a second person.

    409 while findings of the lane are not assessed, and for whoever comes second.
    """
    with _editing(services, editing, case_id):
        judging.decide(services, case_id, judging.NewDecision(**vars(asked)))
    return editing.tagged(_detail(services, case_id))


@router.post(
    "/{case_id}/second", summary="Second a decision", responses=also(409), dependencies=[ACTS]
)
def second_decision(case_id: UUID, services: ServicesDep, editing: EditingDep) -> CaseDetail:
    """Sign the last decision, which somebody else has made; it holds from now on."""
    with _editing(services, editing, case_id):
        judging.second(services, case_id)
    return editing.tagged(_detail(services, case_id))


@router.post("/{case_id}/reopen", summary="Reopen a case", responses=also(409), dependencies=[ACTS])
def reopen_case(
    case_id: UUID, asked: CaseSaid, services: ServicesDep, editing: EditingDep
) -> CaseDetail:
    """Have a decided case decided again; its next decision supersedes the last one."""
    with _editing(services, editing, case_id):
        judging.reopen(services, case_id, asked.text)
    return editing.tagged(_detail(services, case_id))


@router.post("/{case_id}/close", summary="Close a case", responses=also(409), dependencies=[ACTS])
def close_case(case_id: UUID, services: ServicesDep, editing: EditingDep) -> CaseDetail:
    """Close a decided case; its images may be in another one from now on."""
    with _editing(services, editing, case_id):
        judging.close(services, case_id)
    return editing.tagged(_detail(services, case_id))


@router.post(
    "/{case_id}/appeals",
    summary="Appeal against a decision",
    status_code=201,
    responses=also(409) | OPEN_ALREADY,
    dependencies=[ACTS],
)
def create_appeal(
    case_id: UUID, asked: AppealSent, services: ServicesDep, request: Request, response: Response
) -> CaseOut:
    """Open an appeal against the last decision, or return the open one, with 200."""
    parties = [one.party() for one in asked.parties]
    return _opened(opening.appeal(services, case_id, asked.text, parties), request, response)


@router.post("/{case_id}/parties", summary="Name a party", responses=also(409), dependencies=[ACTS])
def add_case_party(case_id: UUID, asked: PartySent, services: ServicesDep) -> CaseDetail:
    """Name somebody who has to do with the case."""
    opening.add_party(services, case_id, asked.party())
    return _detail(services, case_id)


@router.post(
    "/{case_id}/parties/{party_id}/remove",
    summary="Remove a party",
    responses=also(409),
    dependencies=[ACTS],
)
def remove_case_party(
    case_id: UUID, party_id: UUID, asked: CaseSaid, services: ServicesDep
) -> CaseDetail:
    """Take somebody who was named by mistake out of an open case, with their contact."""
    opening.remove_party(services, case_id, party_id, asked.text)
    return _detail(services, case_id)


@router.get("/{case_id}/contacts", summary="See the contacts of a case", dependencies=[ACTS])
def list_case_contacts(case_id: UUID, services: ServicesDep) -> ContactsOut:
    """Say how the parties can be reached; the audit says who has seen that."""
    rows = see_contacts(services, case_id)
    return ContactsOut(contacts=[ContactOut.of(row) for row in rows])


@router.post(
    "/{case_id}/parties/{party_id}/contact", summary="Keep a party's contact", dependencies=[ACTS]
)
def keep_party_contact(
    case_id: UUID, party_id: UUID, asked: ContactSent, services: ServicesDep
) -> CaseDetail:
    """Keep how a party can be reached, for LAWFUL_CONTACT_DAYS, in place of what is kept."""
    keep_contact(services, case_id, party_id, asked.text)
    return _detail(services, case_id)  # not the contact: answers are kept for repeated requests


@router.post(
    "/{case_id}/parties/{party_id}/contact/forget",
    summary="Delete a party's contact",
    responses=also(409),
    dependencies=[ACTS],
)
def forget_party_contact(case_id: UUID, party_id: UUID, services: ServicesDep) -> CaseDetail:
    """Delete how a party can be reached; the party stays. 409 where nothing is kept."""
    forget_contact(services, case_id, party_id)
    return _detail(services, case_id)


@router.post("/{case_id}/comments", summary="Comment on a case", dependencies=[ACTS])
def comment_on_case(case_id: UUID, asked: CaseSaid, services: ServicesDep) -> CaseDetail:
    """Write a comment, which nobody can alter."""
    queue.comment(services, case_id, asked.text)
    return _detail(services, case_id)


@router.post("/{case_id}/skip", summary="Skip a case", responses=also(409), dependencies=[ACTS])
def skip_case(case_id: UUID, asked: CaseSaid, services: ServicesDep) -> CaseDetail:
    """Leave a case to others; the queue does not give it to you again."""
    queue.skip(services, case_id, asked.text)
    return _detail(services, case_id)


@router.post("/{case_id}/move", summary="Move a case", responses=also(409), dependencies=[ACTS])
def move_case(case_id: UUID, asked: CaseMoved, services: ServicesDep) -> CaseDetail:
    """Give a case to somebody; 403 for an appeal against a decision of theirs."""
    queue.move(services, case_id, asked.to, asked.text)
    return _detail(services, case_id)


@router.post(
    "/{case_id}/release", summary="Release a case", responses=also(409), dependencies=[ACTS]
)
def release_case(case_id: UUID, services: ServicesDep) -> CaseDetail:
    """Give a case back to the queue before its time is over."""
    queue.release(services, case_id)
    return _detail(services, case_id)


def _opened(found: opening.Opened, request: Request, response: Response) -> CaseOut:
    where = request.app.url_path_for("get_case", case_id=found.case.id)
    response.headers["location"] = str(where)
    if not found.is_new:
        response.status_code = 200
    return CaseOut.of(found.case)


def _editing(services: Services, editing: Editing, case_id: UUID) -> AbstractContextManager[None]:
    return editing.of(services, partial(_read, case_id=case_id))


def _detail(services: Services, case_id: UUID) -> CaseDetail:
    with services.sessions() as session:
        return _read(session, case_id)[1]


def _read(session: Session, case_id: UUID) -> tuple[UUID, CaseDetail]:
    return case_id, CaseDetail.read(session, desk.case_by_id(session, case_id))
