"""Statements about requests for pictures: what is asked for, how far one is, what came of it.

Who draws one is decided in `leases`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.models import DrawnPicture, Generation, JobStatus, Task, TaskKind
from attribution.catalogue.queries.jobs import UNFINISHED
from attribution.catalogue.queries.near_hashes import hash_columns
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key
from attribution.catalogue.queries.tasks import OPEN, is_wanted
from attribution.catalogue.queries.webhooks import announce_end
from attribution.errors import Conflict, NotFound

ORDER = (DrawnPicture.generation_id, DrawnPicture.number)


def add_generation(session: Session, request: Mapping[str, Any], **said: str) -> Generation:
    """Keep a request for pictures; it waits for whoever draws. The audit has what is `said`."""
    row = Generation(request=dict(request))
    session.add(row)
    session.flush()
    session.add(Task(kind=TaskKind.DRAW, subject=row.id, number=0))
    session.flush()
    note(session, "generate", f"generation:{row.id}", **said)
    return row


def waiting_drawings(session: Session) -> int:
    """Count the requests for pictures that are not drawn yet."""
    wanted = select(func.count()).where(
        Task.kind == TaskKind.DRAW, Task.status.in_(OPEN), is_wanted()
    )
    return session.scalar(wanted) or 0


def generation_by_id(session: Session, generation_id: UUID) -> Generation:
    """Return a request; raises NotFound."""
    row = session.get(Generation, generation_id)
    if row is None:
        raise NotFound(f"no generation {generation_id}; GET /v1/generations lists them")
    return row


def list_generations(
    session: Session, *, cursor: str | None = None, limit: int = 100
) -> Page[Generation]:
    """Return a page of requests, the newest first."""
    wanted = select(Generation).order_by(Generation.created_at.desc(), Generation.id.desc())
    if cursor is not None:
        wanted = wanted.where(tuple_(Generation.created_at, Generation.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda row: (row.created_at, row.id))


def begin_generation(session: Session, generation_id: UUID) -> Mapping[str, Any]:
    """Return what is asked for; it is drawn from its start."""
    request: Mapping[str, Any] | None = session.scalar(
        update(Generation)
        .where(Generation.id == generation_id)
        .values(done=0)
        .returning(Generation.request)
    )
    if request is None:
        raise NotFound(f"no generation {generation_id}; GET /v1/generations lists them")
    return request


def note_steps(session: Session, generation_id: UUID, *, done: int, steps: int) -> bool:
    """Note how far a request is; False when it was cancelled: stop then."""
    kept = session.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.status.in_(UNFINISHED))
        .values(done=done, steps=steps)
        .returning(Generation.id)
    ).all()
    return bool(kept)


@dataclass(frozen=True)
class Drawn:
    """By what a picture of a request is found again."""

    number: int
    sha256: str  # of the file that is handed out
    pixel_sha256: str
    phash: str
    watermark: str | None = None


def keep_result(
    session: Session, generation_id: UUID, result: Mapping[str, Any], pictures: Iterable[Drawn]
) -> None:
    """Note what was drawn; without effect on a request that was cancelled."""
    kept = session.execute(
        update(Generation)
        .where(Generation.id == generation_id, Generation.status.in_(UNFINISHED))
        .values(done=Generation.steps, result=dict(result))
        .returning(Generation.id)
    ).all()
    if kept:
        session.add_all(
            DrawnPicture(generation_id=generation_id, **vars(one), **hash_columns(one.phash))
            for one in pictures
        )


def drawn_with(session: Session, *, sha256: str, pixel_sha256: str) -> DrawnPicture | None:
    """Return a picture that was drawn: of these bytes, else of these pixels."""
    for same in (DrawnPicture.sha256 == sha256, DrawnPicture.pixel_sha256 == pixel_sha256):
        ordered = select(DrawnPicture).where(same).order_by(*ORDER).limit(1)
        if row := session.scalar(ordered):
            return row
    return None


def drawn_with_watermark(session: Session, watermark: str) -> DrawnPicture | None:
    """Return the picture in which these bits were hidden."""
    wanted = select(DrawnPicture).where(DrawnPicture.watermark == watermark)
    return session.scalar(wanted.order_by(*ORDER).limit(1))


def cancel_generation(session: Session, generation_id: UUID) -> Generation:
    """End a request after the step in hand; raises NotFound, Conflict when it has ended."""
    row = session.get(Generation, generation_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound(f"no generation {generation_id}; GET /v1/generations lists them")
    if row.status not in UNFINISHED:
        raise Conflict(f"generation {generation_id} is {row.status}: there is nothing to cancel")
    row.status, row.finished_at = JobStatus.CANCELLED, now()
    note(session, "cancel", f"generation:{row.id}")
    announce_end(session, row)
    return row
