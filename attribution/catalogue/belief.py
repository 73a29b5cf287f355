"""Whether records still say what was recorded: the audit is walked, and what it vouches for read.

Whoever can write to the database can write a whole new chain: against that helps a head that was
published, or kept elsewhere (`attribution.provenance.statements`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from attribution.arithmetic import commitments
from attribution.arithmetic.commitments import START, Seal
from attribution.catalogue.chain import AMEND, BEGIN, FORGET, HEAD, SEALED, Kind, entry_leaves
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
    forgotten: dict[str, dict[str, set[str]]] = {}

    def belief(row: Sealed) -> Belief:
        if row.sealed is None:
            return Belief.UNCOVERED
        if head is None or not 1 <= row.sealed <= head.sequence:
            return Belief.ALTERED
        entry, before = entries.get(row.sealed), entries.get(row.sealed - 1)
        is_linked = entry is not None and entry.digest == _linked(
            entry, before.digest if before else START
        )
        if not is_linked or _wrong(session, SEALED[name], row, entry, forgotten):
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
        for entry in entries:
            if entry.sequence != expected:
                found.fault(_missing(expected, entry.sequence - 1))
            elif entry.digest != _linked(entry, digest):
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


def _linked(entry: AuditEntry, before: str) -> str | None:
    """Return the digest that the chain has after this entry; None where its seal is no seal."""
    said = entry_leaves(entry)
    try:
        # Nothing of an entry is forgotten yet: a commitment in the place of a salt could stand for
        # anything.
        if any(list(one) != ["salt"] for one in entry.seal.values()) or entry.seal.keys() != set(
            said
        ):
            return None
        record = commitments.digest(said, entry.seal)
    except UNREADABLE:
        return None
    return commitments.link(before, entry.sequence, record)


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
    forgotten: dict[str, dict[str, set[str]]] = {}
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
        for row in rows:
            if why := _wrong(session, kind, row, entries.get(row.sealed or 0), forgotten):
                found.fault(f"{kind.name} {row.id} {why}")
        after = sequences[-1] or 0
        found.rows[kind.name] += len(rows)
        session.expunge_all()
        progress(f"{kind.name}s", found.rows[kind.name], 0)


def _wrong(
    session: Session,
    kind: Kind,
    row: Sealed,
    entry: AuditEntry | None,
    forgotten: dict[str, dict[str, set[str]]],
) -> str | None:
    """Return what is wrong with a row; None where it is as its entry says."""
    if entry is None or entry.object != kind.key(row.id):
        return f"names entry {row.sealed}, which is not about it"
    try:
        leaves = kind.leaves(session, row)
        says = commitments.digest(leaves, row.seal)
    except UNREADABLE:
        return "cannot be read"
    if says != _details(entry).get("digest") or leaves.keys() - row.seal.keys():
        return "does not say what was recorded"
    for leaf, receipt in _gone(row.seal).items():
        if receipt not in forgotten:
            forgotten[receipt] = _forgotten(session, receipt)
        if not _is_empty(leaves.get(leaf)) or leaf not in forgotten[receipt].get(
            kind.key(row.id), ()
        ):
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
    first = session.get(AuditEntry, 1)
    before = _details(first) if first and first.action == BEGIN else {}
    for kind in SEALED.values():
        wanted = select(func.count()).where(kind.table.sealed.is_(None))
        count = session.scalar(wanted) or 0
        found.uncovered[kind.name] = count
        then = before.get(kind.name, 0 if before else None)  # kinds of a later version had none
        if first and not (isinstance(then, int) and count <= then):
            found.fault(
                f"{count} rows of kind {kind.name} have no entry, {then or 0} had none when the "
                f"audit began"
            )
