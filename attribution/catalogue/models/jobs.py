"""Works on their way in, pictures on their way out, and the tasks that do both."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, one_of

# Of processes that read a file alone: so many, and the file is to blame. One may be chance.
DEATHS_ALONE = 2


class JobStatus(StrEnum):
    """Where a job stands; `FAILED` and `CANCELLED` ones can be run again."""

    LISTING = "listing"  # its files are being listed: nothing of it has begun
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobKind(StrEnum):
    """What a job does."""

    INGEST = "ingest"  # works are taken in
    GENERATION = "generation"  # pictures are drawn
    LOOKUP = "lookup"  # images are looked up


class TaskKind(StrEnum):
    """What a worker does with a task; each kind has a queue of its own."""

    LIST = "list"  # list the files of an upload
    INGEST = "ingest"  # take in some files of a job
    DRAW = "draw"  # draw the pictures of a request
    LOOKUP = "lookup"  # list the images of a lookup batch (number 0), or look up some of them


class TaskStatus(StrEnum):
    """Where a task stands. `DEAD` ones failed too often: the dead letters, for a person to see."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class Outcome(StrEnum):
    """What became of one file of a job."""

    PENDING = "pending"
    ADDED = "added"
    KNOWN = "known"
    REPEATED = "repeated"  # the bytes of a file that came earlier in the same job
    CORRECTED = "corrected"  # known, and what its source says of it has changed
    CONFLICT = "conflict"  # known, but under another artist
    REFUSED = "refused"


class NameRule(StrEnum):
    """Whose works are that come under a spelling which no artist has, and a name that folds alike.

    Likeness never decides: only `names.fold` and `names.tells_apart` do.
    """

    ASK = "ask"  # a person says so; without one they are refused
    JOIN = "join"  # that artist's, and the spelling becomes an alias
    NEW = "new"  # every spelling is an artist of its own


class IngestJob(OfTenant, Base):
    """One portfolio on its way in."""

    __tablename__ = "ingest_jobs"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    source: Mapped[str]
    upload: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what was sent, still unlisted
    reinstate: Mapped[bool] = mapped_column(default=False)  # withdrawn works come back
    allow_freer: Mapped[bool] = mapped_column(default=False)  # consents and licences may widen
    names: Mapped[NameRule] = mapped_column(default=NameRule.JOIN)
    remarks: Mapped[list[str]] = mapped_column(default=list)  # on the source as a whole, for people
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.LISTING)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # Numbers of lines that are no longer kept, by outcome, and what was counted with them: artists
    # and blank files of the whole job.
    gone: Mapped[dict[str, int] | None]
    thinned_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", JobStatus),
        one_of("names", NameRule),
        Index(None, "tenant", "created_at", "id"),
    )


class Task(OfTenant, Base):
    """What one worker does at a time: list an upload, take in a batch of files, draw a request.

    Whoever runs a task holds its lease and renews it; a lease that ran out may be taken over.
    """

    __tablename__ = "tasks"

    subject: Mapped[UUID] = mapped_column(primary_key=True)  # a job, a generation or a lookup batch
    kind: Mapped[TaskKind] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)  # of a batch; 0 where there is only one
    # Positions of the files of a batch: from `first` to before `stop`. `begun` and `alone` are what
    # a run has in hand, so that the next one knows it should its process die: files without an
    # outcome before `begun`, or, where those are done one by one, the file at `alone`.
    first: Mapped[int] = mapped_column(default=0)
    stop: Mapped[int] = mapped_column(default=0)
    begun: Mapped[int] = mapped_column(default=0)
    alone: Mapped[int | None]
    status: Mapped[TaskStatus] = mapped_column(default=TaskStatus.QUEUED)
    # Both count from the last progress. Runs that neither finished nor were given back; those of
    # them that ended their process without a word.
    attempts: Mapped[int] = mapped_column(default=0)
    deaths: Mapped[int] = mapped_column(default=0)
    owner: Mapped[str | None]  # who holds the lease
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    sent_at: Mapped[datetime | None]  # when a message about it was sent last
    sends: Mapped[int] = mapped_column(default=0)  # messages since a worker last took it
    error: Mapped[str | None]

    @property
    def deadly(self) -> int | None:
        """The position of a file that ended enough processes which read it alone."""
        return self.alone if self.deaths >= DEATHS_ALONE else None

    __table_args__ = (
        one_of("kind", TaskKind),
        one_of("status", TaskStatus),
        Index(None, "status", "lease_until"),
    )


class IngestItem(OfTenant, Base):
    """One file of a job, with everything that is needed to go on after an interruption."""

    __tablename__ = "ingest_items"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("ingest_jobs.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    sha256: Mapped[str | None] = mapped_column(String(64))  # set when the bytes wait in the store
    artist: Mapped[str]  # the name as the source gives it
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)  # title, tags, year, licence, …
    outcome: Mapped[Outcome] = mapped_column(default=Outcome.PENDING)
    reason: Mapped[str | None]
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"))

    __table_args__ = (
        one_of("outcome", Outcome),
        Index(None, "job_id", "outcome", "position"),  # what is left, and counts
        Index(None, "artwork_id"),  # a withdrawal wipes what the source said of the work
    )


class DeadlyFile(Base):
    """A file that ended the processes that read it alone; for a time nobody has it read again."""

    __tablename__ = "deadly_files"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    found_at: Mapped[datetime] = mapped_column(default=now)


class DeniedFile(OfTenant, Base):
    """What some row of a job's source denies of a file, and of its bytes under another name."""

    __tablename__ = "denied_files"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("ingest_jobs.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)


class Generation(OfTenant, Base):
    """One request for pictures, drawn by one task."""

    __tablename__ = "generations"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    request: Mapped[dict[str, Any]]  # attribution.generation.generator.ImageRequest
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.QUEUED)
    done: Mapped[int] = mapped_column(default=0)  # steps, over all pictures
    steps: Mapped[int] = mapped_column(default=0)  # 0: not known yet
    # Generator, notes, and of every picture its seed, hash and attribution; the answer is read from
    # there, so that what is withdrawn later is gone here too.
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("status", JobStatus),
        Index(None, "tenant", "created_at", "id"),
    )


class DrawnPicture(OfTenant, Base):
    """A picture that was drawn and kept, by what a copy of it without its manifest is found."""

    __tablename__ = "drawn_pictures"

    generation_id: Mapped[UUID] = mapped_column(ForeignKey("generations.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[str] = mapped_column(String(64))  # of the file that was handed out
    pixel_sha256: Mapped[str] = mapped_column(String(64))
    watermark: Mapped[str | None] = mapped_column(String(128))  # the bits hidden in it, 0 and 1
    phash: Mapped[str] = mapped_column(String(16))  # perceptual, hexadecimal
    bits: Mapped[int] = mapped_column(BigInteger)  # these four as in copy_sketches
    third_0: Mapped[int] = mapped_column(BigInteger)
    third_1: Mapped[int] = mapped_column(BigInteger)
    third_2: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (
        Index(None, "sha256", "tenant"),
        Index(None, "pixel_sha256", "tenant"),
        Index(None, "watermark", "tenant"),
        Index(None, "third_0", "tenant", "bits"),
        Index(None, "third_1", "tenant", "bits"),
        Index(None, "third_2", "tenant", "bits"),
    )
