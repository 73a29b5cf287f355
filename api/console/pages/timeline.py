"""What happened in a case, in words: each entry of the audit that is about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from api.cases import HoldOut
from api.console.rendering import PageRoute, page
from api.http.access import needs
from api.http.dependencies import Cursor, ServicesDep
from api.reports.sentences import SENTENCES, say
from attribution.actors import Scope
from attribution.cases import NoteKind
from attribution.catalogue.models import (
    Assessment,
    AuditEntry,
    Case,
    CaseDocument,
    CaseFinding,
    CaseNote,
    Decision,
    Hold,
    Sealed,
)
from attribution.catalogue.queries import desk
from attribution.catalogue.queries.pages import Page
from attribution.catalogue.queries.timelines import list_timeline, rows_about
from attribution.services import Services

router = APIRouter(prefix="/cases", route_class=PageRoute)

SHOWN = 50  # entries a page
LATEST = 15  # of them on the page of a case

ACTS: Mapping[str, str] = {
    "take-case": "took the case from the queue",
    "release-case": "gave the case back to the queue",
    "assign-case": "gave the case to {to}",
    "close-case": "closed the case",
    "add-images": "added images ({added})",
    "open-appeal": "opened an appeal, case {number}",
    "decide-appeal": "decided the appeal in case {number}: {outcome}",
    "pack-case": "made the evidence pack {pack}",
    "open-exhibit": "opened the sealed exhibit of work {artwork}",
    "add-party": "named a party: {party}",
    "remove-party": "removed a party: {party}",
    "keep-contact": "entered how {party} can be reached",
    "forget-contact": "deleted how {party} can be reached",
    "view": "saw how {party} can be reached",
}
"""Acts on a case and on its parties, by what the audit calls them."""

NOTES: Mapping[NoteKind, str] = {
    NoteKind.COMMENT: "commented",
    NoteKind.SKIP: "left the case to others",
    NoteKind.MOVE: "moved the case",
    NoteKind.REOPEN: "reopened the case",
    NoteKind.APPEAL: "appealed",
}


@dataclass(frozen=True)
class Told:
    """Something that somebody did in a case."""

    number: int  # of the entry
    at: datetime
    by: str
    did: str
    words: str = ""  # of theirs


@router.get("/{case_id}/timeline", dependencies=[needs(Scope.CASES)])
def show_timeline(
    request: Request, case_id: UUID, services: ServicesDep, cursor: Cursor = None
) -> Response:
    """Show what happened in a case, the newest first."""
    told = timeline(services, case_id, cursor, limit=SHOWN)
    return page(request, "case_timeline.html", case_id=case_id, told=told)


def timeline(
    services: Services, case_id: UUID, cursor: str | None = None, *, limit: int
) -> Page[Told]:
    """Return what happened in a case, the newest first; raises NotFound."""
    with services.sessions() as session:
        desk.case_by_id(session, case_id)
        found = list_timeline(session, case_id, cursor=cursor, limit=limit)
        rows = rows_about(session, found.items)
        assessed = {one.finding_id for one in rows.values() if isinstance(one, Assessment)}
        findings = desk.findings_by_id(session, case_id, assessed)
        parties = {
            str(one.id): str(one.artist or one.name) for one in desk.parties_of(session, case_id)
        }
    told = []
    for entry in found.items:
        row = rows.get(entry.object or "")
        if row is None or isinstance(row, Case):
            did, words = _of_case(entry, row, parties)
        else:
            did, words = _of_row(entry, row, findings)
        told.append(Told(entry.sequence, entry.at, entry.actor, did, words))
    return Page(tuple(told), found.next)


def _of_case(entry: AuditEntry, row: Case | None, parties: Mapping[str, str]) -> tuple[str, str]:
    """Say what was done to a case or a party; what nobody has words for, as the audit calls it."""
    details: Mapping[str, Any] = entry.details
    match entry.action:
        case "open-case":
            return "opened the case", row.title if row else ""
        case "plan-case":
            due = details["due_at"]
            when = f"due {datetime.fromisoformat(due):%Y-%m-%d %H:%M UTC}" if due else "no due date"
            return f"planned the case: priority {details['priority']}, {when}", ""
        case "keep-exhibits":
            works = len(details["works"])
            return f"withdrew works on hold ({works}), of which sealed exhibits stay", ""
    party = details.get("party") or str(entry.object).partition(":")[2]
    known = parties.get(party) or details.get("artist") or details.get("role", "a former party")
    return ACTS.get(entry.action, entry.action).format(**{**details, "party": known}), ""


def _of_row(
    entry: AuditEntry, row: Sealed, findings: Mapping[UUID, CaseFinding]
) -> tuple[str, str]:
    """Say what was done with something in a case; `amend` is its end, or a second signature."""
    is_later = entry.action == "amend"
    did, words = entry.action, ""
    match row:
        case CaseNote():
            did, words = NOTES[row.kind], row.text
        case Assessment():
            one = findings[row.finding_id]
            did = f"called finding {one.position} ({one.lane.value}) {row.verdict.value}"
            words = row.why
        case Decision() if is_later:
            did = f"signed decision {row.number}"
        case Decision():
            ground = say("decisions", "ground", ground=SENTENCES["grounds"][row.ground])
            did = f"made decision {row.number}: {say('decisions', row.outcome)} {ground}"
            words = row.words
        case Hold() if is_later:
            did, words = f"ended the hold of {held(row)}", row.ended_why or ""
        case Hold():
            did, words = f"put {held(row)} on hold", row.why
        case CaseDocument() if is_later:
            did, words = f"removed document {row.position}", row.removed_why or ""
        case CaseDocument():
            verb = "saved" if entry.action == "view" else "added"
            did, words = f"{verb} document {row.position}", row.title
    return did, words


def held(hold: Hold | HoldOut) -> str:
    """Return what is on hold, in words."""
    if hold.artist:
        return f"all works of {hold.artist}"
    return f"work {hold.artwork_id}" if hold.artwork_id else f"image {hold.subject_id}"
