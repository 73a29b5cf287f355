"""Verifying: the audit is walked from entry to entry, and compared with what it vouches for.

Whoever can write to the database can write a whole new chain: against that helps a head that was
published, or kept elsewhere (`attribution.provenance.statements`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session, sessionmaker

from attribution.arithmetic.commitments import START
from attribution.catalogue.belief import (
    LARGEST,
    UNREADABLE,
    Known,
    details_of,
    erasures,
    leaves_of,
    linked,
    uncovered,
    wrong,
)
from attribution.catalogue.chain import AMEND, FORGET, HEAD, NO_HEAD
from attribution.catalogue.database import snapshot
from attribution.catalogue.models import AuditEntry, AuditHead
from attribution.catalogue.sealed import SEALED, Kind
from attribution.tenants import across

PAGE = 500
SHOWN = 100  # faults that are told one by one

Told = Callable[[str, int, int], None]
"""Takes what is being done, how much is done, and of how much."""


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
        head = kept_head(session)
        found = Findings(head or _last(session))
        if head is None:
            found.fault(NO_HEAD)
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


def kept_head(session: Session) -> Head | None:
    """Return how far the chain says it goes; None where somebody has removed that."""
    row = session.get(AuditHead, HEAD)
    return Head(row.sequence, row.digest) if row else None


def _last(session: Session) -> Head:
    wanted = select(AuditEntry.sequence, AuditEntry.digest).order_by(AuditEntry.sequence.desc())
    row = session.execute(wanted.limit(1)).first()
    return Head(*row) if row else Head(0, START)


def _walk(session: Session, found: Findings, which: range, progress: Told) -> None:
    """Check that every entry goes on from the one before, and that what it vouches for exists."""
    before = session.get(AuditEntry, which.start - 1)
    expected, digest = which.start, before.digest if before else START
    if which.start > 1 and before is None:
        found.fault(f"entry {which.start - 1} is missing")
    while numbers := _page(session, range(expected, which.stop)):
        entries = _readable(session, found, AuditEntry.sequence, numbers)
        erased = erasures(session, entries)
        for entry in entries:
            if entry.sequence != expected:
                found.fault(_missing(expected, entry.sequence - 1))
            elif entry.digest != linked(entry, digest, erased):
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


def _look_for(session: Session, found: Findings, entries: Sequence[AuditEntry]) -> None:
    """Look for the rows of these entries; each has this entry, or a later one that amends it."""
    vouched = defaultdict[str, dict[UUID, int]](dict)
    for entry in entries:
        kind, row_id = _about(entry)
        if kind is not None and "digest" in details_of(entry):
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


def _may_amend(session: Session, kind: Kind, entry: AuditEntry) -> bool:
    """Whether an entry leaves all that has to stay of its row as the entry before it says."""
    wanted = select(AuditEntry).where(
        AuditEntry.object == entry.object,
        AuditEntry.sequence < entry.sequence,
        AuditEntry.sequence >= 1,
        AuditEntry.action != FORGET,
    )
    earlier = session.scalars(wanted.order_by(AuditEntry.sequence.desc()))
    before = next((details_of(one) for one in earlier if "digest" in details_of(one)), {})
    old, new = before.get("leaves"), details_of(entry).get("leaves")
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
    known = Known(session)
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
        said = leaves_of(session, kind, rows)
        for row in rows:
            if why := wrong(kind, row, said[row.id], entries.get(row.sealed or 0), known):
                found.fault(f"{kind.name} {row.id} {why}")
        after = sequences[-1] or 0
        found.rows[kind.name] += len(rows)
        session.expunge_all()
        progress(f"{kind.name}s", found.rows[kind.name], 0)


def _count_uncovered(session: Session, found: Findings) -> None:
    """Count the rows without an entry; more than at the beginning there cannot be."""
    for kind in SEALED.values():
        found.uncovered[kind.name], fault = uncovered(session, kind.name)
        if fault:
            found.fault(fault)
