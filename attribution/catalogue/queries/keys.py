"""Statements about keys to the HTTP API."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import exists, or_, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import ApiKey
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.errors import NotFound


def keys_exist(session: Session) -> bool:
    """Tell whether a key was ever made: from then on a revoked one still closes the API."""
    return bool(session.scalar(select(exists().select_from(ApiKey))))


def add_key(session: Session, row: ApiKey) -> None:
    """Keep a key that was just made."""
    session.add(row)
    session.flush()


def key_by_prefix(session: Session, prefix: str) -> ApiKey | None:
    """Return the key whose token begins so."""
    return session.scalar(select(ApiKey).where(ApiKey.prefix == prefix))


def key_to_change(session: Session, key_id: UUID) -> ApiKey:
    """Return one key as it is now, and lock it; raises NotFound."""
    wanted = select(ApiKey).where(ApiKey.id == key_id).with_for_update()
    row = session.scalar(wanted.execution_options(populate_existing=True))
    if row is None:
        raise NotFound(f"no key {key_id}; `lawful keys list --json` and /v1/keys show ids")
    return row


def list_keys(session: Session, *, cursor: str | None = None, limit: int = 100) -> Page[ApiKey]:
    """Return a page of keys, the newest first, also those that do not hold any more."""
    wanted = select(ApiKey).order_by(ApiKey.created_at.desc(), ApiKey.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(ApiKey.created_at, ApiKey.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def note_key_used(session: Session, key_id: UUID, *, unless_since: datetime) -> None:
    """Note that a key is used now, unless that was noted since then."""
    is_due = or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < unless_since)
    session.execute(
        update(ApiKey).where(ApiKey.id == key_id, is_due).values(last_used_at=now()),
        execution_options=IN_SQL,
    )
