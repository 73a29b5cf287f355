"""Statements about ingest jobs and the files that they list; their batches are in `batches`."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from attribution.catalogue.chain import note
from attribution.catalogue.columns import now
from attribution.catalogue.insert import insert_new
from attribution.catalogue.models import (
    Alias,
    Artist,
    Artwork,
    ArtworkStatus,
    DeadlyFile,
    DeniedFile,
    IngestItem,
    IngestJob,
    JobStatus,
    LookupBatch,
    NameRule,
    Outcome,
    Task,
    TaskKind,
    TaskStatus,
)
from attribution.catalogue.nobody import is_nobody
from attribution.catalogue.queries.pages import Page, check_limit, cut, moment_key, number_key
from attribution.errors import NotFound

UNFINISHED = (JobStatus.LISTING, JobStatus.QUEUED, JobStatus.RUNNING)
DEADLY_FOR = timedelta(days=1)  # then a file that ended its process is tried again
MOST_REMARKS = 200  # of a job, before those on names end
MORE_NAMES = "more names joined or resemble others: the changes and the list of artists show them"
STREAMED = 1_000  # rows in memory while all items of a job are read


@dataclass(frozen=True)
class NewItem:
    """One file of a source, with what the source says about it."""

    path: str
    artist: str
    details: Mapping[str, Any] = field(default_factory=dict)
    sha256: str | None = None  # set when the bytes wait in the store


@dataclass(frozen=True)
class ItemOutcome:
    """What became of one file."""

    position: int
    outcome: Outcome
    reason: str | None = None
    artwork_id: UUID | None = None


@dataclass(frozen=True)
class JobSummary:
    """How far a job is."""

    total: int
    outcomes: Mapping[Outcome, int]  # every outcome, zeros too
    artists: int  # different ones in the source, by the catalogue's names, who are somebody
    blank: int  # files whose works show nothing


def create_job(
    session: Session,
    *,
    source: str,
    reinstate: bool = False,
    allow_freer: bool = False,
    names: NameRule = NameRule.JOIN,
    upload: Mapping[str, Any] | None = None,
) -> IngestJob:
    """Open a job without files; it is listed next."""
    job = IngestJob(
        source=source,
        reinstate=reinstate,
        allow_freer=allow_freer,
        names=names,
        upload=dict(upload or {}),
    )
    session.add(job)
    session.flush()
    note(session, "ingest", f"job:{job.id}", reinstate=reinstate, allow_freer=allow_freer)
    return job


def add_remarks(session: Session, job_id: UUID, remarks: Sequence[str]) -> None:
    """Append remarks on the source of a job as a whole, each a sentence for people."""
    job = session.get_one(IngestJob, job_id, with_for_update=True, populate_existing=True)
    job.remarks = [*job.remarks, *remarks]


def add_name_remarks(session: Session, job_id: UUID, remarks: Sequence[str]) -> None:
    """Append remarks on names, each once, as long as a person may read them all.

    Call it last in a transaction: it waits for other batches of the job.
    """
    if not remarks:
        return
    job = session.get_one(IngestJob, job_id, with_for_update=True, populate_existing=True)
    new = [one for one in dict.fromkeys(remarks) if one not in job.remarks]
    if MORE_NAMES in job.remarks or not new:
        return
    room = max(0, MOST_REMARKS - len(job.remarks))
    job.remarks = [*job.remarks, *new[:room], *([MORE_NAMES] if len(new) > room else [])]


def add_items(session: Session, job_id: UUID, items: Sequence[NewItem], *, start: int) -> None:
    """Append files to a job; the first gets position `start`."""
    if items:
        rows = [
            vars(item) | {"job_id": job_id, "position": n} for n, item in enumerate(items, start)
        ]
        session.execute(insert(IngestItem), rows)


def clear_items(session: Session, job_id: UUID) -> None:
    """Forget the files of a job that is being listed: it begins again."""
    session.execute(delete(IngestItem).where(IngestItem.job_id == job_id))


def job_by_id(session: Session, job_id: UUID) -> IngestJob:
    """Return a job; raises NotFound."""
    job = session.get(IngestJob, job_id)
    if job is None:
        raise NotFound(f"no ingest job {job_id}; GET /v1/ingest-jobs lists them")
    return job


def fail_job(session: Session, job_id: UUID, error: str) -> None:
    """Note why the files of a job cannot be listed."""
    session.execute(
        update(IngestJob)
        .where(IngestJob.id == job_id)
        .values(status=JobStatus.FAILED, finished_at=now(), error=error)
    )


def jobs_over(session: Session, ids: Collection[UUID], before: datetime) -> list[UUID]:
    """Return which of these are done, or failed or were cancelled before a moment.

    Jobs, and lookup batches.
    """
    over: list[UUID] = []
    for model in (IngestJob, LookupBatch):
        is_given_up = model.status.in_((JobStatus.FAILED, JobStatus.CANCELLED)) & (
            model.finished_at < before
        )
        is_over = (model.status == JobStatus.DONE) | is_given_up
        over += session.scalars(select(model.id).where(model.id.in_(ids), is_over))
    return over


def unfinished_jobs(session: Session) -> int:
    """Count the jobs that wait or run."""
    wanted = select(func.count()).select_from(IngestJob).where(IngestJob.status.in_(UNFINISHED))
    return session.scalar(wanted) or 0


def list_jobs(
    session: Session,
    *,
    status: JobStatus | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[IngestJob]:
    """Return a page of jobs in one state or any, the newest first."""
    wanted = select(IngestJob).order_by(IngestJob.created_at.desc(), IngestJob.id.desc())
    if status is not None:
        wanted = wanted.where(IngestJob.status == status)
    if cursor is not None:
        wanted = wanted.where(tuple_(IngestJob.created_at, IngestJob.id) < moment_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda job: (job.created_at, job.id))


def pending_items(
    session: Session, job_id: UUID, *, first: int, stop: int, limit: int
) -> list[IngestItem]:
    """Return files without an outcome at positions from `first` to before `stop`, in order."""
    wanted = (
        select(IngestItem)
        .where(
            IngestItem.job_id == job_id,
            IngestItem.outcome == Outcome.PENDING,
            IngestItem.position >= first,
            IngestItem.position < stop,
        )
        .order_by(IngestItem.position)
        .limit(limit)
    )
    return list(session.scalars(wanted))


def record_outcomes(session: Session, job_id: UUID, outcomes: Sequence[ItemOutcome]) -> None:
    """Note what became of some files of a batch; one that has an outcome keeps it.

    So a worker that was taken for dead cannot turn what its successor added into what it knows. A
    batch that gets on, however often its process is ended, is never dead: attempts count from here.
    """
    if not outcomes:
        return
    table = IngestItem.__table__
    noting = (
        update(IngestItem)
        .where(
            table.c.job_id == job_id,
            table.c.position == bindparam("at"),
            table.c.outcome == Outcome.PENDING,
        )
        .values(outcome=bindparam("became"), reason=bindparam("why"), artwork_id=bindparam("work"))
    )
    rows = [
        {"at": one.position, "became": one.outcome, "why": one.reason, "work": one.artwork_id}
        for one in outcomes
    ]
    session.connection().execute(noting, rows)
    position = outcomes[0].position
    session.execute(
        update(Task)
        .where(
            Task.subject == job_id,
            Task.kind == TaskKind.INGEST,
            Task.status == TaskStatus.RUNNING,
            Task.first <= position,
            Task.stop > position,
        )
        .values(attempts=1, deaths=0)
    )


def add_deadly_file(session: Session, sha256: str) -> None:
    """Note that a file has ended the processes that read it alone."""
    session.merge(DeadlyFile(sha256=sha256, found_at=now()))


def deadly_files(session: Session, hashes: Collection[str]) -> set[str]:
    """Return which of these files have ended their processes of late."""
    wanted = select(DeadlyFile.sha256).where(
        DeadlyFile.sha256.in_(hashes), DeadlyFile.found_at > now() - DEADLY_FOR
    )
    return set(session.scalars(wanted))


def add_denied_files(session: Session, job_id: UUID, denied: Mapping[str, Collection[str]]) -> None:
    """Note which purposes the source of a job denies of files, by their hashes."""
    rows = [
        {"job_id": job_id, "sha256": sha256, "purpose": purpose}
        for sha256, purposes in sorted(denied.items())
        for purpose in sorted(purposes)
    ]
    insert_new(session, DeniedFile, rows)


def denied_files(session: Session, job_id: UUID, hashes: Collection[str]) -> dict[str, set[str]]:
    """Return what the source of a job denies of files, by their hashes."""
    wanted = select(DeniedFile.sha256, DeniedFile.purpose).where(
        DeniedFile.job_id == job_id, DeniedFile.sha256.in_(hashes)
    )
    denied: dict[str, set[str]] = defaultdict(set)
    for sha256, purpose in session.execute(wanted):
        denied[sha256].add(purpose)
    return denied


def job_progress(session: Session, job_id: UUID) -> tuple[int, int]:
    """Return how many files of a job have an outcome, and how many there are."""
    counted = _outcomes(session, job_id)
    total = sum(counted.values())
    return total - counted.get(Outcome.PENDING, 0), total


def job_summary(session: Session, job_id: UUID) -> JobSummary:
    """Count the files of a job by outcome, and its artists."""
    counted = _outcomes(session, job_id)
    by_name = func.coalesce(Artist.name, IngestItem.artist)  # an alias is no artist of its own
    names = session.scalars(
        select(by_name)
        .distinct()
        .select_from(IngestItem)
        .outerjoin(Alias, Alias.name == IngestItem.artist)
        .outerjoin(Artist, Artist.id == Alias.artist_id)
        .where(IngestItem.job_id == job_id)
    )
    gone = session.scalar(select(IngestJob.gone).where(IngestJob.id == job_id)) or {}
    artists = sum(not is_nobody(name) for name in names)
    return JobSummary(
        total=sum(counted.values()),
        outcomes={outcome: counted.get(outcome, 0) for outcome in Outcome},
        artists=max(artists, gone.get("artists", 0)),
        blank=max(len(blank_items(session, job_id)), gone.get("blank", 0)),
    )


def blank_items(session: Session, job_id: UUID) -> set[int]:
    """Return the positions of the files of a job whose works show nothing."""
    wanted = (
        select(IngestItem.position)
        .join(Artwork, Artwork.id == IngestItem.artwork_id)
        .where(
            IngestItem.job_id == job_id,
            IngestItem.outcome != Outcome.REFUSED,
            Artwork.status == ArtworkStatus.BLANK,
        )
    )
    return set(session.scalars(wanted))


def all_items(session: Session, job_id: UUID) -> Iterator[IngestItem]:
    """Yield the files of a job in the source's order, a thousand in memory at a time."""
    wanted = (
        select(IngestItem).where(IngestItem.job_id == job_id).order_by(IngestItem.position)
    ).execution_options(yield_per=STREAMED)
    with session.scalars(wanted) as rows:
        yield from rows


def list_items(
    session: Session,
    job_id: UUID,
    *,
    outcome: Outcome | None = None,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[IngestItem]:
    """Return a page of the files of a job in the source's order, with one outcome or any."""
    wanted = select(IngestItem).where(IngestItem.job_id == job_id).order_by(IngestItem.position)
    if outcome is not None:
        wanted = wanted.where(IngestItem.outcome == outcome)
    if cursor is not None:
        wanted = wanted.where(IngestItem.position > number_key(cursor))
    rows = session.scalars(wanted.limit(check_limit(limit))).all()
    return cut(rows, limit, lambda item: (item.position,))


def _outcomes(session: Session, job_id: UUID) -> Counter[Outcome]:
    """Count the files of a job by outcome, those too whose lines are no longer kept."""
    wanted = (
        select(IngestItem.outcome, func.count())
        .where(IngestItem.job_id == job_id)
        .group_by(IngestItem.outcome)
    )
    gone = session.scalar(select(IngestJob.gone).where(IngestJob.id == job_id)) or {}
    kept = Counter(dict(session.execute(wanted).all()))
    return kept + Counter({one: gone[one] for one in Outcome if one in gone})
