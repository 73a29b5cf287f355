"""Artists, works, and what is derived from works.

An artwork is its bytes: its id derives from their hash, so the same file is the same row wherever
it comes from. When a second artist brings the same bytes, that is a `Claim`, never a second row.
Tenants know nothing of each other, so the same bytes are a work of each.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    String,
    UniqueConstraint,
    false,
    text,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from attribution import tenants
from attribution.catalogue.columns import SLUG, CleanJson, now
from attribution.catalogue.licences import identify
from attribution.catalogue.models.base import Base, OfTenant, OfTenantByKey, one_of
from attribution.catalogue.nobody import nobody_of
from attribution.consents import ConsentPurpose
from attribution.encoders.encoder import voting

ARTWORKS = uuid5(NAMESPACE_URL, "https://lawful-diffusion.org/artworks")
"""Namespace of artwork ids. Changing it would orphan every stored vector."""

PURPOSES = tuple(purpose.value for purpose in ConsentPurpose)


def artwork_id(sha256: str) -> UUID:
    """Return the tenant's id of the artwork with these bytes; also its point in the index."""
    tenant = tenants.current()
    return uuid5(ARTWORKS, sha256 if tenant == tenants.DEFAULT else f"{tenant}/{sha256}")


class ArtworkStatus(StrEnum):
    """Where a work stands; only `INDEXED` ones are found."""

    PENDING = "pending"
    INDEXED = "indexed"
    BLANK = "blank"  # registered, and shows nothing: never found
    FAILED = "failed"
    WITHDRAWN = "withdrawn"


class Artist(OfTenant, Base):
    """A name that works are attributed to; one row, `nobody.nobody()`, stands for nobody."""

    __tablename__ = "artists"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(SLUG)
    name: Mapped[str]
    folded: Mapped[str]  # names.fold(name)
    turned: Mapped[str]  # names.turned(name): neighbours by the end
    # Indexed works, counted along in the transactions that change them: a lookup among millions
    # cannot count them anew.
    works: Mapped[int] = mapped_column(default=0)
    withdrawn_at: Mapped[datetime | None]  # no work of theirs is taken in since
    created_at: Mapped[datetime] = mapped_column(default=now)

    aliases: Mapped[list[Alias]] = relationship(lazy="raise", order_by="Alias.name")

    __table_args__ = (
        UniqueConstraint("tenant", "slug"),
        UniqueConstraint("tenant", "name"),
        Index(None, "folded", "tenant"),
        Index(None, "tenant", "turned"),
    )

    @property
    def is_nobody(self) -> bool:
        """Whether this is no artist: works by nobody in particular, which are never ranked."""
        return self.id == nobody_of(self.tenant)


class Tally(OfTenant, Base):
    """Artists with works, and works, that can be found: all rows of a tenant together say how many.

    Each change adds a row, so that no writer waits for another; `lifecycle` folds them.
    """

    __tablename__ = "tallies"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    artists: Mapped[int]  # without nobody
    works: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index(None, "tenant"),)


class Alias(OfTenantByKey, Base):
    """Another name of an artist, confirmed by a person or of equal fold: a change says which."""

    __tablename__ = "aliases"

    name: Mapped[str] = mapped_column(primary_key=True)
    folded: Mapped[str] = mapped_column(index=True)  # names.fold(name)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), index=True)


class Artwork(OfTenant, Base):
    """One work, by the bytes of its file."""

    __tablename__ = "artworks"

    id: Mapped[UUID] = mapped_column(primary_key=True)  # artwork_id(sha256)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"))
    sha256: Mapped[str] = mapped_column(String(64))  # of the file
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
    # What may be done with it now: `queries.consents` derives it from the statements.
    consent_index: Mapped[bool] = mapped_column(default=True)
    consent_display: Mapped[bool] = mapped_column(default=True)
    consent_evidence: Mapped[bool] = mapped_column(default=True, server_default=true())
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
        one_of("status", ArtworkStatus),
        UniqueConstraint("tenant", "sha256"),
        Index(None, "tenant", "created_at", "id"),  # pages
        # Pages of one artist, and sizes of portfolios. The state comes second: where it came first,
        # SQLite would take this index for every statement that asks for indexed works.
        Index(None, "artist_id", "status", "created_at", "id", "tenant"),
        Index(None, "licence_id", "tenant", "created_at", "id"),  # pages of one licence
        # The few works that are not indexed: counted often, among millions that are.
        Index(
            "ix_artworks_unindexed",
            "tenant",
            "status",
            postgresql_where=text("status <> 'indexed'"),
            sqlite_where=text("status <> 'indexed'"),
        ),
    )

    @property
    def is_unseen(self) -> bool:
        """Whether it came with vectors alone: nobody here has seen its picture."""
        return not self.phash

    @property
    def consent(self) -> tuple[str, ...]:
        """The purposes that are granted."""
        return tuple(purpose for purpose in PURPOSES if getattr(self, f"consent_{purpose}"))

    @property
    def consent_of_point(self) -> tuple[str, ...]:
        """What the index holds of it: nothing is searched by evidence."""
        return tuple(purpose for purpose in self.consent if purpose != ConsentPurpose.EVIDENCE)

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


