"""The tables. Statements are in `queries`, the history of these tables in `migrations`.

An artwork is its bytes: its id derives from their hash, so the same file is the same row wherever
it comes from. When a second artist brings the same bytes, that is a `Claim`, never a second row.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    MetaData,
    String,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates

from attribution.actors import ROLES, Role, Scope
from attribution.catalogue.columns import SLUG, CleanJson, CleanText, UtcDateTime, now
from attribution.catalogue.licences import identify
from attribution.catalogue.nobody import NOBODY
from attribution.encoders.encoder import voting

ARTWORKS = uuid5(NAMESPACE_URL, "https://lawful-diffusion.org/artworks")
"""Namespace of artwork ids. Changing it would orphan every stored vector."""

PURPOSES = ("index", "display", "train", "generate")


def artwork_id(sha256: str) -> UUID:
    """Return the id of the artwork with these bytes; also its point in the vector index."""
    return uuid5(ARTWORKS, sha256)


class ArtworkStatus(StrEnum):
    """Where a work stands; only `INDEXED` ones are found."""

    PENDING = "pending"
    INDEXED = "indexed"
    BLANK = "blank"  # registered, and shows nothing: never found
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class JobStatus(StrEnum):
    """Where a job stands; `FAILED` and `CANCELLED` ones can be run again."""

    LISTING = "listing"  # its files are being listed: nothing of it has begun
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class TaskKind(StrEnum):
    """What a worker does with a task; each kind has a queue of its own."""

    LIST = "list"  # list the files of an upload
    INGEST = "ingest"  # take in some files of a job
    DRAW = "draw"  # draw the pictures of a request
    LOOKUP = "lookup"  # list the images of a lookup batch (number 0), or ask about some of them


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


class LookupKind(StrEnum):
    """Where the images of a lookup batch come from."""

    ARCHIVE = "archive"  # members of an upload
    URLS = "urls"  # a table of them
    WORKS = "works"  # registered works, by id


class LookupOutcome(StrEnum):
    """What became of one image of a lookup batch."""

    PENDING = "pending"
    ANSWERED = "answered"
    REFUSED = "refused"


class NameRule(StrEnum):
    """Whose works are that come under a spelling which no artist has, and a name that folds alike.

    Likeness never decides: only `names.fold` and `names.tells_apart` do.
    """

    ASK = "ask"  # a person says so; without one they are refused
    JOIN = "join"  # that artist's, and the spelling becomes an alias
    NEW = "new"  # every spelling is an artist of its own


class ChangeKind(StrEnum):
    """What was corrected."""

    CORRECT = "correct"  # what is said of a work
    MOVE = "move"  # whose a work is
    SPLIT = "split"  # some works of an artist to another
    MERGE = "merge"  # an artist into another
    RENAME = "rename"
    ALIAS = "alias"
    UNDO = "undo"  # an earlier change, which may be an undo itself
    DECLARE = "declare"  # that an image is no copy of a work
    REVOKE = "revoke"  # such a declaration


class NonCopyState(StrEnum):
    """Whether a declared non-copy silences anything; only `IN_FORCE` ones do."""

    IN_FORCE = "in_force"
    OVER = "over"  # its end has come
    REVOKED = "revoked"


class KeyState(StrEnum):
    """Whether a key opens anything; only `ACTIVE` ones do."""

    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


class Base(DeclarativeBase):
    """Every constraint has a predictable name, so that migrations can drop it on any database."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - how declarative mapping is configured
        datetime: UtcDateTime,
        str: CleanText,
        dict[str, Any]: CleanJson,
        dict[str, str]: CleanJson,
        dict[str, int]: CleanJson,
        list[str]: CleanJson,
        StrEnum: Enum(StrEnum, native_enum=False, length=16, values_callable=list),
    }


class Sealed:
    """What an entry of the audit vouches for: an answer, a change, a receipt."""

    id: Mapped[UUID]
    # `commitments.Seal`
    seal: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    # The entry; none: made before the audit.
    sealed: Mapped[int | None] = mapped_column(BigInteger, index=True)


def _one_of(column: str, kind: type[StrEnum]) -> CheckConstraint:
    values = ", ".join(f"'{value}'" for value in kind)
    return CheckConstraint(f"{column} IN ({values})", name=column)


