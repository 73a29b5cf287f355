"""What the audit says of lookups: records, entries, and the links from these up to a signed head.

Entries of others are in it as digests alone, from which nobody learns what they say. A proof ends
at the next multiple of SPAN, or at the end of the audit where that is nearer, so that an old lookup
costs no more than a new one. The digest of the chain there is signed as `lawful audit head` does
it: a head from a pack can be checked later with `lawful audit verify --head`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.answers import works_named
from attribution.arithmetic import commitments
from attribution.arithmetic.commitments import START, Seal
from attribution.catalogue import queries
from attribution.catalogue.archive import whole
from attribution.catalogue.chain import ERASE, FORGET, entry_leaves
from attribution.catalogue.columns import now
from attribution.catalogue.models import AuditEntry, Change, RecordedAttribution, Sealed, SubjectUse
from attribution.catalogue.sealed import KINDS, SEALED
from attribution.chunks import chunks
from attribution.desk.archive import HEADS
from attribution.errors import RecordAltered
from attribution.provenance.keys import Signer
from attribution.provenance.statements import sign_statement

SPAN = 1_000  # entries
WORKS_AT_ONCE = 500
SHOWN_OF_CHANGES = frozenset({"", "reason", "before", "after"})  # the rest is about other works


@dataclass(frozen=True)
class Extract:
    """What the audit says, as JSON values."""

    records: Sequence[Mapping[str, Any]]
    segments: Sequence[Mapping[str, Any]]  # of the chain
    heads: Mapping[int, str]  # its digest after the last entry of each segment


def extract(
    session: Session, answers: Sequence[RecordedAttribution], others: Sequence[Sealed] = ()
) -> Extract:
    """Return the records of lookups, and others, with all that vouches for them.

    Raises RecordAltered.
    """
    uses = queries.uses_of_answers(session, [one.id for one in answers])
    rows: list[Sealed] = [*answers, *others, *uses]
    rows += _changes(session, answers)
    records = [one for few in _by_kind(rows) for one in _records(session, few)]
    subjects = {row.subject_id for row in rows if isinstance(row, SubjectUse)}
    about = {str(one["object"]) for one in records} | {f"subject:{one}" for one in subjects}
    entries = _entries(session, about, records)
    segments, heads = _segments(session, entries)
    return Extract(records, segments, heads)


def sign_head(sequence: int, digest: str, signer: Signer) -> str:
    """Sign how far the audit goes: the digest of its chain after an entry."""
    said = {"sequence": sequence, "digest": digest, "at": now().isoformat()}
    return sign_statement(said, signer)


def head_path(sequence: int) -> str:
    """Return where a signed head is in a pack."""
    return f"{HEADS}/{sequence}.jws"


def _changes(session: Session, answers: Iterable[RecordedAttribution]) -> list[Change]:
    """Return what was changed of the works that answers name."""
    works = {UUID(one["id"]) for row in answers for one in works_named(whole(session, row))}
    found = {
        row.id: row
        for few in chunks(sorted(works), WORKS_AT_ONCE)
        for row in queries.changes_of_works(session, few)
    }
    return list(found.values())


def _by_kind(rows: Iterable[Sealed]) -> list[list[Sealed]]:
    kinds: dict[type[Sealed], list[Sealed]] = {}
    for row in rows:
        kinds.setdefault(type(row), []).append(row)
    return list(kinds.values())


def _records(session: Session, rows: Sequence[Sealed]) -> list[dict[str, Any]]:
    """Return what rows of one kind say, by leaf, and with which salts that is committed to."""
    kind = KINDS[type(rows[0])]
    leaves = kind.leaves(session, rows)
    records = []
    for row in rows:
        said, seal = leaves[row.id], row.seal
        if isinstance(row, Change):
            said, seal = _without_others(said, seal)
        key = kind.key(row.id)
        records.append({"object": key, "entry": row.sealed, "leaves": said, "seal": seal})
    return records


def _without_others(said: Mapping[str, Any], seal: Seal) -> tuple[dict[str, Any], Seal]:
    """Return a change without what it says of other works: the commitments stay."""
    known = commitments.commitments(said, seal)
    shown = {leaf: one for leaf, one in said.items() if leaf in SHOWN_OF_CHANGES}
    return shown, {
        leaf: one if leaf in shown or "receipt" in one else {"commitment": known[leaf]}
        for leaf, one in seal.items()
    }


def _entries(
    session: Session, about: Collection[str], records: Iterable[Mapping[str, Any]]
) -> dict[int, AuditEntry]:
    """Return the entries about objects, and those that explain what is gone from all these."""
    found = {one.sequence: one for one in queries.entries_about(session, about)}
    gone = _receipts(one["seal"] for one in records) | _receipts(one.seal for one in found.values())
    asked = set[str]()
    while new := gone - asked:
        asked |= new
        explaining = [
            one for one in queries.entries_about(session, new) if one.action in {FORGET, ERASE}
        ]
        found |= {one.sequence: one for one in explaining}
        gone |= _receipts(one.seal for one in explaining)
    return found


def _receipts(seals: Iterable[Mapping[str, Mapping[str, str]]]) -> set[str]:
    """Return under which receipts leaves are gone, as entries call them."""
    said = {one["receipt"] for seal in seals for one in seal.values() if "receipt" in one}
    return {one if ":" in one else SEALED["withdrawal"].key(UUID(one)) for one in said}


def _segments(
    session: Session, entries: Mapping[int, AuditEntry]
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Return the parts of the chain that lead from entries to the next heads."""
    last = queries.audit_head(session).sequence
    first: dict[int, int] = {}  # by the end of the segment
    for number in sorted(entries):
        first.setdefault(min(-(-number // SPAN) * SPAN, last), number)
    segments, heads = [], {}
    for end, begin in first.items():
        rows = queries.entries_from(session, max(begin - 1, 1), end - max(begin - 1, 1) + 1)
        digest = START if begin == 1 else rows.pop(0).digest
        segment = {"first": begin, "before": digest, "head": head_path(end)}
        links = []
        for row in rows:
            leaves = entry_leaves(row)
            record = commitments.digest(leaves, row.seal)
            digest = commitments.link(digest, row.sequence, record)
            if digest != row.digest:
                raise RecordAltered(
                    f"entry {row.sequence} of the audit was altered, so nothing can be proved "
                    f"with it; `lawful audit verify` says what else was"
                )
            is_shown = row.sequence in entries
            links.append({"leaves": leaves, "seal": row.seal} if is_shown else record)
        segments.append(segment | {"links": links})
        heads[end] = digest
    return segments, heads