class Claim(OfTenant, Base):
    """Another artist's claim to a work that was already there."""

    __tablename__ = "claims"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), primary_key=True, index=True)
    path: Mapped[str]  # where the same bytes came from
    job_id: Mapped[UUID | None] = mapped_column(ForeignKey("ingest_jobs.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)

    artist: Mapped[Artist] = relationship(lazy="raise")


class Embedding(OfTenant, Base):
    """The vectors of one work, from which its point in the index can be made again exactly."""

    __tablename__ = "embeddings"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    vectors: Mapped[bytes]  # `halves.packed`, one after the other by name


class ClassifierArtist(OfTenant, Base):
    """What the classifier knows of one artist: the sum of the works' vectors, in fixed point."""

    __tablename__ = "classifier_artists"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    artist_id: Mapped[UUID] = mapped_column(ForeignKey("artists.id"), primary_key=True)
    works: Mapped[int]
    sums: Mapped[bytes]  # int64, little endian


class ClassifierShard(OfTenantByKey, Base):
    """Σ x xᵀ over all works but those of the additions, in fixed point.

    One row; what was counted before there were additions may lie in several that add up.
    """

    __tablename__ = "classifier_shards"

    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stamp: Mapped[UUID]  # another one after every change
    gram: Mapped[bytes]  # int64, little endian, the upper triangle row by row; empty: zeros


class ClassifierAddition(OfTenant, Base):
    """Works that Σ x xᵀ does not count yet: a write leaves them here, one of many folds them in."""

    __tablename__ = "classifier_additions"
    __table_args__ = (Index(None, "fingerprint", "tenant"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    fingerprint: Mapped[str] = mapped_column(String(64))  # of the encoders
    works: Mapped[int]
    vectors: Mapped[bytes]  # in fixed point: int32, little endian, a work a row


class CopySketch(OfTenant, Base):
    """What copies of one work, or of a part of it, are recognised by: it is never shown."""

    __tablename__ = "copy_sketches"
    __table_args__ = (
        Index(None, "tenant", "third_0", "bits", "artwork_id", "part"),
        Index(None, "tenant", "third_1", "bits"),
        Index(None, "tenant", "third_2", "bits"),
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


class PartVectors(OfTenant, Base):
    """The vectors of the parts of one work, from which their points can be made again exactly."""

    __tablename__ = "part_vectors"

    artwork_id: Mapped[UUID] = mapped_column(ForeignKey("artworks.id"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64), primary_key=True)  # of the encoders
    parts: Mapped[int]  # how many, numbered from 1 as in copy_sketches
    vectors: Mapped[bytes]  # `halves.packed`, one part after the other


class KeptCalibration(OfTenantByKey, Base):
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
    # `attribution.arithmetic.reliability.Reliability`, or nothing: made before it was recorded.
    reliability: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    seconds: Mapped[float | None]  # that it took; None: made before that was noted


class CatalogueMap(OfTenant, Base):
    """A map of the works that can be found: alike ones near each other, by the vectors of a space.

    The last one that is made is shown; another one is laid out next to it.
    """

    __tablename__ = "maps"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    fingerprint: Mapped[str] = mapped_column(String(64))  # of the encoders
    space: Mapped[str]
    works: Mapped[int] = mapped_column(default=0)  # that it was laid out for
    made_at: Mapped[datetime | None]  # none: it is being laid out


class MapPlace(OfTenant, Base):
    """Where a work lies on a map."""

    __tablename__ = "map_places"
    __table_args__ = (Index(None, "map_id", "tile", "artwork_id", "tenant"),)

    map_id: Mapped[UUID] = mapped_column(ForeignKey("maps.id"), primary_key=True)
    artwork_id: Mapped[UUID] = mapped_column(
        ForeignKey("artworks.id"), primary_key=True, index=True
    )
    x: Mapped[float]  # in parts of the map's sides, from the left
    y: Mapped[float]  # and from the top
    tile: Mapped[int]  # `arithmetic.layout.deal`


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
    # Whether its points say whose they are; not yet, where it was made before there were tenants.
    says_tenants: Mapped[bool] = mapped_column(default=True, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def voting(self) -> dict[str, int]:
        """The vectors that vote, and their widths."""
        return {name: self.dims[name] for name in voting(self.lanes)}
