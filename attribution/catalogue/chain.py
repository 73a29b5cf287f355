"""The audit: written by the session itself, as the last thing of the transaction that it is about.

Answers, changes, receipts and uses of images that a session adds or alters get an entry each, with
a digest of what they say (`SEALED`); what else is to be known is said by `note`. Entries are
numbered, and each goes on from the digest of the one before. So what was altered, removed, inserted
or reordered later is found (`attribution.catalogue.belief`), and no use case can forget to be
recorded.

Writers hold the head of the chain only from their last statement until their commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, event, func, select, update
from sqlalchemy.orm import Session, UOWTransaction, sessionmaker

from attribution.actors import who
from attribution.answers import parted
from attribution.arithmetic import commitments
from attribution.catalogue.columns import clean, now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    AuditEntry,
    AuditHead,
    Change,
    ChangeWork,
    RecordedAttribution,
    Sealed,
    SubjectUse,
    Withdrawal,
)
from attribution.tenants import DEFAULT, EVERY, across, meant

HEAD = 1  # the only row of its table
BEGIN = "begin"  # the first entry: how many rows were there before, which nothing vouches for
FORGET = "forget"
AMEND = "amend"  # a row that has an entry says something else now, rightly
PENDING = "audit"  # in `Session.info`
CHUNK = 500


@dataclass(frozen=True)
class Kind:
    """A table whose rows have entries: how they are called, and what they say, by leaf."""

    name: str
    table: type[Sealed]
    action: Callable[[Any], str]  # what the first entry of a row calls it
    leaves: Callable[[Session, Any], dict[str, Any]]
    amends: frozenset[str] = frozenset()  # leaves that may rightly say something else later

    def key(self, row_id: UUID) -> str:
        """Return what an entry calls a row."""
        return f"{self.name}:{row_id}"


@dataclass
class _Pending:
    """What the open transaction has to record."""

    notes: list[tuple[str, str | None, Mapping[str, Any]]] = field(default_factory=list)
    rows: dict[tuple[str, UUID], None] = field(default_factory=dict)  # in the order of their coming


def _answer(session: Session, row: RecordedAttribution) -> dict[str, Any]:
    del session
    rest, works = parted(row.answer)
    fixed = [str(row.id), row.created_at.isoformat(), row.image_sha256, row.verdict]
    return {"": [*fixed, row.fingerprint, rest, *_whose(row)], **works}


def _change(session: Session, row: Change) -> dict[str, Any]:
    moved = select(ChangeWork.artwork_id).where(ChangeWork.change_id == row.id)
    ids = [row.from_artist_id, row.artwork_id, row.undoes_id]
    fixed = [str(row.id), row.kind, row.origin, row.by, row.made_at.isoformat()]
    return {
        "whose": [str(row.artist_id), row.merged_slug],  # others merge, and part again
        "": [*fixed, *(one and str(one) for one in ids), row.works, *_whose(row)],
        "works": sorted(map(str, session.scalars(moved))),
        "reason": row.reason,
        "before": row.before,
        "after": row.after,
    }


def _whose(row: Sealed) -> list[str]:
    """Return the tenant as records say it, which were there before there were any but one."""
    return [] if row.tenant == DEFAULT else [row.tenant]


def _use(session: Session, row: SubjectUse) -> dict[str, Any]:
    del session
    fixed = [str(row.id), str(row.subject_id), row.how, row.job_id and str(row.job_id)]
    said = [row.position, row.source_sha256, row.purpose, row.by, row.at.isoformat()]
    return {"": [*fixed, *said, *_whose(row)]}


def _receipt(session: Session, row: Withdrawal) -> dict[str, Any]:
    del session
    fixed = [str(row.id), row.kind, row.artwork_id and str(row.artwork_id), row.reason]
    ended = row.completed_at and row.completed_at.isoformat()
    return {
        "": [*fixed, row.requested_at.isoformat(), *_whose(row)],
        "whose": str(row.artist_id),
        "receipt": [ended, row.receipt],  # what is removed is written down as it goes
    }


SEALED = {
    kind.name: kind
    for kind in (
        Kind("attribution", RecordedAttribution, lambda _: "lookup", _answer),
        Kind("change", Change, lambda row: str(row.kind), _change, frozenset({"whose"})),
        Kind(
            "withdrawal",
            Withdrawal,
            lambda _: "withdraw",
            _receipt,
            frozenset({"whose", "receipt"}),
        ),
        Kind("subject-use", SubjectUse, lambda _: "obtain", _use),
    )
}
_KINDS = {kind.table: kind for kind in SEALED.values()}


def watch(sessions: sessionmaker[Session]) -> None:
    """Have the transactions of these sessions write the audit."""
    event.listen(sessions, "after_flush", _collect)
    event.listen(sessions, "before_commit", _extend)
    event.listen(sessions, "after_rollback", _drop)


def note(session: Session, action: str, about: str | None = None, **details: Any) -> None:
    """Record that something was done, in the transaction that does it. `details` are JSON."""
    _pending(session).notes.append((action, about, details))


def amended(session: Session, table: type[Sealed], ids: Collection[UUID]) -> None:
    """Say that a statement has altered rows which the session does not hold."""
    _pending(session).rows.update(dict.fromkeys((_KINDS[table].name, one) for one in ids))


def forget(
    session: Session,
    table: type[Sealed],
    which: ColumnElement[bool],
    leaves: Collection[str],
    receipt: UUID,
) -> None:
    """Let go of the salts of leaves that are about to be wiped, for good; and record that."""
    kind = _KINDS[table]
    session.flush()
    wanted = select(*_columns(table)).where(which, table.sealed.is_not(None))
    gone: dict[str, list[str]] = {}
    for row in session.execute(wanted).all():
        said = kind.leaves(session, row)
        kept = commitments.forget(said, row.seal, leaves, str(receipt))
        if kept != row.seal:
            gone[kind.key(row.id)] = sorted(leaf for leaf in kept if kept[leaf] != row.seal[leaf])
            session.execute(
                update(table).where(table.id == row.id).values(seal=kept), execution_options=IN_SQL
            )
    if gone:
        note(session, FORGET, SEALED["withdrawal"].key(receipt), leaves=gone)


def entry_leaves(entry: AuditEntry) -> dict[str, Any]:
    """Return what an entry says, by leaf."""
    of_whom = {"tenant": entry.tenant} if entry.tenant != DEFAULT else {}
    return of_whom | {
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "object": entry.object,
        "details": entry.details,
    }


def _columns(table: type[Sealed]) -> list[Any]:
    """Return what to read of rows as they are now, whatever the session holds of them."""
    return list(table.__table__.columns)  # type: ignore[attr-defined]


def _pending(session: Session) -> _Pending:
    found: _Pending = session.info.setdefault(PENDING, _Pending())
    return found


def _collect(session: Session, context: UOWTransaction) -> None:
    del context
    for row in (*session.new, *session.dirty):
        if isinstance(row, Sealed):
            amended(session, type(row), [row.id])


def _drop(session: Session) -> None:
    session.info.pop(PENDING, None)


def _extend(session: Session) -> None:
    session.flush()
    pending: _Pending | None = session.info.pop(PENDING, None)
    if pending is None:
        return
    head = session.get_one(AuditHead, HEAD, with_for_update=True, populate_existing=True)
    if head.sequence == 0:
        _add(session, head, BEGIN, None, _before(session, pending))
    for action, about, details in pending.notes:
        _add(session, head, action, about, details)
    by_kind: dict[str, list[UUID]] = {}
    for name, row_id in pending.rows:
        by_kind.setdefault(name, []).append(row_id)
    for name, ids in by_kind.items():
        for start in range(0, len(ids), CHUNK):
            _seal(session, head, SEALED[name], ids[start : start + CHUNK])
    session.flush()
    session.info.pop(PENDING, None)  # the seals themselves are no change of what rows say


def _seal(session: Session, head: AuditHead, kind: Kind, ids: Sequence[UUID]) -> None:
    """Add an entry for each of these rows that is new, or rightly says something else than before.

    One that had been altered besides gets none: it goes on to differ from its last one.
    """
    wanted = select(*_columns(kind.table)).where(kind.table.id.in_(ids))
    rows = {row.id: row for row in session.execute(wanted)}
    known = [row.sealed for row in rows.values() if row.sealed is not None]
    entries: dict[int, dict[str, Any]] = {}
    if known:
        vouched = select(AuditEntry).where(AuditEntry.sequence.in_(known))
        entries = {one.sequence: one.details for one in session.scalars(vouched)}
    for row_id in ids:
        row = rows.get(row_id)
        if row is None:  # added and removed in one transaction
            continue
        said = kind.leaves(session, row)
        action, kept = kind.action(row), commitments.seal(said)
        if row.sealed is not None:
            before = entries.get(row.sealed, {}).get("leaves", {})
            now_ = commitments.commitments(said, row.seal)
            changed = {leaf for leaf in now_ if now_[leaf] != before.get(leaf)}
            if not changed or changed - kind.amends:
                continue
            action = AMEND
            kept = row.seal | {leaf: kept[leaf] for leaf in changed}
        details: dict[str, Any] = {"digest": commitments.digest(said, kept)}
        if kind.amends:
            details["leaves"] = commitments.commitments(said, kept)
        sequence = _add(session, head, action, kind.key(row_id), details)
        sealed = update(kind.table).where(kind.table.id == row_id)
        session.execute(sealed.values(seal=kept, sealed=sequence), execution_options=IN_SQL)


def _add(
    session: Session,
    head: AuditHead,
    action: str,
    about: str | None,
    details: Mapping[str, Any],
) -> int:
    """Add an entry to the end of the chain; returns its number."""
    entry = AuditEntry(
        sequence=head.sequence + 1,
        tenant=DEFAULT if meant() == EVERY else meant(),
        at=now(),
        actor=clean(who().name),
        action=action,
        object=about,
        details=clean(dict(details)),
    )
    said = entry_leaves(entry)
    entry.seal = commitments.seal(said)
    entry.digest = commitments.link(
        head.digest, entry.sequence, commitments.digest(said, entry.seal)
    )
    session.add(entry)
    head.sequence, head.digest = entry.sequence, entry.digest
    return entry.sequence


def _before(session: Session, pending: _Pending) -> dict[str, int]:
    """Count the rows that were there before the first entry."""
    new = Counter(name for name, _ in pending.rows)
    with across():
        counted = {
            kind.name: session.scalar(select(func.count()).select_from(kind.table)) or 0
            for kind in SEALED.values()
        }
    return {name: count - new[name] for name, count in counted.items()}
