"""The audit: written by the session itself, as the last thing of the transaction that it is about.

Rows of some tables (`sealed.SEALED`) that a session adds or alters get an entry each, with a digest
of what they say; what else is to be known is said by `note`. Entries are numbered, and each goes on
from the digest of the one before. So what was altered, removed, inserted or reordered later is
found (`verification`), and no use case can forget to be recorded.

Writers hold the head of the chain only from their last statement until their commit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, event, select, update
from sqlalchemy.orm import Session, UOWTransaction, sessionmaker

from attribution.actors import who
from attribution.arithmetic import commitments
from attribution.catalogue.columns import clean, now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import AuditEntry, AuditHead, Sealed
from attribution.catalogue.sealed import COVERED, KINDS, SEALED, Kind, columns
from attribution.chunks import chunks
from attribution.errors import RecordAltered
from attribution.tenants import DEFAULT, EVERY, across, current, meant

HEAD = 1  # the only row of its table
NO_HEAD = "the head of the audit, which says how far it goes, was removed from the database"
BEGIN = "begin"  # how many rows of which kinds were there before, which nothing vouches for
FORGET = "forget"
ERASE = "erase"  # that the name of an actor is gone from entries
ERASED = "erased"  # the actor of those
AMEND = "amend"  # a row that has an entry says something else now, rightly
REFUSE = "refuse"  # that somebody may not do what they asked for
PENDING = "audit"  # in `Session.info`
CHUNK = 500


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


def watch(sessions: sessionmaker[Session]) -> None:
    """Have the transactions of these sessions write the audit."""
    event.listen(sessions, "after_flush", _collect)
    event.listen(sessions, "before_commit", _extend)
    event.listen(sessions, "after_rollback", _drop)


def note(session: Session, action: str, about: str | None = None, **details: Any) -> None:
    """Record that something was done, in the transaction that does it. `details` are JSON."""
    _pending(session).notes.append(_Note(who().name, action, about, details))


def head_of(session: Session, *, to_extend: bool = False) -> AuditHead:
    """Return how far the audit goes; raises RecordAltered where somebody has removed that."""
    head = session.get(
        AuditHead, HEAD, with_for_update=to_extend or None, populate_existing=to_extend
    )
    if head is None:
        raise RecordAltered(
            f"{NO_HEAD}, so nothing can be recorded; whoever runs the service restores a backup, "
            f"and `lawful audit verify` shows what else was altered"
        )
    return head


def amended(session: Session, table: type[Sealed], ids: Collection[UUID]) -> None:
    """Say that a statement has altered rows which the session does not hold."""
    rows, name = _pending(session).rows, KINDS[table].name
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
    kind = KINDS[table]
    session.flush()
    wanted = select(*columns(table)).where(which, table.sealed.is_not(None))
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


def _pending(session: Session) -> _Pending:
    found: _Pending = session.info.setdefault(PENDING, _Pending())
    return found


def _collect(session: Session, context: UOWTransaction) -> None:
    del context
    for row in session.new:
        if isinstance(row, Sealed):
            _pending(session).rows[KINDS[type(row)].name, row.id] = True
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
    head = head_of(session, to_extend=True)
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
    wanted = select(*columns(kind.table)).where(kind.table.id.in_(ids))
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
        counted = {
            name: session.scalar(SEALED[name].without_entry()) or 0
            for name in kinds
            if name in SEALED
        }
    return dict.fromkeys(kinds, 0) | {name: count - new[name] for name, count in counted.items()}