class Artist(Base):
    """A name that works are attributed to; one row, `nobody.NOBODY`, stands for nobody."""

    __tablename__ = "artists"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(SLUG, unique=True)
    name: Mapped[str] = mapped_column(unique=True)
    folded: Mapped[str] = mapped_column(index=True)  # names.fold(name)
    turned: Mapped[str] = mapped_column(index=True)  # names.turned(name): neighbours by the end
    # Indexed works, counted along in the transactions that change them: a lookup among millions
    # cannot count them anew.
    works: Mapped[int] = mapped_column(default=0)
    withdrawn_at: Mapped[datetime | None]  # no work of theirs is taken in since
    created_at: Mapped[datetime] = mapped_column(default=now)

    aliases: Mapped[list[Alias]] = relationship(lazy="raise", order_by="Alias.name")

    @property
    def is_nobody(self) -> bool:
        """Whether this is no artist: works by nobody in particular, which are never ranked."""
        return self.id == NOBODY


class Alias(Base):
    """Another name of an artist, confirmed by a person or of equal fold: a change says which."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(primary_key=True)
    folded: Mapped[str] = mapped_column(index=True)  # names.fold(name)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), index=True)


class Artwork(Base):
    """One work, by the bytes of its file."""

    __tablename__ = "artworks"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # artwork_id(sha256)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"))
    sha256: Mapped[str] = mapped_column(String(64), unique=True)  # of the file
    pixel_sha256: Mapped[str] = mapped_column(String(64), index=True)  # of the decoded pixels
    phash: Mapped[str] = mapped_column(String(16), index=True)  # perceptual, hexadecimal
    title: Mapped[str | None]
    caption: Mapped[str | None]  # what is to be seen, in a sentence
    tags: Mapped[list[str]] = mapped_column(default=list)
    year: Mapped[int | None]
    dated: Mapped[str | None]  # the source's own words where they are more than a year
    licence: Mapped[str | None]  # as it was written
    licence_id: Mapped[str | None] = mapped_column(String(64))  # licences.identify(licence)
    source: Mapped[str | None]
    consent_index: Mapped[bool] = mapped_column(default=True)
    consent_display: Mapped[bool] = mapped_column(default=True)
    consent_train: Mapped[bool] = mapped_column(default=False)
    consent_generate: Mapped[bool] = mapped_column(default=False)
    status: Mapped[ArtworkStatus] = mapped_column(default=ArtworkStatus.PENDING)
    reason: Mapped[str | None]  # why it failed or was withdrawn
    facts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # format, sides, bytes, notes
    rights: Mapped[dict[str, Any]] = mapped_column(default=dict)  # found in the file's metadata
    thumbnail: Mapped[str | None]  # key in the thumbnail store
    created_at: Mapped[datetime] = mapped_column(default=now)
    indexed_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]

    artist: Mapped[Artist] = relationship(lazy="raise")

    __table_args__ = (
        _one_of("status", ArtworkStatus),
        Index(None, "created_at", "id"),  # pages
        # Pages of one artist, and sizes of portfolios. The state comes second: where it came first,
        # SQLite would take this index for every statement that asks for indexed works.
        Index(None, "artist_id", "status", "created_at", "id"),
        Index(None, "licence_id", "created_at", "id"),  # pages of one licence
        # The few works that are not indexed: counted often, among millions that are.
        Index(
            "ix_artworks_unindexed",
            "status",
            postgresql_where=text("status <> 'indexed'"),
            sqlite_where=text("status <> 'indexed'"),
        ),
    )

    @property
    def consent(self) -> tuple[str, ...]:
        """The purposes that are granted."""
        return tuple(purpose for purpose in PURPOSES if getattr(self, f"consent_{purpose}"))

    @property
    def licence_key(self) -> str | None:
        """What filters compare: the identifier of the licence, or its text where it has none."""
        return self.licence_id or self.licence

    @validates("licence")
    def _identify(self, column: str, licence: str | None) -> str | None:
        """Keep the identifier in step with the text, whoever corrects it."""
        del column
        self.licence_id = identify(licence)
        return licence


class Embedding(Base):
    """The vectors of one work, from which its point in the index can be made again exactly."""

    __tablename__ = "embeddings"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    vectors: Mapped[bytes]  # float32, little endian, one after the other by name


class ClassifierArtist(Base):
    """What the classifier knows of one artist: the sum of the works' vectors, in fixed point."""

    __tablename__ = "classifier_artists"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), primary_key=True)
    works: Mapped[int]
    sums: Mapped[bytes]  # int64, little endian


