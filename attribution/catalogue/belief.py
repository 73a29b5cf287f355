"""Whether a record still says what was recorded, by the entry of the audit that vouches for it.

All of them are verified in `attribution.catalogue.verification`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from attribution.arithmetic import commitments
from attribution.arithmetic.commitments import START, Seal
from attribution.catalogue.chain import (
    BEGIN,
    ERASE,
    ERASED,
    FORGET,
    HEAD,
    entry_leaves,
    last_entries,
)
from attribution.catalogue.models import AuditEntry, AuditHead, Sealed, Withdrawal
from attribution.catalogue.sealed import SEALED, WITH_CHANGES, Kind
from attribution.errors import RecordAltered
from attribution.tenants import across

LARGEST = 2**63 - 1  # number of an entry
# What reading a row raises that is no longer ours, or whose file is not.
UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError, RecordAltered)


class Belief(StrEnum):
    """What can be said of one record."""

    INTACT = "intact"  # it says what its entry says that it said
    ALTERED = "altered"
    UNCOVERED = "uncovered"  # made before the audit began


def believe(session: Session, name: str, rows: Sequence[Sealed]) -> list[Belief]:
    """Tell whether records say what their entries say, and the entries what the chain says."""
    head = session.get(AuditHead, HEAD)
    numbers = {row.sealed - back for row in rows if row.sealed is not None for back in (0, 1)}
    wanted = select(AuditEntry).where(AuditEntry.sequence.in_(numbers))
    entries = {entry.sequence: entry for entry in session.scalars(wanted)}
    erased = erasures(session, entries.values())
    known, kind = Known(session), SEALED[name]
    said = leaves_of(session, kind, rows)
    # What may be amended may have been put back to what it said before that.
    may_be_older = [row for row in rows if row.sealed is None or kind.amends]
    last = last_entries(session, [kind.key(row.id) for row in may_be_older])

    def belief(row: Sealed) -> Belief:
        if last.get(kind.key(row.id), 0) > (row.sealed or 0):
            return Belief.ALTERED
        if row.sealed is None:
            return Belief.UNCOVERED
        if head is None or not 1 <= row.sealed <= head.sequence:
            return Belief.ALTERED
        entry, before = entries.get(row.sealed), entries.get(row.sealed - 1)
        is_linked = entry is not None and entry.digest == linked(
            entry, before.digest if before else START, erased
        )
        if not is_linked or wrong(kind, row, said[row.id], entry, known):
            return Belief.ALTERED
        return Belief.INTACT

    return [belief(row) for row in rows]


def linked(entry: AuditEntry, before: str, erased: Collection[tuple[str, int]]) -> str | None:
    """Return the digest that the chain has after this entry; None where its seal is no seal."""
    said = entry_leaves(entry)
    try:
        # A commitment in the place of a salt could stand for anything: only an erasure explains it,
        # and only of the actor.
        gone = {leaf: one for leaf, one in entry.seal.items() if list(one) != ["salt"]}
        if gone and (
            gone.keys() != {"actor"}
            or entry.actor != ERASED
            or (gone["actor"]["receipt"], entry.sequence) not in erased
        ):
            return None
        if entry.seal.keys() != set(said):
            return None
        record = commitments.digest(said, entry.seal)
    except UNREADABLE:
        return None
    return commitments.link(before, entry.sequence, record)


def erasures(session: Session, entries: Iterable[AuditEntry]) -> set[tuple[str, int]]:
    """Return by which erasures, as far as these entries name any, which entries lost the actor."""
    receipts = set[str]()
    for entry in entries:
        with suppress(*UNREADABLE):
            receipts.add(str(entry.seal["actor"]["receipt"]))
    if not receipts:
        return set()
    wanted = select(AuditEntry).where(
        AuditEntry.object.in_(receipts), AuditEntry.action == ERASE, AuditEntry.sequence >= 1
    )
    return {
        (str(one.object), number)
        for one in session.scalars(wanted)
        for number in details_of(one).get("entries", ())
    }


def details_of(entry: AuditEntry) -> Mapping[str, Any]:
    """Return the details of an entry; nothing where they are not ours any more."""
    return entry.details if isinstance(entry.details, dict) else {}


def leaves_of(
    session: Session, kind: Kind, rows: Sequence[Sealed]
) -> Mapping[UUID, Mapping[str, Any] | None]:
    """Return what rows say, by leaf; None of one that cannot be read any more."""
    try:
        return kind.leaves(session, rows)
    except UNREADABLE:
        if len(rows) == 1:
            return {rows[0].id: None}
        alone = (leaves_of(session, kind, [row]) for row in rows)
        return {row_id: leaves for one in alone for row_id, leaves in one.items()}


@dataclass
class Known:
    """What the audit says about rows of many entries, each looked up once."""

    session: Session
    forgotten: dict[str, Mapping[str, set[str]]] = field(default_factory=dict)  # by receipt
    begun: Mapping[str, tuple[int, Any]] | None = None

    def forgot(self, receipt: str, key: str) -> Collection[str]:
        """Return the leaves of a row that went under a receipt."""
        if receipt not in self.forgotten:
            self.forgotten[receipt] = _forgotten(self.session, receipt)
        return self.forgotten[receipt].get(key, ())

    def is_older(self, key: str) -> bool:
        """Tell whether a row's first entry is older than what changes have in other tables."""
        if self.begun is None:
            self.begun = _begun(self.session)
        about = (AuditEntry.object == key, AuditEntry.sequence >= 1)
        first = self.session.scalar(select(func.min(AuditEntry.sequence)).where(*about))
        since, _ = self.begun.get(WITH_CHANGES, (LARGEST, None))
        return first is not None and first < since


