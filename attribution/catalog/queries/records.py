"""Statements about answers that were given, and about what a collection was made with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from attribution.catalog.models import Collection, RecordedAttribution
from attribution.catalog.queries.pages import Page, check_limit, cut, moment_key
from attribution.errors import NotFound


def record_attribution(
    session: Session,
    *,
    attribution_id: UUID,
    image_sha256: str,
    verdict: str,
    fingerprint: str,
    answer: dict[str, Any],
) -> None:
    """Keep an answer as it was given."""
    session.add(
        RecordedAttribution(
            id=attribution_id,
            image_sha256=image_sha256,
            verdict=verdict,
            fingerprint=fingerprint,
            answer=answer,
        )
    )
    session.flush()


def attribution_by_id(session: Session, attribution_id: UUID) -> RecordedAttribution:
    """Return an earlier answer; raises NotFound."""
    row = session.get(RecordedAttribution, attribution_id)
    if row is None:
        raise NotFound(f"no attribution {attribution_id}; GET /v1/attributions lists them")
    return row


def list_attributions(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[RecordedAttribution]:
    """Return a page of earlier answers, the newest first."""
    key = tuple_(RecordedAttribution.created_at, RecordedAttribution.id)
    wanted = select(RecordedAttribution)
    if cursor is not None:
        wanted = wanted.where(key < moment_key(cursor))
    wanted = wanted.order_by(RecordedAttribution.created_at.desc(), RecordedAttribution.id.desc())
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def collection(session: Session, name: str) -> Collection | None:
    """Return what is known about a collection; None before its first use."""
    return session.get(Collection, name)


def collections(session: Session) -> list[Collection]:
    """Return every collection, by name."""
    return list(session.scalars(select(Collection).order_by(Collection.name)))


def create_collection(
    session: Session, name: str, *, profile: str, fingerprint: str, dims: Mapping[str, int]
) -> Collection:
    """Remember which encoders make the vectors of a collection."""
    row = Collection(name=name, profile=profile, fingerprint=fingerprint, dims=dict(dims))
    session.add(row)
    session.flush()
    return row
