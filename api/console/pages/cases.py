"""Cases: the queue, one case with everything that is said in it, and what people do there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.cases import CaseDetail, CaseFindingOut, CaseOut, HoldOut
from api.console.rendering import PageRoute, page, went
from api.http.access import needs
from api.http.dependencies import Cursor, Moment, ServicesDep, WorksDep
from api.http.routes.cases import get_case_differences, list_case_contacts
from api.http.routes.evidence import MOST_LOOKUPS, make_case_evidence
from api.reports.sentences import SENTENCES, say
from api.reports.telling import Figure
from attribution.actors import Scope
from attribution.answers import Attribution
from attribution.cases import (
    RULINGS,
    STATES,
    Assessed,
    CaseKind,
    CaseOutcome,
    CaseStatus,
    Ground,
    NoteKind,
    PartyRole,
)
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import (
    Artwork,
    ArtworkStatus,
    CaseFinding,
    CaseSubject,
)
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries import desk
from attribution.custody import Kept
from attribution.desk import judging, queue
from attribution.desk.exhibits import receipts_of
from attribution.desk.holding import NewHold, end_hold, put_on_hold
from attribution.desk.opening import NewCase, NewParty, appeal, open_case
from attribution.desk.people import me, person
from attribution.lookup import wording
from attribution.lookup.sights import exhibit
from attribution.services import Services

router = APIRouter(prefix="/cases", route_class=PageRoute)

READS, ACTS = needs(Scope.CASES), needs(Scope.REVIEW)
SHOWN, IMAGES = 50, 10  # a page
HELD = "^(artist:.+|(work|image):[0-9a-f-]{36})$"  # as the form of a case says it
SOON = timedelta(days=3)  # what is due until then is shown as due

KINDS: Mapping[CaseKind, str] = {
    CaseKind.MATCH: "match: an image that shows or resembles registered works",
    CaseKind.GENERATED: "generated: a picture that was drawn here",
    CaseKind.WITHDRAWAL: "withdrawal: somebody asks that works are withdrawn",
}
"""What a case about an answer may be."""

STATUSES: Mapping[CaseStatus, str] = {
    CaseStatus.OPEN: "open",
    CaseStatus.SECOND: "waits for a second person",
    CaseStatus.DECIDED: "decided",
    CaseStatus.CLOSED: "closed",
}
NOTES: Mapping[NoteKind, str] = {
    NoteKind.COMMENT: "commented",
    NoteKind.SKIP: "left the case to others",
    NoteKind.MOVE: "moved the case",
    NoteKind.REOPEN: "reopened the case",
    NoteKind.APPEAL: "appealed",
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
        return cls(answer.id, wording.headline(answer), slug, cases, KINDS)


class OpeningSent(BaseModel):
    """What a case about an answer is opened with."""

    attribution: UUID
    kind: CaseKind
    title: str
    artist: str | None = None  # slug of a party
    work: UUID | None = None  # which the image is being compared with


@dataclass(frozen=True)
class Told:
    """Something that somebody did in a case."""

    at: datetime
    by: str
    did: str
    words: str = ""  # of theirs


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


# ---- the queue -----------------------------------------------------------------------------------


@router.get("", dependencies=[READS])
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


@router.post("/next", dependencies=[ACTS])
def take_next(request: Request, services: ServicesDep) -> Response:
    """Take the most urgent case that waits."""
    row = queue.take_next(services)
    return went(request, f"cases/{row.id}" if row else "cases?show=mine&none_waits=true")


@router.post("", dependencies=[ACTS])
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


# ---- one case ------------------------------------------------------------------------------------


@router.get("/{case_id}", dependencies=[READS])
def show_case(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """Show a case with everything that is said in it, its images some at a time."""
    with services.sessions() as session:
        case = CaseDetail.read(session, desk.case_by_id(session, case_id))
        found = desk.list_case_subjects(session, case_id, cursor=cursor, limit=IMAGES)
        told = sorted(_told(session, case), key=lambda one: one.at)
    images = _images(services, case_id, found.items)
    last = case.decisions[-1] if case.decisions else None
    return page(
        request,
        "case.html",
        case=case,
        statuses=STATUSES,
        acts={act.name for act, states in STATES.items() if case.status in states},
        told=told,
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
        holds=[(one, _held(one)) for one in case.holds],
        to_hold=dict(_to_hold(case, images)),
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


def _told(session: Session, case: CaseDetail) -> Iterator[Told]:
    """Yield what people did in a case."""
    yield Told(case.opened_at, case.opened_by, "opened the case", case.title)
    for one in case.notes:
        yield Told(one.at, one.by, NOTES[one.kind], one.text)
    for said, finding in desk.last_assessments(session, case.id):
        did = f"called finding {finding.position} ({finding.lane.value}) {said.verdict.value}"
        yield Told(said.at, said.by, did, said.why)
    for made in case.decisions:
        did = f"made decision {made.number}: {say('decisions', made.outcome)}"
        ground = say("decisions", "ground", ground=SENTENCES["grounds"][made.ground])
        yield Told(made.at, made.by, f"{did} {ground}", made.words)
        if made.seconded_by and made.seconded_at:
            yield Told(made.seconded_at, made.seconded_by, f"signed decision {made.number}")
    for hold in case.holds:
        yield Told(hold.at, hold.by, f"put {_held(hold)} on hold", hold.why)
        if hold.ended_at and hold.ended_by:
            yield Told(hold.ended_at, hold.ended_by, f"ended the hold of {_held(hold)}")


def _held(hold: HoldOut) -> str:
    if hold.artist:
        return f"all works of {hold.artist}"
    return f"work {hold.artwork_id}" if hold.artwork_id else f"image {hold.subject_id}"


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


@router.get("/{case_id}/contacts", dependencies=[ACTS])
def show_contacts(request: Request, case_id: UUID, services: ServicesDep) -> Response:
    """Show how the parties can be reached; the audit says who has seen it."""
    kept = list_case_contacts(case_id, services).contacts
    with services.sessions() as session:
        names = {one.id: one.artist or one.name for one in desk.parties_of(session, case_id)}
    contacts = [(names[one.party_id], one) for one in kept]
    return page(request, "case_contacts.html", case_id=case_id, contacts=contacts)


@router.get("/{case_id}/differences", dependencies=[READS])
def show_differences(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """Say what has become different since the answers that a case rests on."""
    found = get_case_differences(case_id, services, cursor)
    return page(request, "case_differences.html", case_id=case_id, found=found)


# ---- what people do ------------------------------------------------------------------------------


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
    until: Annotated[Moment | Literal[""], Form()] = "",
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
