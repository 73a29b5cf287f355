"""The audit: written by the session itself, as the last thing of the transaction that it is about.

Rows of some tables (`SEALED`) that a session adds or alters get an entry each, with a digest of
what they say; what else is to be known is said by `note`. Entries are numbered, and each goes
on from the digest of the one before. So what was altered, removed, inserted or reordered later is
found (`attribution.catalogue.belief`), and no use case can forget to be recorded.

Writers hold the head of the chain only from their last statement until their commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, event, func, select, update
from sqlalchemy.orm import Session, UOWTransaction, sessionmaker

from attribution.actors import who
from attribution.answers import parted
from attribution.arithmetic import commitments
from attribution.catalogue.columns import clean, now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    WIPED,
    ApiKey,
    AuditEntry,
    AuditHead,
    Change,
    ChangeClaim,
    ChangeRow,
    ChangeWork,
    NonCopy,
    OfTenant,
    RecordedAttribution,
    Sealed,
    SubjectUse,
    Webhook,
    Withdrawal,
)
from attribution.chunks import chunks
from attribution.tenants import DEFAULT, EVERY, across, current, meant

HEAD = 1  # the only row of its table
BEGIN = "begin"  # how many rows of which kinds were there before, which nothing vouches for
FORGET = "forget"
ERASE = "erase"  # that the name of an actor is gone from entries
ERASED = "erased"  # the actor of those
AMEND = "amend"  # a row that has an entry says something else now, rightly
REFUSE = "refuse"  # that somebody may not do what they asked for
WITH_CHANGES = "with changes"  # what changes have in other tables: the audit began with it later
NON_COPY = "non-copy"  # the leaf of a change that declares one
PENDING = "audit"  # in `Session.info`
CHUNK = 500


@dataclass(frozen=True)
class Kind:
    """A table whose rows have entries: how they are called, and what they say, by leaf."""

    name: str
    table: type[Sealed]
    action: Callable[[Any], str]  # what the first entry of a row calls it, unless a note does
    leaves: Callable[[Session, Sequence[Any]], dict[UUID, dict[str, Any]]]  # of rows, by their ids
    amends: frozenset[str] = frozenset()  # leaves that may rightly say something else later

    def key(self, row_id: UUID) -> str:
        """Return what an entry calls a row."""
        return f"{self.name}:{row_id}"


@dataclass(frozen=True)
class _Note:
    """What somebody has done that no sealed row says."""

    actor: str  # as it was done
    action: str
    about: str | None
    details: Mapping[str, Any]


@dataclass
class _Pending:
    """What the open transaction has to record."""

    notes: list[_Note] = field(default_factory=list)
    # In the order of their coming, and whether this transaction has added them.
    rows: dict[tuple[str, UUID], bool] = field(default_factory=dict)

    def take(self, other: _Note) -> _Note:
        """Take what was noted about the same object; `other` where nothing was."""
        notes = (one for one in self.notes if one.action != FORGET)
        found = next((one for one in notes if one.about == other.about), other)
        self.notes = [one for one in self.notes if one is not found]
        return found


def _each(said: Callable[[Any], dict[str, Any]]) -> Callable[..., dict[UUID, dict[str, Any]]]:
    """Return what rows say who say everything themselves."""
    return lambda _, rows: {row.id: said(row) for row in rows}


def _answer(row: RecordedAttribution) -> dict[str, Any]:
    rest, works = parted(row.answer)
    fixed = [str(row.id), _at(row.created_at), row.image_sha256, row.verdict]
    return {"": [*fixed, row.fingerprint, rest, *_whose(row)], **works}


def _changes(session: Session, rows: Sequence[Change]) -> dict[UUID, dict[str, Any]]:
    """Return what changes say, with their rows in other tables, as far as there are any."""
    ids = [row.id for row in rows]
    said = {row.id: _change(row) for row in rows}
    works = select(*_columns(ChangeWork)).where(ChangeWork.change_id.in_(ids))
    for one in session.execute(works.order_by(ChangeWork.artwork_id)):
        said[one.change_id]["works"].append(str(one.artwork_id))
    passed = select(*_columns(ChangeRow)).where(ChangeRow.change_id.in_(ids))
    for one in session.execute(passed.order_by(ChangeRow.row_id)):
        said[one.change_id].setdefault("rows", []).append([str(one.row_id), *_whose(one)])
    claims = select(*_columns(ChangeClaim)).where(ChangeClaim.change_id.in_(ids))
    for one in session.execute(claims.order_by(ChangeClaim.artwork_id, ChangeClaim.artist_id)):
        leaves, artist = said[one.change_id], str(one.artist_id)
        claim = [str(one.artwork_id), artist, one.passed_on, _id(one.job_id), _at(one.created_at)]
        leaves.setdefault("claims", []).append([*claim, *_whose(one)])
        if one.path != WIPED:
            leaves.setdefault(path_of_claim(one.artwork_id), []).append([artist, one.path])
    for one in session.execute(select(*_columns(NonCopy)).where(NonCopy.id.in_(ids))):
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
    told = [row.url, row.secret, row.events, row.artists]
    made = [_at(row.created_at), row.asked_by]
    return {"": [str(row.id), *told, *made, *_whose(row)], "ended": _at(row.ended_at)}


def _whose(row: Any) -> list[str]:
    """Return the tenant as records say it, which were there before there were any but one."""
    return [] if row.tenant == DEFAULT else [row.tenant]


def _at(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _id(one: UUID | None) -> str | None:
    return None if one is None else str(one)


def _use(row: SubjectUse) -> dict[str, Any]:
    fixed = [str(row.id), str(row.subject_id), row.how, _id(row.job_id)]
    said = [row.position, row.source_sha256, row.purpose, row.by, row.at.isoformat()]
    return {"": [*fixed, *said, *_whose(row)]}


SEALED = {
    kind.name: kind
    for kind in (
        Kind("attribution", RecordedAttribution, lambda _: "lookup", _each(_answer)),
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
    )
}
COVERED = (*SEALED, WITH_CHANGES)
_KINDS = {kind.table: kind for kind in SEALED.values()}


def watch(sessions: sessionmaker[Session]) -> None:
    """Have the transactions of these sessions write the audit."""
    event.listen(sessions, "after_flush", _collect)
    event.listen(sessions, "before_commit", _extend)
    event.listen(sessions, "after_rollback", _drop)


def note(session: Session, action: str, about: str | None = None, **details: Any) -> None:
    """Record that something was done, in the transaction that does it. `details` are JSON."""
    _pending(session).notes.append(_Note(who().name, action, about, details))


def amended(session: Session, table: type[Sealed], ids: Collection[UUID]) -> None:
    """Say that a statement has altered rows which the session does not hold."""
    rows, name = _pending(session).rows, _KINDS[table].name
    for one in ids:
        rows.setdefault((name, one), False)


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
    for rows in chunks(session.execute(wanted).all(), CHUNK):
        said = kind.leaves(session, rows)
        for row in rows:
            kept = commitments.forget(said[row.id], row.seal, leaves, str(receipt))
            changed = sorted(leaf for leaf in kept if kept[leaf] != row.seal[leaf])
            if changed:
                gone[kind.key(row.id)] = changed
                new = update(table).where(table.id == row.id).values(seal=kept)
                session.execute(new, execution_options=IN_SQL)
    if gone:
        note(session, FORGET, SEALED["withdrawal"].key(receipt), leaves=gone)


def erase(session: Session, actor: str, reason: str, *, until: int, limit: int) -> int:
    """Take an actor out of some entries of the tenant, for good; returns out of how many.

    The oldest first, up to the entry `until`. An entry of its own says which, and why.
    """
    wanted = select(AuditEntry).where(
        AuditEntry.actor == actor, AuditEntry.tenant == current(), AuditEntry.sequence <= until
    )
    rows = session.scalars(wanted.order_by(AuditEntry.sequence).limit(limit).with_for_update())
    receipt, numbers = f"erasure:{uuid4()}", []
    for row in rows:
        row.seal = commitments.forget(entry_leaves(row), row.seal, ["actor"], receipt)
        row.actor = ERASED
        numbers.append(row.sequence)
    if numbers:
        note(session, ERASE, receipt, reason=reason, entries=numbers)
    return len(numbers)


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


def last_entries(session: Session, keys: Collection[str]) -> dict[str, int]:
    """Return the last entry that vouches for each of these rows, as entries call them, if any."""
    if not keys:
        return {}
    wanted = select(AuditEntry.object, AuditEntry.sequence, AuditEntry.details).where(
        AuditEntry.object.in_(keys), AuditEntry.sequence >= 1
    )
    return {
        str(about): sequence
        for about, sequence, details in session.execute(wanted.order_by(AuditEntry.sequence))
        if isinstance(details, dict) and "digest" in details
    }


def _columns(table: type[OfTenant]) -> list[Any]:
    """Return what to read of rows as they are now, whatever the session holds of them."""
    return list(table.__table__.columns)  # type: ignore[attr-defined]


def _pending(session: Session) -> _Pending:
    found: _Pending = session.info.setdefault(PENDING, _Pending())
    return found


def _collect(session: Session, context: UOWTransaction) -> None:
    del context
    for row in session.new:
        if isinstance(row, Sealed):
            _pending(session).rows[_KINDS[type(row)].name, row.id] = True
    for row in session.dirty:
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
    if new := [name for name in COVERED if name not in head.kinds]:
        _add(session, head, _Note(who().name, BEGIN, None, _before(session, new, pending)))
        head.kinds = list(COVERED)
    by_kind: dict[str, list[UUID]] = {}
    for name, row_id in pending.rows:
        by_kind.setdefault(name, []).append(row_id)
    for name, ids in by_kind.items():
        for start in range(0, len(ids), CHUNK):
            _seal(session, head, SEALED[name], ids[start : start + CHUNK], pending)
    for one in pending.notes:
        _add(session, head, one)
    session.flush()
    session.info.pop(PENDING, None)  # the seals themselves are no change of what rows say


def _seal(
    session: Session, head: AuditHead, kind: Kind, ids: Sequence[UUID], pending: _Pending
) -> None:
    """Add an entry for each of these rows that is new, or rightly says something else than before.

    What was noted about a new one stands in the same entry. One that had been altered besides, or
    lost its entry, gets none: it goes on to differ from its last one.
    """
    wanted = select(*_columns(kind.table)).where(kind.table.id.in_(ids))
    rows = {row.id: row for row in session.execute(wanted)}
    leaves = kind.leaves(session, list(rows.values()))
    known = [row.sealed for row in rows.values() if row.sealed is not None]
    # Somebody may have taken a row's entry from it, for another one that says what it says now.
    unsealed = [row_id for row_id, row in rows.items() if row.sealed is None]
    old = [kind.key(row_id) for row_id in unsealed if not pending.rows[kind.name, row_id]]
    lost = last_entries(session, old)
    entries: dict[int, dict[str, Any]] = {}
    if known:
        vouched = select(AuditEntry).where(AuditEntry.sequence.in_(known))
        entries = {one.sequence: one.details for one in session.scalars(vouched)}
    for row_id in ids:
        row = rows.get(row_id)
        if row is None or kind.key(row_id) in lost:  # None: added and removed in one transaction
            continue
        said = leaves[row_id]
        noted = _Note(who().name, kind.action(row), kind.key(row_id), {})
        kept = commitments.seal(said)
        if row.sealed is not None:
            before = entries.get(row.sealed, {}).get("leaves", {})
            now_ = commitments.commitments(said, row.seal)
            changed = {leaf for leaf in now_ if now_[leaf] != before.get(leaf)}
            if not changed or changed - kind.amends:
                continue
            noted = replace(noted, action=AMEND)
            kept = row.seal | {leaf: kept[leaf] for leaf in changed}
        else:
            noted = pending.take(noted)
        details = {**noted.details, "digest": commitments.digest(said, kept)}
        if kind.amends:
            details["leaves"] = commitments.commitments(said, kept)
        sequence = _add(session, head, replace(noted, details=details))
        sealed = update(kind.table).where(kind.table.id == row_id)
        session.execute(sealed.values(seal=kept, sealed=sequence), execution_options=IN_SQL)


def _add(session: Session, head: AuditHead, said: _Note) -> int:
    """Add an entry to the end of the chain; returns its number."""
    entry = AuditEntry(
        sequence=head.sequence + 1,
        tenant=DEFAULT if meant() == EVERY else meant(),
        at=now(),
        actor=clean(said.actor),
        action=said.action,
        object=said.about,
        details=clean(dict(said.details)),
    )
    leaves = entry_leaves(entry)
    entry.seal = commitments.seal(leaves)
    entry.digest = commitments.link(
        head.digest, entry.sequence, commitments.digest(leaves, entry.seal)
    )
    session.add(entry)
    head.sequence, head.digest = entry.sequence, entry.digest
    return entry.sequence


def _before(session: Session, kinds: Collection[str], pending: _Pending) -> dict[str, int]:
    """Count the rows of these kinds that are there without an entry."""
    new = Counter(name for name, _ in pending.rows)
    with across():
        tables = {name: SEALED[name].table for name in kinds if name in SEALED}
        counted = {
            name: session.scalar(select(func.count()).where(table.sealed.is_(None))) or 0
            for name, table in tables.items()
        }
    return dict.fromkeys(kinds, 0) | {name: count - new[name] for name, count in counted.items()}
