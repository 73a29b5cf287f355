"""What the rows that the audit vouches for say, by leaf: the table of them, and how each is read.

A leaf can be forgotten, or may rightly say something else, by itself (`arithmetic.commitments`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, select, true
from sqlalchemy.orm import Session

from attribution.answers import parted
from attribution.catalogue.archive import whole_ones
from attribution.catalogue.models import (
    WIPED,
    ApiKey,
    Assessment,
    Case,
    CaseDocument,
    CaseFinding,
    CaseNote,
    Change,
    ChangeClaim,
    ChangeRow,
    ChangeWork,
    Consent,
    Decision,
    Hold,
    NonCopy,
    OfTenant,
    RecordedAttribution,
    Sealed,
    SubjectUse,
    Watch,
    Webhook,
    Withdrawal,
)
from attribution.consents import ConsentSource
from attribution.events import After
from attribution.tenants import DEFAULT

WITH_CHANGES = "with changes"  # what changes have in other tables: the audit began with it later
NON_COPY = "non-copy"  # the leaf of a change that declares one


@dataclass(frozen=True)
class Kind:
    """A table whose rows have entries: how they are called, and what they say, by leaf."""

    name: str
    table: type[Sealed]
    action: Callable[[Any], str]  # what the first entry of a row calls it, unless a note does
    leaves: Callable[[Session, Sequence[Any]], dict[UUID, dict[str, Any]]]  # of rows, by their ids
    amends: frozenset[str] = frozenset()  # leaves that may rightly say something else later
    has_entry: Callable[[], ColumnElement[bool]] = (
        true  # the rows that have entries; by default all
    )

    def key(self, row_id: UUID) -> str:
        """Return what an entry calls a row."""
        return f"{self.name}:{row_id}"

    def without_entry(self) -> Select[int]:
        """Return what counts the rows that should have an entry and have none."""
        return select(func.count()).where(self.table.sealed.is_(None), self.has_entry())


def _each(said: Callable[[Any], dict[str, Any]]) -> Callable[..., dict[UUID, dict[str, Any]]]:
    """Return what rows say who say everything themselves."""
    return lambda _, rows: {row.id: said(row) for row in rows}


def _answers(session: Session, rows: Sequence[RecordedAttribution]) -> dict[UUID, dict[str, Any]]:
    kept = whole_ones(session, rows)
    return {row.id: _answer(row, said) for row, said in zip(rows, kept, strict=True)}


def _answer(row: RecordedAttribution, said: Mapping[str, Any]) -> dict[str, Any]:
    rest, works = parted(said)
    fixed = [str(row.id), _at(row.created_at), row.image_sha256, row.verdict]
    return {"": [*fixed, row.fingerprint, rest, *_whose(row)], **works}


def _changes(session: Session, rows: Sequence[Change]) -> dict[UUID, dict[str, Any]]:
    """Return what changes say, with their rows in other tables, as far as there are any."""
    ids = [row.id for row in rows]
    said = {row.id: _change(row) for row in rows}
    works = select(*columns(ChangeWork)).where(ChangeWork.change_id.in_(ids))
    for one in session.execute(works.order_by(ChangeWork.artwork_id)):
        said[one.change_id]["works"].append(str(one.artwork_id))
    passed = select(*columns(ChangeRow)).where(ChangeRow.change_id.in_(ids))
    for one in session.execute(passed.order_by(ChangeRow.row_id)):
        said[one.change_id].setdefault("rows", []).append([str(one.row_id), *_whose(one)])
    claims = select(*columns(ChangeClaim)).where(ChangeClaim.change_id.in_(ids))
    for one in session.execute(claims.order_by(ChangeClaim.artwork_id, ChangeClaim.artist_id)):
        leaves, artist = said[one.change_id], str(one.artist_id)
        claim = [str(one.artwork_id), artist, one.passed_on, _id(one.job_id), _at(one.created_at)]
        leaves.setdefault("claims", []).append([*claim, *_whose(one)])
        if one.path != WIPED:
            leaves.setdefault(path_of_claim(one.artwork_id), []).append([artist, one.path])
    for one in session.execute(select(*columns(NonCopy)).where(NonCopy.id.in_(ids))):
        image = [one.image_sha256, one.image_phash, _at(one.until)]
        said[one.id][NON_COPY] = [str(one.artwork_id), *image, *_whose(one)]
    return said


def path_of_claim(work: UUID) -> str:
    """Return the leaf of a change that has the paths of the claims to a work: they may go."""
    return f"path:{work}"


def _change(row: Change) -> dict[str, Any]:
    ids = [row.from_artist_id, row.artwork_id, row.undoes_id]
    fixed = [str(row.id), row.kind, row.origin, row.by, _at(row.made_at)]
    return {
        "whose": [str(row.artist_id), row.merged_slug],  # others merge, and part again
        "": [*fixed, *map(_id, ids), row.works, *_whose(row)],
        "works": [],
        "reason": row.reason,
        "before": row.before,
        "after": row.after,
    }


def _receipt(row: Withdrawal) -> dict[str, Any]:
    fixed = [str(row.id), row.kind, _id(row.artwork_id), row.reason]
    return {
        "": [*fixed, _at(row.requested_at), *_whose(row)],
        "whose": str(row.artist_id),
        "receipt": [_at(row.completed_at), row.receipt],  # what is removed is written as it goes
    }


def _key(row: ApiKey) -> dict[str, Any]:
    opens = [row.prefix, row.sha256, row.role, row.scopes, row.artists, _at(row.expires_at)]
    made = [_at(row.created_at), row.issued_by]
    return {
        "": [str(row.id), row.name, *opens, *made, *_whose(row)],
        "revoked": _at(row.revoked_at),
    }


def _webhook(row: Webhook) -> dict[str, Any]:
    # Those made before there was a choice are told at once, and go on to say what they said.
    after = [] if row.after is After.FOUND else [row.after]
    told = [row.url, row.secret, row.events, row.artists, *after]
    made = [_at(row.created_at), row.asked_by]
    return {"": [str(row.id), *told, *made, *_whose(row)], "ended": _at(row.ended_at)}


def _use(row: SubjectUse) -> dict[str, Any]:
    fixed = [str(row.id), str(row.subject_id), row.how, _id(row.job_id)]
    said = [row.position, row.source_sha256, row.purpose, row.by, row.at.isoformat()]
    return {"": [*fixed, *said, *_whose(row)]}


def _consent(row: Consent) -> dict[str, Any]:
    about = [str(row.id), _id(row.artwork_id), row.purpose, row.answer, row.source, row.by]
    times = [_at(row.said_at), _at(row.valid_from), _at(row.valid_until)]
    return {
        "": [*about, *times, *_whose(row)],
        "whose": _id(row.artist_id),
        "document": row.document,
        "ended": _at(row.ended_at),
    }


def _case(row: Case) -> dict[str, Any]:
    fixed = [str(row.id), row.number, row.kind, row.title, _id(row.appeals)]
    follows = [] if row.follows is None else [str(row.follows)]  # as those before say nothing of it
    return {"": [*fixed, _at(row.opened_at), row.opened_by, *follows, *_whose(row)]}


def _assessments(session: Session, rows: Sequence[Assessment]) -> dict[UUID, dict[str, Any]]:
    """Return what assessments say, each with the finding as the person has read it."""
    wanted = select(CaseFinding.id, CaseFinding.case_id, CaseFinding.lane, CaseFinding.statement)
    found = session.execute(wanted.where(CaseFinding.id.in_({row.finding_id for row in rows})))
    findings = {one.id: [str(one.case_id), one.lane, one.statement] for one in found}
    return {
        row.id: {
            "": [
                *(str(row.id), str(row.finding_id), *findings.get(row.finding_id, ())),
                *(row.verdict, row.why, row.by, _at(row.at), *_whose(row)),
            ]
        }
        for row in rows
    }


def _decision(row: Decision) -> dict[str, Any]:
    fixed = [str(row.id), str(row.case_id), row.number, row.outcome, row.ground, row.words]
    made = [row.by, _at(row.at), _id(row.supersedes), row.needs_second]
    return {"": [*fixed, *made, *_whose(row)], "second": [row.seconded_by, _at(row.seconded_at)]}


def _hold(row: Hold) -> dict[str, Any]:
    what = [_id(row.artwork_id), row.artist, _id(row.subject_id), row.why]
    made = [row.by, _at(row.at), _at(row.until)]
    return {
        "": [str(row.id), str(row.case_id), *what, *made, *_whose(row)],
        "ended": [_at(row.ended_at), row.ended_by, row.ended_why],
    }


def _watch(row: Watch) -> dict[str, Any]:
    what = [row.artist, _id(row.subject_id), row.why, row.by, _at(row.at), _at(row.until)]
    return {
        "": [str(row.id), *what, *_whose(row)],
        "ended": [_at(row.ended_at), row.ended_by, row.ended_why],
    }


def _document(row: CaseDocument) -> dict[str, Any]:
    fixed = [str(row.id), str(row.case_id), row.title, row.sha256, row.size_bytes, row.media_type]
    return {
        "": [*fixed, row.by, _at(row.at), *_whose(row)],
        "removed": [_at(row.removed_at), row.removed_by, row.removed_why],
    }


def _note(row: CaseNote) -> dict[str, Any]:
    said = [row.kind, row.text, row.by, _at(row.at)]
    return {"": [str(row.id), str(row.case_id), *said, *_whose(row)]}


def _whose(row: Any) -> list[str]:
    """Return the tenant as records say it, which were there before there were any but one."""
    return [] if row.tenant == DEFAULT else [row.tenant]


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _id(one: UUID | None) -> str | None:
    return None if one is None else str(one)


def columns(table: type[OfTenant]) -> list[Any]:
    """Return what to read of rows as they are now, whatever the session holds of them."""
    return list(table.__table__.columns)  # type: ignore[attr-defined]


SEALED = {
    kind.name: kind
    for kind in (
        Kind("attribution", RecordedAttribution, lambda _: "lookup", _answers),
        Kind("change", Change, lambda row: str(row.kind), _changes, frozenset({"whose"})),
        Kind(
            "withdrawal",
            Withdrawal,
            lambda _: "withdraw",
            _each(_receipt),
            frozenset({"whose", "receipt"}),
        ),
        Kind("key", ApiKey, lambda _: "create-key", _each(_key), frozenset({"revoked"})),
        Kind("webhook", Webhook, lambda _: "create-webhook", _each(_webhook), frozenset({"ended"})),
        Kind("subject-use", SubjectUse, lambda _: "obtain", _each(_use)),
        Kind(
            "consent",
            Consent,
            lambda _: "consent",
            _each(_consent),
            frozenset({"whose", "ended"}),
            # What sources say comes in bulk, and is not vouched for.
            lambda: Consent.source == ConsentSource.PERSON,
        ),
        Kind("case", Case, lambda _: "open-case", _each(_case)),
        Kind("assessment", Assessment, lambda _: "assess", _assessments),
        Kind("decision", Decision, lambda _: "decide", _each(_decision), frozenset({"second"})),
        Kind("hold", Hold, lambda _: "hold", _each(_hold), frozenset({"ended"})),
        Kind("watch", Watch, lambda _: "watch", _each(_watch), frozenset({"ended"})),
        Kind(
            "document",
            CaseDocument,
            lambda _: "add-document",
            _each(_document),
            frozenset({"removed"}),
        ),
        Kind("case-note", CaseNote, lambda row: f"note-{row.kind}", _each(_note)),
    )
}
COVERED = (*SEALED, WITH_CHANGES)
KINDS = {kind.table: kind for kind in SEALED.values()}