class ClassifierShard(Base):
    """A part of Σ x xᵀ over all works, in fixed point; all parts together are the whole."""

    __tablename__ = "classifier_shards"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stamp: Mapped[UUID]  # another one after every change
    gram: Mapped[bytes]  # int64, little endian, the upper triangle row by row; empty: zeros


class CopySketch(Base):
    """What copies of one work, or of a part of it, are recognised by: it is never shown."""

    __tablename__ = "copy_sketches"
    __table_args__ = (
        Index(None, "third_0", "bits", "artwork_id", "part"),
        Index(None, "third_1", "bits"),
        Index(None, "third_2", "bits"),
    )

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    part: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # 0: the whole
    box: Mapped[list[float]] = mapped_column(CleanJson)  # where the part lies: types.Box
    phash: Mapped[str] = mapped_column(String(16))  # perceptual, hexadecimal
    bits: Mapped[int] = mapped_column(BigInteger)  # phash as a signed number
    third_0: Mapped[int] = mapped_column(BigInteger)  # every third bit of it, the others zero
    third_1: Mapped[int] = mapped_column(BigInteger)
    third_2: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[bytes]  # copies.sketch.Sketch


class PartVectors(Base):
    """The vectors of the parts of one work, from which their points can be made again exactly."""

    __tablename__ = "part_vectors"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    parts: Mapped[int]  # how many, numbered from 1 as in copy_sketches
    vectors: Mapped[bytes]  # float32, little endian, one part after the other


class NonCopy(Base):
    """An image that a person has declared not to be a copy of a work.

    Who, when and why stands in the record of changes, where a revoking stands as well.
    """

    __tablename__ = "non_copies"

    id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), index=True)
    image_sha256: Mapped[str] = mapped_column(String(64))
    image_phash: Mapped[str] = mapped_column(String(16))
    until: Mapped[datetime | None]  # none: it has no end

    declared: Mapped[Change] = relationship(lazy="raise")
    artwork: Mapped[Artwork] = relationship(lazy="raise")

    @property
    def revoked(self) -> Change | None:
        """The change that has revoked it."""
        return self.declared.undone_by

    @property
    def state(self) -> NonCopyState:
        """Where it stands now."""
        if self.revoked:
            return NonCopyState.REVOKED
        is_over = self.until is not None and self.until <= now()
        return NonCopyState.OVER if is_over else NonCopyState.IN_FORCE


class KeptCalibration(Base):
    """What the votes of some encoders were found to mean, and on what: the last calibration.

    Without numbers where too little was registered to say anything.
    """

    __tablename__ = "calibrations"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    made_at: Mapped[datetime]
    stamp: Mapped[str] = mapped_column(String(64))  # of the classifier's statistics then
    works: Mapped[int]  # that could be found then,
    artists: Mapped[int]
    asked: Mapped[int]  # works asked for
    voices: Mapped[list[str]]
    numbers: Mapped[dict[str, Any]]  # `attribution.arithmetic.calibration.Calibration`, or nothing


class IngestJob(Base):
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

    __table_args__ = (
        _one_of("status", JobStatus),
        _one_of("names", NameRule),
        Index(None, "created_at", "id"),
    )


class Task(Base):
    """What one worker does at a time: list an upload, take in a batch of files, draw a request.

    Whoever runs a task holds its lease and renews it; a lease that ran out may be taken over.
    """

    __tablename__ = "tasks"

    # An ingest job, a generation or a lookup batch.
    subject: Mapped[UUID] = mapped_column(primary_key=True)
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
    error: Mapped[str | None]

    __table_args__ = (
        _one_of("kind", TaskKind),
        _one_of("status", TaskStatus),
        Index(None, "status", "lease_until"),
    )


class IngestItem(Base):
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
        _one_of("outcome", Outcome),
        Index(None, "job_id", "outcome", "position"),  # what is left, and counts
        Index(None, "artwork_id"),  # a withdrawal wipes what the source said of the work
    )


class DeadlyFile(Base):
    """A file that ended the process that read it, twice; for a time it is refused unread."""

    __tablename__ = "deadly_files"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    found_at: Mapped[datetime] = mapped_column(default=now)


class DeniedFile(Base):
    """What some row of a job's source denies of a file, and of its bytes under another name."""

    __tablename__ = "denied_files"

    job_id: Mapped[UUID] = mapped_column(ForeignKey("ingest_jobs.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)


class Generation(Base):
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
        _one_of("status", JobStatus),
        Index(None, "created_at", "id"),
    )


class LookupBatch(Base):
    """Many images to be looked up by workers, in tasks of a few each."""

    __tablename__ = "lookup_batches"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[LookupKind]
    name: Mapped[str]  # of the file that was sent
    status: Mapped[JobStatus] = mapped_column(default=JobStatus.LISTING)
    error: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        _one_of("kind", LookupKind),
        _one_of("status", JobStatus),
        Index(None, "created_at", "id"),
    )