def wrong(
    kind: Kind,
    row: Sealed,
    leaves: Mapping[str, Any] | None,
    entry: AuditEntry | None,
    known: Known,
) -> str | None:
    """Return what is wrong with a row; None where it is as its entry says."""
    key = kind.key(row.id)
    if entry is None or entry.object != key:
        return f"names entry {row.sealed}, which is not about it"
    try:
        says = commitments.digest(leaves, row.seal) if leaves is not None else None
        more = leaves.keys() - row.seal.keys() if leaves is not None else set()
        gone = _gone(row.seal)
    except UNREADABLE:
        says = None
    if leaves is None or says is None:
        return "cannot be read"
    if says != details_of(entry).get("digest") or (more and not known.is_older(key)):
        return "does not say what was recorded"
    for leaf, receipt in gone.items():
        if not commitments.is_empty(leaves.get(leaf)) or leaf not in known.forgot(receipt, key):
            return f"lost {leaf!r} without a receipt that says so"
    return None


def _gone(seal: Seal) -> dict[str, str]:
    """Return the leaves that were forgotten, and by which receipts."""
    return {leaf: one["receipt"] for leaf, one in seal.items() if "commitment" in one}


def _forgotten(session: Session, receipt: str) -> dict[str, set[str]]:
    """Return which leaves a withdrawal made which rows forget."""
    try:
        about = SEALED["withdrawal"].key(UUID(receipt))
    except UNREADABLE:
        return {}
    if session.get(Withdrawal, UUID(receipt)) is None:
        return {}
    wanted = select(AuditEntry.details).where(
        AuditEntry.action == FORGET, AuditEntry.object == about, AuditEntry.sequence >= 1
    )
    found = defaultdict[str, set[str]](set)
    for details in session.scalars(wanted):
        leaves = details.get("leaves") if isinstance(details, dict) else None
        for key, names in leaves.items() if isinstance(leaves, dict) else ():
            found[key].update(names if isinstance(names, list) else ())
    return found


def uncovered(session: Session, name: str) -> tuple[int, str | None]:
    """Return how many rows of a kind have no entry, in all tenants, and what is wrong with that."""
    with across():
        count = session.scalar(SEALED[name].without_entry()) or 0
    # Without a number nothing was recorded yet since this version looks after them.
    _, then = _begun(session).get(name, (0, count))
    if isinstance(then, int) and count <= then:
        return count, None
    return count, f"{count} rows of kind {name} have no entry, {then} had none when the audit began"


def _begun(session: Session) -> dict[str, tuple[int, Any]]:
    """Return since which entry the audit vouches for what, and how many rows had none then."""
    wanted = select(AuditEntry).where(AuditEntry.action == BEGIN, AuditEntry.sequence >= 1)
    found: dict[str, tuple[int, Any]] = {}
    for entry in session.scalars(wanted.order_by(AuditEntry.sequence)):
        for name, count in details_of(entry).items():
            found.setdefault(name, (entry.sequence, count))
    return found
