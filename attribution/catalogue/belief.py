"""Whether records still say what was recorded: the audit is walked, and what it vouches for read.

Whoever can write to the database can write a whole new chain: against that helps a head that was
published, or kept elsewhere (`attribution.provenance.statements`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from attribution.arithmetic import commitments
from attribution.arithmetic.commitments import START, Seal
from attribution.catalogue.chain import (
    AMEND,
    BEGIN,
    ERASE,
    ERASED,
    FORGET,
    HEAD,
    SEALED,
    WITH_CHANGES,
    Kind,
    entry_leaves,
    last_entries,
)
from attribution.catalogue.database import snapshot
from attribution.catalogue.models import AuditEntry, AuditHead, Sealed, Withdrawal
from attribution.tenants import across

PAGE = 500
SHOWN = 100  # faults that are told one by one
LARGEST = 2**63 - 1  # number of an entry
# What reading a row raises that is no longer ours.
UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)

Told = Callable[[str, int, int], None]
"""Takes what is being done, how much is done, and of how much."""


class Belief(StrEnum):
    """What can be said of one record."""

    INTACT = "intact"  # it says what its entry says that it said
    ALTERED = "altered"
    UNCOVERED = "uncovered"  # made before the audit began


@dataclass(frozen=True)
class Head:
    """How far a chain goes."""

    sequence: int
    digest: str


@dataclass
class Findings:
    """What was found at one moment."""

    head: Head
    entries: int = 0  # that were walked
    rows: dict[str, int] = field(default_factory=dict)  # compared with their entries, by kind
    uncovered: dict[str, int] = field(default_factory=dict)  # made before the audit began
    faults: int = 0
    told: list[str] = field(default_factory=list)  # the first of them

    def fault(self, what: str) -> None:
        """Note that something is wrong."""
        self.faults += 1
        if len(self.told) < SHOWN:
            self.told.append(what)


def verify(
    sessions: sessionmaker[Session],
    progress: Told,
    *,
    since: int = 1,
    most: int | None = None,
    published: Head | None = None,
) -> Findings:
    """Walk the audit from an entry on, and compare the rows that these entries vouch for.

    `most` entries at most; None: up to the head, and then rows without an entry are counted too.
    `published` is a head of earlier, which has to be in the chain. The chain is one for all
    tenants. What was removed from its end together with its head, nothing but such a head can show.
    """
    with across(), snapshot(sessions) as session:
        row = session.get(AuditHead, HEAD)
        found = Findings(Head(row.sequence, row.digest) if row else Head(0, START))
        which = range(since, LARGEST if most is None else since + most)
        _walk(session, found, which, progress)
        for kind in SEALED.values():
            _compare(session, found, kind, which, progress)
        if published:
            _check_published(session, found, published)
        if most is None:
            _count_uncovered(session, found)
            _count_outside(session, found)
        return found


def believe(session: Session, name: str, rows: Sequence[Sealed]) -> list[Belief]:
    """Tell whether records say what their entries say, and the entries what the chain says."""
    head = session.get(AuditHead, HEAD)
    numbers = {row.sealed - back for row in rows if row.sealed is not None for back in (0, 1)}
    wanted = select(AuditEntry).where(AuditEntry.sequence.in_(numbers))
    entries = {entry.sequence: entry for entry in session.scalars(wanted)}
    erased = _erased(session, entries.values())
    known, kind = _Known(session), SEALED[name]
    said = _said(session, kind, rows)
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
        is_linked = entry is not None and entry.digest == _linked(
            entry, before.digest if before else START, erased
        )
        if not is_linked or _wrong(kind, row, said[row.id], entry, known):
            return Belief.ALTERED
        return Belief.INTACT

    return [belief(row) for row in rows]


def _walk(session: Session, found: Findings, which: range, progress: Told) -> None:
    """Check that every entry goes on from the one before, and that what it vouches for exists."""
    before = session.get(AuditEntry, which.start - 1)
    expected, digest = which.start, before.digest if before else START
    if which.start > 1 and before is None:
        found.fault(f"entry {which.start - 1} is missing")
    while numbers := _page(session, range(expected, which.stop)):
        entries = _readable(session, found, AuditEntry.sequence, numbers)
        erased = _erased(session, entries)
        for entry in entries:
            if entry.sequence != expected:
                found.fault(_missing(expected, entry.sequence - 1))
            elif entry.digest != _linked(entry, digest, erased):
                found.fault(f"entry {entry.sequence} ({entry.action}) is not what was recorded")
            expected, digest = entry.sequence + 1, entry.digest
        expected = numbers[-1] + 1
        found.entries += len(entries)
        _look_for(session, found, entries)
        session.expunge_all()
        progress("entries", found.entries, found.head.sequence + 1 - which.start)
    if which.stop > found.head.sequence and found.head != Head(expected - 1, digest):
        found.fault(f"the head says entry {found.head.sequence}, the last one is {expected - 1}")


def _missing(first: int, last: int) -> str:
    return (
        f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"
    )


def _check_published(session: Session, found: Findings, published: Head) -> None:
    wanted = select(AuditEntry.digest).where(AuditEntry.sequence == published.sequence)
    digest = session.scalar(wanted)
    if digest is None:
        found.fault(f"entry {published.sequence}, whose digest was published, is missing")
    elif digest != published.digest:
        found.fault(
            f"entry {published.sequence} has another digest than the one that was published"
        )


def _count_outside(session: Session, found: Findings) -> None:
    """Look for entries before the first and behind the head, and rows that name such."""
    places: list[tuple[str, Any]] = [("entries", AuditEntry.sequence)]
    places += [(f"rows of kind {kind.name}", kind.table.sealed) for kind in SEALED.values()]
    for what, number in places:
        outside = or_(number < 1, number > found.head.sequence)
        if count := session.scalar(select(func.count()).where(outside)):
            found.fault(f"{count} {what} lie outside of the chain")


def _page(session: Session, which: range) -> Sequence[int]:
    wanted = select(AuditEntry.sequence).where(
        AuditEntry.sequence >= which.start, AuditEntry.sequence < which.stop
    )
    return session.scalars(wanted.order_by(AuditEntry.sequence).limit(PAGE)).all()


def _readable(
    session: Session, found: Findings, key: InstrumentedAttribute[Any], keys: Sequence[Any]
) -> Sequence[Any]:
    """Return rows by their keys, in their order; what is no row of ours any more is a fault."""
    wanted = select(key.class_).order_by(key)
    try:
        return session.scalars(wanted.where(key.in_(keys))).all()
    except UNREADABLE:
        rows: list[Any] = []
        for one in keys:
            try:
                rows += session.scalars(wanted.where(key == one))
            except UNREADABLE:
                found.fault(f"row {one} of {key.class_.__tablename__} cannot be read")
        return rows


def _linked(entry: AuditEntry, before: str, erased: Collection[tuple[str, int]]) -> str | None:
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


def _erased(session: Session, entries: Iterable[AuditEntry]) -> set[tuple[str, int]]:
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
        for number in _details(one).get("entries", ())
    }


def _look_for(session: Session, found: Findings, entries: Sequence[AuditEntry]) -> None:
    """Look for the rows of these entries; each has this entry, or a later one that amends it."""
    vouched = defaultdict[str, dict[UUID, int]](dict)
    for entry in entries:
        kind, row_id = _about(entry)
        if kind is not None and "digest" in _details(entry):
            if entry.action == AMEND and not _may_amend(session, kind, entry):
                found.fault(
                    f"entry {entry.sequence} amends what nothing may amend in a {kind.name}"
                )
            vouched[kind.name][row_id] = entry.sequence
    for name, by_id in vouched.items():
        table = SEALED[name].table
        wanted = select(table.id, table.sealed).where(table.id.in_(by_id))
        kept = dict(session.execute(wanted).all())
        for one, sequence in by_id.items():
            if one not in kept:
                found.fault(f"{name} {one}, recorded by entry {sequence}, is missing")
            elif (kept[one] or 0) < sequence:
                found.fault(f"{name} {one} does not know of entry {sequence}, which is about it")


def _details(entry: AuditEntry) -> Mapping[str, Any]:
    return entry.details if isinstance(entry.details, dict) else {}


def _may_amend(session: Session, kind: Kind, entry: AuditEntry) -> bool:
    """Whether an entry leaves all that has to stay of its row as the entry before it says."""
    wanted = select(AuditEntry).where(
        AuditEntry.object == entry.object,
        AuditEntry.sequence < entry.sequence,
        AuditEntry.sequence >= 1,
        AuditEntry.action != FORGET,
    )
    earlier = session.scalars(wanted.order_by(AuditEntry.sequence.desc()))
    before = next((_details(one) for one in earlier if "digest" in _details(one)), {})
    old, new = before.get("leaves"), _details(entry).get("leaves")
    if not (isinstance(old, dict) and isinstance(new, dict)) or old.keys() != new.keys():
        return False
    return {leaf for leaf in old if old[leaf] != new[leaf]} <= kind.amends


def _about(entry: AuditEntry) -> tuple[Kind | None, UUID]:
    """Return which row an entry is about; none where it is about something else."""
    name, _, row_id = (entry.object or "").partition(":")
    try:
        return SEALED[name], UUID(row_id)
    except (KeyError, ValueError):
        return None, UUID(int=0)


def _compare(session: Session, found: Findings, kind: Kind, which: range, progress: Told) -> None:
    """Compare the rows of a table that these entries vouch for with them."""
    known = _Known(session)
    sealed, after = kind.table.sealed, which.start - 1
    found.rows[kind.name] = 0
    while True:
        wanted = select(sealed).where(sealed > after, sealed < which.stop)
        sequences = session.scalars(wanted.order_by(sealed).limit(PAGE)).all()
        if not sequences:
            return
        rows = _readable(session, found, sealed, sequences)
        vouching = _readable(session, found, AuditEntry.sequence, sequences)
        entries = {entry.sequence: entry for entry in vouching}
        said = _said(session, kind, rows)
        for row in rows:
            if why := _wrong(kind, row, said[row.id], entries.get(row.sealed or 0), known):
                found.fault(f"{kind.name} {row.id} {why}")
        after = sequences[-1] or 0
        found.rows[kind.name] += len(rows)
        session.expunge_all()
        progress(f"{kind.name}s", found.rows[kind.name], 0)


def _said(
    session: Session, kind: Kind, rows: Sequence[Sealed]
) -> Mapping[UUID, Mapping[str, Any] | None]:
    """Return what rows say, by leaf; None of one that cannot be read any more."""
    try:
        return kind.leaves(session, rows)
    except UNREADABLE:
        if len(rows) == 1:
            return {rows[0].id: None}
        alone = (_said(session, kind, [row]) for row in rows)
        return {row_id: leaves for one in alone for row_id, leaves in one.items()}


@dataclass
class _Known:
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


def _wrong(
    kind: Kind,
    row: Sealed,
    leaves: Mapping[str, Any] | None,
    entry: AuditEntry | None,
    known: _Known,
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
    if says != _details(entry).get("digest") or (more and not known.is_older(key)):
        return "does not say what was recorded"
    for leaf, receipt in gone.items():
        if not _is_empty(leaves.get(leaf)) or leaf not in known.forgot(receipt, key):
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


def _is_empty(value: Any) -> bool:
    return not value or (isinstance(value, list) and not any(value))


def _count_uncovered(session: Session, found: Findings) -> None:
    """Count the rows without an entry; more than at the beginning there cannot be."""
    for kind in SEALED.values():
        found.uncovered[kind.name], fault = uncovered(session, kind.name)
        if fault:
            found.fault(fault)


def uncovered(session: Session, name: str) -> tuple[int, str | None]:
    """Return how many rows of a kind have no entry, in all tenants, and what is wrong with that."""
    with across():
        wanted = select(func.count()).where(SEALED[name].table.sealed.is_(None))
        count = session.scalar(wanted) or 0
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
        for name, count in _details(entry).items():
            found.setdefault(name, (entry.sequence, count))
    return found