class LookupItem(Base):
    """One image of a lookup batch.

    Names are the sender's. Of the catalogue nothing but ids stands here, so a withdrawal has
    nothing to wipe: what is said of works is in the answer alone.
    """

    __tablename__ = "lookup_items"

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("lookup_batches.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # a path in the archive, a URL, the id of a work
    sha256: Mapped[str | None] = mapped_column(String(64))  # set when the bytes wait in the store
    outcome: Mapped[LookupOutcome] = mapped_column(default=LookupOutcome.PENDING)
    reason: Mapped[str | None]
    attribution_id: Mapped[UUID | None] = mapped_column(ForeignKey("attributions.id"))
    fetched: Mapped[dict[str, Any]] = mapped_column(default=dict)  # what the server of a URL said

    __table_args__ = (
        _one_of("outcome", LookupOutcome),
        Index(None, "batch_id", "outcome", "position"),  # what is left, and counts
    )


class Claim(Base):
    """Another artist's claim to a work that was already there."""

    __tablename__ = "claims"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), primary_key=True, index=True)
    path: Mapped[str]  # where the same bytes came from
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("ingest_jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    artist: Mapped[Artist] = relationship(lazy="raise")


class RecordedAttribution(Sealed, Base):
    """An answer as it was given."""

    __tablename__ = "attributions"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    image_sha256: Mapped[str] = mapped_column(String(64), index=True)
    verdict: Mapped[str] = mapped_column(String(32))
    fingerprint: Mapped[str]  # of the encoders
    answer: Mapped[dict[str, Any]]

    __table_args__ = (Index(None, "created_at", "id"),)


class CitedWork(Base):
    """Which answers name a work, so that a withdrawal finds them."""

    __tablename__ = "cited_works"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    attribution_id: Mapped[UUID] = mapped_column(ForeignKey("attributions.id"), primary_key=True)


class Withdrawal(Sealed, Base):
    """A request to forget, and the receipt of what was removed from where."""

    __tablename__ = "withdrawals"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[str] = mapped_column(String(16))  # "artist" or "artwork"
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"))
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"))
    reason: Mapped[str]
    requested_at: Mapped[datetime] = mapped_column(default=now)
    completed_at: Mapped[datetime | None]  # none: something is still to be removed
    receipt: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index(None, "requested_at", "id"),)


class Change(Sealed, Base):
    """A correction as it was made: when, through which door, of what, from what to what.

    What it took from one artist to another stands in rows of its own, so that it can be undone:
    works in `change_works`, claims in `change_claims`, receipts and earlier changes in
    `change_rows`.
    """

    __tablename__ = "changes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    kind: Mapped[ChangeKind]
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), index=True)  # since then
    # Whose the works were before. No foreign key: an artist that is merged away has no row.
    from_artist_id: Mapped[UUID | None] = mapped_column(index=True)
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"), index=True)
    works: Mapped[int] = mapped_column(default=0)  # that were corrected, or came to the artist
    origin: Mapped[str]  # the name of an actor, or the ingest job
    by: Mapped[str | None]  # who, as they call themselves; asked for by declarations
    reason: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(default=now)
    completed_at: Mapped[datetime | None]  # none: the index does not follow yet
    before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    after: Mapped[dict[str, Any]] = mapped_column(default=dict)
    merged_slug: Mapped[str | None] = mapped_column(SLUG, unique=True)  # leads to the artist now
    undoes_id: Mapped[UUID | None] = mapped_column(ForeignKey("changes.id"), unique=True)

    artist: Mapped[Artist] = relationship(lazy="raise")
    undone_by: Mapped[Change | None] = relationship(
        lazy="raise", viewonly=True, remote_side=[undoes_id], uselist=False
    )

    __table_args__ = (
        _one_of("kind", ChangeKind),
        Index(None, "made_at", "id"),
        Index(
            "ix_changes_unfinished",
            "made_at",
            postgresql_where=text("completed_at IS NULL"),
            sqlite_where=text("completed_at IS NULL"),
        ),
    )


class ChangeWork(Base):
    """A work that a change gave to another artist."""

    __tablename__ = "change_works"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("artworks.id"), primary_key=True, index=True
    )


