"""Statements about the audit: who did what, and when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from attribution import tenants
from attribution.catalogue.chain import head_of
from attribution.catalogue.models import AuditEntry, AuditHead
from attribution.catalogue.queries.pages import Page, check_limit, cut, number_key
from attribution.chunks import chunks

AT_ONCE = 500  # objects of one statement
CLOCKS = timedelta(hours=1)  # by which those of several machines may differ


@dataclass(frozen=True)
class EntriesWanted:
    """Which entries a list shows; what is None does not matter."""

    action: str | None = None
    actor: str | None = None
    about: str | None = None  # such as "attribution:UUID"
    since: int | datetime | None = None  # the number of an entry, or a time


def list_entries(
    session: Session, wanted: EntriesWanted, *, cursor: str | None = None, limit: int = 100
) -> Page[AuditEntry]:
    """Return a page of the tenant's entries, the newest first."""
    found = select(AuditEntry).where(AuditEntry.tenant == tenants.current())
    found = found.order_by(AuditEntry.sequence.desc())
    if wanted.action is not None:
        found = found.where(AuditEntry.action == wanted.action)
    if wanted.actor is not None:
        found = found.where(AuditEntry.actor == wanted.actor)
    if wanted.about is not None:
        found = found.where(AuditEntry.object == wanted.about)
    if isinstance(wanted.since, int):
        found = found.where(AuditEntry.sequence >= wanted.since)
    elif wanted.since is not None:
        # Numbers follow times, as far as clocks agree: earlier entries need not be looked at.
        begin = select(AuditEntry.sequence).where(
            AuditEntry.tenant == tenants.current(), AuditEntry.at >= wanted.since - CLOCKS
        )
        first = begin.order_by(AuditEntry.at).limit(1).scalar_subquery()
        found = found.where(AuditEntry.at >= wanted.since, AuditEntry.sequence >= first)
    if cursor is not None:
        found = found.where(AuditEntry.sequence < number_key(cursor))
    rows = session.scalars(found.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.sequence,))


def first_number(session: Session, since: int | datetime | None) -> int:
    """Return from which entry on something is meant, of all tenants: by its number, or by a time.

    Behind the last one where there is none since then; reads entries up to the one it returns.
    """
    if not isinstance(since, datetime):
        return since or 1
    wanted = select(AuditEntry.sequence).where(AuditEntry.at >= since)
    first = session.scalar(wanted.order_by(AuditEntry.sequence).limit(1))
    return last_number(session) + 1 if first is None else first


def last_number(session: Session) -> int:
    """Return how many entries there are, of all tenants."""
    return audit_head(session).sequence


def audit_head(session: Session) -> AuditHead:
    """Return how far the audit goes, of all tenants; raises RecordAltered where that is gone."""
    return head_of(session)


def has_entries(session: Session, actor: str, *, until: int) -> bool:
    """Tell whether the tenant has entries of an actor, up to that number."""
    wanted = exists().where(
        AuditEntry.actor == actor,
        AuditEntry.tenant == tenants.current(),
        AuditEntry.sequence <= until,
    )
    return bool(session.scalar(select(wanted)))


def last_entry(session: Session, action: str) -> AuditEntry | None:
    """Return when something was done last, by whichever tenant."""
    wanted = select(AuditEntry).where(AuditEntry.action == action)
    return session.scalar(wanted.order_by(AuditEntry.sequence.desc()).limit(1))


def entries_about(session: Session, objects: Collection[str]) -> list[AuditEntry]:
    """Return the tenant's entries about some objects, in their order."""
    found: list[AuditEntry] = []
    for few in chunks(list(objects), AT_ONCE):
        wanted = select(AuditEntry).where(
            AuditEntry.object.in_(few), AuditEntry.tenant == tenants.current()
        )
        found += session.scalars(wanted)
    return sorted(found, key=lambda one: one.sequence)


def entries_from(session: Session, sequence: int, limit: int) -> list[AuditEntry]:
    """Return entries of all tenants from a number on, in their order."""
    wanted = select(AuditEntry).where(AuditEntry.sequence >= sequence)
    return list(session.scalars(wanted.order_by(AuditEntry.sequence).limit(limit)))
