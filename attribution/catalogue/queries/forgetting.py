"""Statements that take withdrawn works out of what jobs and requests for pictures have kept.

Jobs keep paths and what sources say, requests the words of prompts. What stays of both is that they
were, what came of them, and the ids. Lookup batches are in `forgotten_lookups`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import PurePath
from uuid import UUID

from sqlalchemy import ColumnElement, exists, or_, select, update
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL
from attribution.catalogue.models import (
    WIPED,
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    Generation,
    IngestItem,
    IngestJob,
    JobStatus,
    Outcome,
    Task,
)
from attribution.catalogue.names import fold

WITHDREW = "its source takes back the consent to be found: withdrawn"
CLOSED = "its artist has withdrawn"
OPEN_JOBS = (JobStatus.LISTING, JobStatus.QUEUED, JobStatus.RUNNING)
NAMES_ONE = "it names an artist who has withdrawn"
LEAST_LETTERS = 4  # of a title or a file's name that is looked for in a job's remarks
WORD = re.compile(r"[^\W_]+")


def wipe_items(session: Session, works: Collection[UUID], titles: Collection[str]) -> int:
    """Wipe the lines of jobs that are about these works; returns how many there were.

    `titles` are those that the works had. Locks jobs: after works, artists and statistics.
    """
    about = IngestItem.artwork_id.in_(works)
    lines = session.execute(select(IngestItem.job_id, IngestItem.path).where(about)).all()
    names = {PurePath(path).stem for _, path in lines if path != WIPED}
    _wipe_lines(session, about)
    wipe_jobs(session, {job for job, _ in lines}, names | set(titles))
    return len(lines)


def wipe_lines(session: Session, job_id: UUID, positions: Collection[int]) -> None:
    """Wipe some lines of a job that turned out to be about what was withdrawn."""
    about = (IngestItem.job_id == job_id) & IngestItem.position.in_(positions)
    _wipe_lines(session, about, keeps_reason=True)


def wipe_lines_under(session: Session, artist_id: UUID) -> int:
    """Wipe the lines under an artist's names that became no work, such as unreadable files.

    Those of jobs that go on wait until their files are read. Reads the lines of all jobs once.
    """
    names = _names(session, artist_id)
    about = IngestItem.artist.in_(names) & IngestItem.artwork_id.is_(None)
    going_on = select(IngestJob.id).where(IngestJob.status.in_(OPEN_JOBS))
    unread = (IngestItem.outcome == Outcome.PENDING) & IngestItem.job_id.not_in(going_on)
    session.execute(
        update(IngestItem).where(about, unread).values(outcome=Outcome.REFUSED, reason=CLOSED),
        execution_options=IN_SQL,
    )
    settled = about & (IngestItem.outcome != Outcome.PENDING) & (IngestItem.path != WIPED)
    jobs = session.scalars(select(IngestItem.job_id).where(settled).distinct()).all()
    count = _wipe_lines(session, settled, keeps_reason=True)
    wipe_jobs(session, jobs)
    return count


def wipe_jobs(session: Session, jobs: Iterable[UUID], words: Collection[str] = ()) -> bool:
    """Take out of jobs what they say as a whole of works that were withdrawn.

    Of a job that brought nothing else, all that it says: where it came from, how it was called. Of
    others the remarks that have one of `words`. Returns whether any job has a wiped line.
    """
    long = [word for word in words if len(word) >= LEAST_LETTERS]
    found = False
    for job_id in sorted(jobs):
        job = session.get_one(IngestJob, job_id, with_for_update=True, populate_existing=True)
        if not session.scalar(select(_has(job_id, IngestItem.path == WIPED))):
            continue
        found = True
        if _speaks_of_others(session, job_id):
            job.remarks = [one for one in job.remarks if not any(word in one for word in long)]
        else:
            job.source = f"upload:{WIPED}" if job.source.startswith("upload:") else WIPED
            job.upload, job.remarks, job.error = {}, [], None
            tasks = update(Task).where(Task.subject == job_id, Task.error.is_not(None))
            session.execute(tasks.values(error=None), execution_options=IN_SQL)
    session.flush()
    return found


def forget_upload(session: Session, job_id: UUID) -> None:
    """Forget what was said of an upload, once its files are listed or cannot be."""
    session.execute(update(IngestJob).where(IngestJob.id == job_id).values(upload={}))


def wipe_prompts(session: Session, artist_id: UUID) -> int:
    """Wipe the prompts that have a name of an artist, and end those that wait; returns how many.

    Reads all requests for pictures once.
    """
    is_named = naming(session, artist_id)
    wiped = 0
    for row in session.scalars(select(Generation).order_by(Generation.id).with_for_update()):
        texts = [row.request.get("prompt", ""), row.request.get("negative_prompt", "")]
        if not any(map(is_named, texts)):
            continue
        row.request = row.request | {"prompt": WIPED, "negative_prompt": ""}
        if row.result:
            row.result = row.result | {"notes": []}  # words that the model has cut off
        if row.status in (JobStatus.QUEUED, JobStatus.RUNNING):
            row.status, row.error, row.finished_at = JobStatus.CANCELLED, NAMES_ONE, now()
        wiped += 1
    return wiped


def prompts_naming(session: Session, artist_id: UUID) -> int:
    """Count the requests for pictures that have a name of an artist."""
    is_named = naming(session, artist_id)
    return sum(
        any(is_named(str(text)) for text in request.values())
        for request in session.scalars(select(Generation.request))
    )


def naming(session: Session, artist_id: UUID) -> Callable[[str], bool]:
    """Return what tells whether a text has a name of an artist, in its words."""
    names = [_words(name) for name in _names(session, artist_id)]

    def is_named(text: str) -> bool:
        words = _words(text)
        return any(_is_named(name, words) for name in names)

    return is_named


def _wipe_lines(session: Session, about: ColumnElement[bool], *, keeps_reason: bool = False) -> int:
    if not keeps_reason:
        told = update(IngestItem).where(about, IngestItem.reason != WITHDREW).values(reason=None)
        session.execute(told, execution_options=IN_SQL)
    gone = update(IngestItem).where(about).values(path=WIPED, details={})
    wiped = session.execute(gone.returning(IngestItem.position), execution_options=IN_SQL)
    return len(wiped.all())


def _speaks_of_others(session: Session, job_id: UUID) -> bool:
    """Whether a job has files to read, works that are there, or files that were refused."""
    others = or_(IngestItem.artwork_id.is_(None), Artwork.status != ArtworkStatus.WITHDRAWN)
    wanted = (
        select(IngestItem.position)
        .outerjoin(Artwork, Artwork.id == IngestItem.artwork_id)
        .where(IngestItem.job_id == job_id, IngestItem.path != WIPED, others)
        .limit(1)
    )
    return session.scalar(wanted) is not None


def _has(job_id: UUID, what: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(IngestItem.job_id == job_id, what)


def _names(session: Session, artist_id: UUID) -> list[str]:
    aliases = session.scalars(select(Alias.name).where(Alias.artist_id == artist_id))
    return [session.get_one(Artist, artist_id).name, *aliases]


def _words(text: str) -> list[str]:
    return [fold(word) for word in WORD.findall(text)]


def _is_named(name: Sequence[str], text: Sequence[str]) -> bool:
    """Whether the words of a name stand next to each other, in this order or the last one first."""
    turned = [*name[-1:], *name[:-1]]
    ends = range(len(text) - len(name) + 1)
    return bool(name) and any(list(text[at : at + len(name)]) in (name, turned) for at in ends)