class ChangeClaim(Base):
    """A claim as it was before a change settled it, or passed it on to the artist who remains."""

    __tablename__ = "change_claims"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("artworks.id"), primary_key=True, index=True
    )
    artist_id: Mapped[UUID] = mapped_column(primary_key=True)  # perhaps merged away since
    passed_on: Mapped[bool]
    path: Mapped[str]
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("ingest_jobs.id"))
    created_at: Mapped[datetime]


class ChangeRow(Base):
    """A receipt of a withdrawal, or an earlier change, that a merge passed on."""

    __tablename__ = "change_rows"

    change_id: Mapped[UUID] = mapped_column(ForeignKey("changes.id"), primary_key=True)
    row_id: Mapped[UUID] = mapped_column(primary_key=True)  # in `withdrawals` or `changes`


class KeptCollection(Base):
    """Which encoders made the vectors of a collection. One is live: it is the one searched."""

    __tablename__ = "collections"

    name: Mapped[str] = mapped_column(primary_key=True)  # as the index calls it
    live: Mapped[bool] = mapped_column(default=True)
    profile: Mapped[str]
    fingerprint: Mapped[str]
    dims: Mapped[dict[str, int]]  # vector -> width
    lanes: Mapped[dict[str, str]]  # vector -> what it is for, a `Lane`
    # How often the classifier's statistics were made or mended; 0: they never were complete.
    statistics: Mapped[int] = mapped_column(default=1)  # of no work yet they are
    # The work up to which `reconcile` has compared stored vectors with the kept ones; none: begin.
    compared_to: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def voting(self) -> dict[str, int]:
        """The vectors that vote, and their widths."""
        return {name: self.dims[name] for name in voting(self.lanes)}


class Reply(Base):
    """What was answered to a request with an idempotency key, for when it is sent again."""

    __tablename__ = "replies"

    actor: Mapped[str] = mapped_column(String(200), primary_key=True)
    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    route: Mapped[str]  # method, path and query
    begun_at: Mapped[datetime] = mapped_column(default=now, index=True)
    body_sha256: Mapped[str | None] = mapped_column(String(64))  # of the request; none: under way
    status: Mapped[int] = mapped_column(default=0)
    headers: Mapped[dict[str, str]] = mapped_column(default=dict)
    body: Mapped[bytes] = mapped_column(default=b"")


class ApiKey(Base):
    """A key to the HTTP API, known by the hash of its token. A row is never deleted."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    name: Mapped[str]  # what it is for
    prefix: Mapped[str] = mapped_column(String(11), unique=True)  # of the token; no secret
    sha256: Mapped[str] = mapped_column(String(64))  # of the whole token
    role: Mapped[Role | None]
    scopes: Mapped[list[str]]  # on top of those of its role
    artists: Mapped[list[str]]  # slugs of those whose works it may bring; empty: all
    created_at: Mapped[datetime] = mapped_column(default=now)
    issued_by: Mapped[str]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]  # to the minute
    revoked_at: Mapped[datetime | None]

    __table_args__ = (_one_of("role", Role),)

    @property
    def granted(self) -> frozenset[Scope]:
        """Everything that it may do."""
        of_role = ROLES[self.role] if self.role else frozenset()
        return of_role | {Scope(one) for one in self.scopes}

    @property
    def state(self) -> KeyState:
        """Where it stands now."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        is_over = self.expires_at is not None and self.expires_at <= now()
        return KeyState.EXPIRED if is_over else KeyState.ACTIVE


class AuditEntry(Base):
    """Who did what, and when. Entries are only ever added; each one's digest goes on from the last.

    What may have to be forgotten is committed to by salt: see `commitments`.
    """

    __tablename__ = "audit_entries"

    sequence: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str | None]  # none: forgotten
    action: Mapped[str] = mapped_column(String(32), index=True)
    object: Mapped[str | None] = mapped_column(String(64), index=True)  # "attribution:UUID"
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    seal: Mapped[dict[str, Any]] = mapped_column(default=dict)  # `commitments.Seal`
    digest: Mapped[str] = mapped_column(String(64))  # of the chain up to here


class AuditHead(Base):
    """How far the chain goes. Whoever adds to it holds this row until the transaction ends."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sequence: Mapped[int] = mapped_column(BigInteger, default=0)
    digest: Mapped[str] = mapped_column(String(64))
    # The entry up to which `reconcile` has verified; 0: it begins again.
    checked: Mapped[int] = mapped_column(BigInteger, default=0)
