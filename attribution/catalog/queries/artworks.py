"""Statements about works, and about who else claims them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select, tuple_, update
from sqlalchemy.orm import Session, joinedload

from attribution.catalog.columns import now
from attribution.catalog.models import (
    PURPOSES,
    Artwork,
    ArtworkStatus,
    Claim,
    artwork_id,
)
from attribution.catalog.queries.insert import insert_new
from attribution.catalog.queries.pages import Page, check_limit, cut, moment_key
from attribution.errors import NotFound


@dataclass(frozen=True)
class NewArtwork:
    """A work that is about to be added; its id follows from `sha256`."""

    artist_id: UUID
    sha256: str
    pixel_sha256: str
    phash: str  # 16 hexadecimal digits
    title: str | None = None
    tags: Sequence[str] = ()
    year: int | None = None
    licence: str | None = None
    source: str | None = None
    consent: Collection[str] = ("index", "display")
    facts: Mapping[str, Any] = field(default_factory=dict)
    rights: Mapping[str, Any] = field(default_factory=dict)
    thumbnail: str | None = None


@dataclass(frozen=True)
class NewClaim:
    """The same bytes, brought by another artist."""

    artwork_id: UUID
    artist_id: UUID
    path: str
    job_id: UUID | None = None


@dataclass(frozen=True)
class Counts:
    """How much the catalogue holds."""

    artists: int  # with at least one indexed work
    indexed: int
    pending: int
    failed: int
    withdrawn: int
    claims: int


def add_artworks(session: Session, works: Sequence[NewArtwork]) -> dict[str, Artwork]:
    """Add works as pending; returns the row of every hash, old or new, with its artist.

    A row that was there stays as it is. Where its artist is another one than the caller's, the
    caller records a claim.
    """
    ordered = sorted(works, key=lambda work: work.sha256)  # one order of waiting for all processes
    insert_new(session, Artwork, [_row(work) for work in ordered])
    rows = artworks_by_sha256(session, [work.sha256 for work in works])
    return {artwork.sha256: artwork for artwork in rows}


def artwork_by_id(session: Session, artwork_id: UUID) -> Artwork:
    """Return a work with its artist, in any state; raises NotFound."""
    artwork = session.scalar(_with_artist().where(Artwork.id == artwork_id))
    if artwork is None:
        raise NotFound(f"no artwork {artwork_id}; `lawful search` and /v1/artworks show ids")
    return artwork


def artworks_by_id(
    session: Session, ids: Collection[UUID], *, status: ArtworkStatus | None = None
) -> dict[UUID, Artwork]:
    """Return works with their artists, in one state or any, without those that do not exist."""
    wanted = _in_state(_with_artist().where(Artwork.id.in_(ids)), status)
    return {artwork.id: artwork for artwork in session.scalars(wanted)}


def artworks_by_sha256(
    session: Session, hashes: Collection[str], *, status: ArtworkStatus | None = None
) -> list[Artwork]:
    """Return the works with these bytes, with their artists."""
    wanted = _in_state(_with_artist().where(Artwork.sha256.in_(hashes)), status)
    return list(session.scalars(wanted.order_by(Artwork.id)))


def artworks_by_pixel_sha256(
    session: Session, hashes: Collection[str], *, status: ArtworkStatus | None = None
) -> list[Artwork]:
    """Return the works with these pixels, the oldest first, with their artists."""
    wanted = _in_state(_with_artist().where(Artwork.pixel_sha256.in_(hashes)), status)
    return list(session.scalars(wanted.order_by(Artwork.created_at, Artwork.id)))


def list_artworks(
    session: Session,
    *,
    artist_id: UUID | None = None,
    status: ArtworkStatus | None = ArtworkStatus.INDEXED,
    cursor: str | None = None,
    limit: int = 100,
) -> Page[Artwork]:
    """Return a page of works with their artists, the newest first; `status` None means any."""
    wanted = _in_state(_with_artist(), status)
    if artist_id is not None:
        wanted = wanted.where(Artwork.artist_id == artist_id)
    if cursor is not None:
        wanted = wanted.where(tuple_(Artwork.created_at, Artwork.id) < moment_key(cursor))
    wanted = wanted.order_by(Artwork.created_at.desc(), Artwork.id.desc()).limit(check_limit(limit))
    return cut(session.scalars(wanted).all(), limit, lambda row: (row.created_at, row.id))


def mark_indexed(session: Session, ids: Collection[UUID]) -> None:
    """Note that works can be found now; withdrawn ones stay withdrawn."""
    session.execute(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status != ArtworkStatus.WITHDRAWN)
        .values(status=ArtworkStatus.INDEXED, reason=None, indexed_at=now())
    )


def mark_failed(session: Session, ids: Collection[UUID], reason: str) -> None:
    """Note why works that were pending cannot be found."""
    session.execute(
        update(Artwork)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.PENDING)
        .values(status=ArtworkStatus.FAILED, reason=reason)
    )


def record_claims(session: Session, claims: Sequence[NewClaim]) -> None:
    """Note who else brought the same bytes; a claim that is known stays as it was."""
    ordered = sorted(claims, key=lambda claim: (claim.artwork_id, claim.artist_id))
    insert_new(session, Claim, [vars(claim) for claim in ordered])


def claims_for(session: Session, ids: Collection[UUID]) -> dict[UUID, list[Claim]]:
    """Return the claims on these works with their artists, the oldest first."""
    wanted = (
        select(Claim)
        .where(Claim.artwork_id.in_(ids))
        .options(joinedload(Claim.artist))
        .order_by(Claim.created_at, Claim.artist_id)
    )
    claims: dict[UUID, list[Claim]] = defaultdict(list)
    for claim in session.scalars(wanted):
        claims[claim.artwork_id].append(claim)
    return dict(claims)


def counts(session: Session) -> Counts:
    """Count artists, works by state, and claims."""
    # By artist and state, in the order of an index: one pass over it, nothing to sort.
    sizes = session.execute(
        select(Artwork.artist_id, Artwork.status, func.count()).group_by(
            Artwork.artist_id, Artwork.status
        )
    ).all()
    works = Counter[ArtworkStatus]()
    for _, status, size in sizes:
        works[status] += size
    return Counts(
        artists=sum(status is ArtworkStatus.INDEXED for _, status, _ in sizes),
        indexed=works[ArtworkStatus.INDEXED],
        pending=works[ArtworkStatus.PENDING],
        failed=works[ArtworkStatus.FAILED],
        withdrawn=works[ArtworkStatus.WITHDRAWN],
        claims=session.scalar(select(func.count()).select_from(Claim)) or 0,
    )


def _with_artist() -> Select[Artwork]:
    return select(Artwork).options(joinedload(Artwork.artist, innerjoin=True))


def _in_state(wanted: Select[Artwork], status: ArtworkStatus | None) -> Select[Artwork]:
    return wanted if status is None else wanted.where(Artwork.status == status)


def _row(work: NewArtwork) -> dict[str, Any]:
    row = vars(work) | {"id": artwork_id(work.sha256), "tags": list(work.tags)}
    granted = row.pop("consent")
    return row | {f"consent_{purpose}": purpose in granted for purpose in PURPOSES}
