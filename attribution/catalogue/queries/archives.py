"""Statements about answers that leave the database for the file store, and come back.

Before a file of an answer is written its row is `SURPLUS`, and again before it is deleted. So a
withdrawal finds every file, wherever a process ended; and whoever writes or deletes one holds the
row.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, exists, func, select, update
from sqlalchemy.orm import Session

from attribution.answers import shortened
from attribution.catalogue.archive import what_is_left
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    SURPLUS,
    Alert,
    CaseSubject,
    CitedWork,
    NonCopy,
    RecordedAttribution,
    Subject,
    SubjectUse,
    Watch,
)
from attribution.catalogue.queries.holds import is_held


def answers_to_archive(session: Session, before: datetime, limit: int) -> Sequence[UUID]:
    """Return the oldest whole answers of before then, without those that somebody works with."""
    answer = RecordedAttribution
    wanted = select(answer.id).where(
        answer.archived.is_(None), answer.created_at < before, ~_is_worked_with()
    )
    return session.scalars(wanted.order_by(answer.created_at, answer.id).limit(limit)).all()


def begin_archiving(session: Session, ids: Collection[UUID]) -> None:
    """Note of whole answers that there may be files of them."""
    mine = RecordedAttribution.id.in_(ids) & RecordedAttribution.archived.is_(None)
    begun = update(RecordedAttribution).where(mine).values(archived=SURPLUS)
    session.execute(begun, execution_options=IN_SQL)


def answers_to_change(session: Session, ids: Collection[UUID]) -> Sequence[RecordedAttribution]:
    """Return those of these answers of which there may be files that are not needed, locked."""
    mine = RecordedAttribution.id.in_(ids) & (RecordedAttribution.archived == SURPLUS)
    wanted = select(RecordedAttribution).where(mine).order_by(RecordedAttribution.id)
    return session.scalars(wanted.with_for_update().execution_options(populate_existing=True)).all()


def note_archived(session: Session, row: RecordedAttribution, digest: str) -> None:
    """Shorten an answer whose file is written, and say which one that is."""
    short = update(RecordedAttribution).where(RecordedAttribution.id == row.id)
    values = {"answer": shortened(row.answer), "archived": digest}
    session.execute(short.values(values), execution_options=IN_SQL)


def take_back(session: Session, works: Collection[UUID]) -> None:
    """Make the answers that cite these works whole again: their files are to be deleted.

    An answer whose file is lost stays short. Nobody archives one of them until the session ends.
    """
    cited = select(CitedWork.attribution_id).where(CitedWork.artwork_id.in_(works))
    mine = RecordedAttribution.id.in_(cited)
    locked = select(RecordedAttribution).where(mine).order_by(RecordedAttribution.id)
    rows = session.scalars(locked.with_for_update().execution_options(populate_existing=True)).all()
    archived = [row for row in rows if row.archived]
    for row, said in zip(archived, what_is_left(session, archived), strict=True):
        row.answer, row.archived = said, SURPLUS
    session.flush()


def surplus_answers(session: Session, limit: int) -> Sequence[UUID]:
    """Return some answers of which there may be files that are not needed."""
    wanted = select(RecordedAttribution.id).where(RecordedAttribution.archived == SURPLUS)
    return session.scalars(wanted.limit(limit)).all()


def count_surplus_answers(session: Session) -> int:
    """Count the answers of which there may be files that are not needed."""
    wanted = select(func.count()).where(RecordedAttribution.archived == SURPLUS)
    return session.scalar(wanted) or 0


def note_without_file(session: Session, ids: Collection[UUID]) -> None:
    """Note that there are no files of whole answers any more."""
    mine = RecordedAttribution.id.in_(ids) & (RecordedAttribution.archived == SURPLUS)
    session.execute(
        update(RecordedAttribution).where(mine).values(archived=None), execution_options=IN_SQL
    )


def without_archive(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Return those of these answers that have no file, as there is none or it is whole; locks them.

    Nobody archives one of them until the session ends.
    """
    wanted = select(RecordedAttribution.id, RecordedAttribution.archived).where(
        RecordedAttribution.id.in_(ids)
    )
    rows = session.execute(wanted.order_by(RecordedAttribution.id).with_for_update()).all()
    return set(ids) - {answer for answer, archived in rows if archived is not None}


def _is_worked_with() -> ColumnElement[bool]:
    """Return the condition that a case, a hold, a watch or a declaration is about an answer."""
    answer = RecordedAttribution
    its_subject = (SubjectUse.id == answer.id) & (Subject.id == SubjectUse.subject_id)
    watched = Watch.subject_id == Subject.id
    return (
        exists().where(CaseSubject.image_sha256 == answer.image_sha256)
        | exists().where(Alert.attribution_id == answer.id, Alert.seen_at.is_(None))
        | exists().where(NonCopy.image_sha256 == answer.image_sha256)
        | exists().where(its_subject, is_held() | exists().where(watched, Watch.ended_at.is_(None)))
    )
