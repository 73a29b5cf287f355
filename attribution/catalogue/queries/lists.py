"""Statements that list works: in pages for people, all of them for exports."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, case, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from attribution.catalogue.licences import identify
from attribution.catalogue.models import (
    WIPED,
    Artwork,
    ArtworkStatus,
    IngestItem,
    IngestJob,
    Outcome,
)
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key


@dataclass(frozen=True)
class WorksWanted:
    """Which works a list holds; what is None does not matter."""

    artist_id: UUID | None = None
    status: ArtworkStatus | None = None
    licence: str | None = None  # in any spelling; what names none, by its exact text


@dataclass(frozen=True)
class Seen:
    """Where the file of a work came from when it was ingested last."""

    path: str  # as `ingest.listing` keeps it: absolute, or a name within an upload
    source: str  # of its job


def list_artworks(
    session: Session,
    *,
    artist_id: UUID | None = None,
    status: ArtworkStatus | None = ArtworkStatus.INDEXED,
    licence: str | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Artwork]:
    """Return a page of works with their artists, the newest first; `status` None means any."""
    wanted = _these(select(Artwork), WorksWanted(artist_id, status, licence))
    if cursor is not None:
        wanted = wanted.where(tuple_(Artwork.created_at, Artwork.id) < moment_key(cursor))
    wanted = wanted.order_by(Artwork.created_at.desc(), Artwork.id.desc()).limit(check_limit(limit))
    rows = session.scalars(wanted.options(joinedload(Artwork.artist, innerjoin=True))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def next_artworks(
    session: Session, works: WorksWanted, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[Artwork]:
    """Return the works behind a time and id, with their artists, in the order they came in."""
    wanted = _these(select(Artwork), works).order_by(Artwork.created_at, Artwork.id).limit(limit)
    if after is not None:
        wanted = wanted.where(tuple_(Artwork.created_at, Artwork.id) > after)
    return list(session.scalars(wanted.options(joinedload(Artwork.artist, innerjoin=True))))


def count_artworks(session: Session, works: WorksWanted) -> int:
    """Count works one by one: for whoever is about to read them all."""
    return session.scalar(_these(select(func.count()).select_from(Artwork), works)) or 0


def last_seen(session: Session, ids: Collection[UUID]) -> dict[UUID, Seen]:
    """Return where these works came from last, their own artist's files before those of others."""
    claimed = case((IngestItem.outcome == Outcome.CONFLICT, 1), else_=0)
    place = func.row_number().over(
        partition_by=IngestItem.artwork_id,
        order_by=(claimed, IngestJob.created_at.desc(), IngestJob.id, IngestItem.position),
    )
    ranked = (
        select(IngestItem.artwork_id, IngestItem.path, IngestJob.source, place.label("place"))
        .join(IngestJob, IngestJob.id == IngestItem.job_id)
        .where(IngestItem.artwork_id.in_(ids), IngestItem.path != WIPED)
        .subquery()
    )
    wanted = select(ranked.c.artwork_id, ranked.c.path, ranked.c.source).where(ranked.c.place == 1)
    return {work: Seen(path, source) for work, path, source in session.execute(wanted)}


def _these(wanted: Select[Any], works: WorksWanted) -> Select[Any]:
    if works.artist_id is not None:
        wanted = wanted.where(Artwork.artist_id == works.artist_id)
    if works.status is not None:
        wanted = wanted.where(Artwork.status == works.status)
    if works.licence is not None:
        named = identify(works.licence)
        wanted = wanted.where(Artwork.licence_id == named)  # or none, which the index finds too
        if named is None:
            wanted = wanted.where(Artwork.licence == works.licence)
    return wanted
