"""Statements about works, and about who else claims them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session, joinedload

from attribution.catalogue.insert import insert_new
from attribution.catalogue.licences import identify
from attribution.catalogue.lifecycle import count_held
from attribution.catalogue.models import (
    PURPOSES,
    Artist,
    Artwork,
    ArtworkStatus,
    Claim,
    Tally,
    artwork_id,
)
from attribution.catalogue.nobody import nobody
from attribution.consents import GRANTED_BY_DEFAULT, ConsentPurpose
from attribution.errors import Conflict, Hint, NotFound, Way

SAID_BY_POINTS: Sequence[InstrumentedAttribute[Any]] = (
    Artwork.artist_id,
    Artwork.title,
    Artwork.caption,
    Artwork.tags,
    Artwork.licence,
    Artwork.licence_id,
    Artwork.year,
    *(getattr(Artwork, f"consent_{one}") for one in PURPOSES if one != ConsentPurpose.EVIDENCE),
    Artwork.tenant,
)


@dataclass(frozen=True)
class NewArtwork:
    """A work that is about to be added; its id follows from `sha256`."""

    artist_id: UUID
    sha256: str
    pixel_sha256: str
    phash: str  # 16 hexadecimal digits
    title: str | None = None
    caption: str | None = None
    tags: Sequence[str] = ()
    year: int | None = None
    dated: str | None = None
    licence: str | None = None
    source: str | None = None
    consent: Collection[str] = GRANTED_BY_DEFAULT
    facts: Mapping[str, Any] = field(default_factory=dict)
    rights: Mapping[str, Any] = field(default_factory=dict)
    thumbnail: str | None = None

    @property
    def size(self) -> int:
        """Bytes of its file."""
        return int(self.facts.get("bytes", 0))


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
    nobodys: int  # of these by nobody in particular
    blank: int
    pending: int
    failed: int
    withdrawn: int


def add_artworks(session: Session, works: Sequence[NewArtwork]) -> dict[str, Artwork]:
    """Add works as pending; returns the row of every hash, old or new, with its artist.

    A row that was there stays as it is. Where its artist is another one than the caller's, the
    caller records a claim.
    """
    ordered = sorted(works, key=lambda work: work.sha256)  # one order of waiting for all processes
    rows = [artwork_row(work) for work in ordered]
    sizes = {work.sha256: work.size for work in ordered}
    new = insert_new(session, Artwork, rows, returning=Artwork.sha256)
    count_held(session, works=len(new), size=sum(sizes[sha256] for sha256 in new))
    found = artworks_by_sha256(session, [work.sha256 for work in works])
    return {artwork.sha256: artwork for artwork in found}


def artwork_by_id(session: Session, artwork_id: UUID) -> Artwork:
    """Return a work with its artist, in any state; raises NotFound."""
    artwork = session.scalar(_with_artist().where(Artwork.id == artwork_id))
    if artwork is None:
        raise NotFound(f"no artwork {artwork_id}", hint=Hint(Way.LIST_WORKS))
    return artwork


def artworks_by_id(
    session: Session, ids: Collection[UUID], *, status: ArtworkStatus | None = None
) -> dict[UUID, Artwork]:
    """Return works with their artists, in one state or any, without those that do not exist."""
    wanted = _in_state(_with_artist().where(Artwork.id.in_(ids)), status)
    return {artwork.id: artwork for artwork in session.scalars(wanted)}


def states_of(session: Session, ids: Collection[UUID]) -> dict[UUID, ArtworkStatus]:
    """Return in what state works are, without those that do not exist."""
    wanted = select(Artwork.id, Artwork.status).where(Artwork.id.in_(ids))
    return dict(session.execute(wanted).all())


def said_by_points(session: Session, ids: Collection[UUID]) -> dict[UUID, Sequence[Any]]:
    """Return what the points of those of these works should say that can be found.

    As `said_by_point` has it of a row, without making rows.
    """
    wanted = (
        select(Artwork.id, Artist.name, *SAID_BY_POINTS)
        .join(Artist, Artist.id == Artwork.artist_id)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED)
    )
    return {work: said for work, *said in session.execute(wanted)}


def said_by_point(row: Artwork) -> Sequence[Any]:
    """Return everything of a row that its point says, in the order of `said_by_points`."""
    return [row.artist.name, *(getattr(row, column.key) for column in SAID_BY_POINTS)]


def hands_of(session: Session, ids: Collection[UUID]) -> dict[UUID, tuple[UUID, int]]:
    """Return whose those of these works are that can be found, and how many works that one has."""
    wanted = (
        select(Artwork.id, Artist.id, Artist.works)
        .join(Artist, Artist.id == Artwork.artist_id)
        .where(Artwork.id.in_(ids), Artwork.status == ArtworkStatus.INDEXED)
    )
    return {work: (artist, works) for work, artist, works in session.execute(wanted)}


def artworks_by_sha256(
    session: Session, hashes: Collection[str], *, status: ArtworkStatus | None = None
) -> list[Artwork]:
    """Return the tenant's works with these bytes, with their artists, in the order of their ids.

    Asked for many hashes, SQLite would read through all works: it is asked for what follows from
    them, the ids.
    """
    found = artworks_by_id(session, [artwork_id(sha256) for sha256 in hashes], status=status)
    return [found[work] for work in sorted(found)]


def check_not_withdrawn(session: Session, sha256: str) -> None:
    """Raise Conflict where the work with these bytes was withdrawn."""
    if (moment := withdrawn_at(session, sha256)) is not None:
        raise Conflict(
            f"this file was registered, and withdrawn on {moment:%Y-%m-%d}",
            hint=Hint(Way.REINSTATE),
        )


def withdrawn_at(session: Session, sha256: str) -> datetime | None:
    """Return when the work with these bytes was withdrawn; None where none was."""
    return session.scalar(
        select(Artwork.withdrawn_at).where(
            Artwork.sha256 == sha256, Artwork.status == ArtworkStatus.WITHDRAWN
        )
    )


def same_image(session: Session, sha256: str, pixel_sha256: str) -> Artwork | None:
    """Return the work to be found with these bytes, or else the oldest with these pixels."""
    of_bytes = select(Artwork.id).where(Artwork.sha256 == sha256)
    same = of_bytes.union_all(select(Artwork.id).where(Artwork.pixel_sha256 == pixel_sha256))
    wanted = _in_state(select(Artwork).where(Artwork.id.in_(same)), ArtworkStatus.INDEXED)
    first = (Artwork.sha256 != sha256, Artwork.created_at, Artwork.id)
    return session.scalar(wanted.order_by(*first).limit(1))


def indexed_artworks(session: Session, *, after: UUID | None, limit: int) -> list[Artwork]:
    """Return works that are to be found, with their artists, in the order of their ids."""
    wanted = _in_state(_with_artist(), ArtworkStatus.INDEXED).order_by(Artwork.id).limit(limit)
    if after is not None:
        wanted = wanted.where(Artwork.id > after)
    return list(session.scalars(wanted))


def consenting_works(
    session: Session, slugs: Collection[str], *, purpose: str
) -> dict[str, tuple[int, int]]:
    """Return how many of an artist's indexed works grant a purpose, and how many there are."""
    granted = func.count().filter(getattr(Artwork, f"consent_{purpose}"))
    wanted = (
        select(Artist.slug, granted, func.count())
        .join(Artwork, Artwork.artist_id == Artist.id)
        .where(Artist.slug.in_(slugs), Artwork.status == ArtworkStatus.INDEXED)
        .group_by(Artist.slug)
    )
    return {slug: (some, every) for slug, some, every in session.execute(wanted)}


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
    """Count artists, and works by state: those that are not indexed one by one."""
    artists, indexed = searchable(session)
    # Spelt out in the statement, or the planner could not know that the partial index serves it.
    indexed_state = literal(ArtworkStatus.INDEXED, Artwork.status.type, literal_execute=True)
    rest = select(Artwork.status, func.count()).where(Artwork.status != indexed_state)
    works = dict(session.execute(rest.group_by(Artwork.status)).all())
    return Counts(
        artists=artists,
        indexed=indexed,
        nobodys=_nobodys(session),
        blank=works.get(ArtworkStatus.BLANK, 0),
        pending=works.get(ArtworkStatus.PENDING, 0),
        failed=works.get(ArtworkStatus.FAILED, 0),
        withdrawn=works.get(ArtworkStatus.WITHDRAWN, 0),
    )


def count_claims(session: Session) -> int:
    """Count the claims of others to works that were already there. Reads all of them."""
    return session.scalar(select(func.count()).select_from(Claim)) or 0


def has_artworks(session: Session) -> bool:
    """Tell whether any work was ever registered, withdrawn ones too."""
    return bool(session.scalar(select(select(Artwork.id).exists())))


def searchable(session: Session) -> tuple[int, int]:
    """Return how many artists have works that can be found, and how many can be with nobody's."""
    wanted = select(
        func.coalesce(func.sum(Tally.artists), 0), func.coalesce(func.sum(Tally.works), 0)
    )
    artists, works = session.execute(wanted).one()
    return int(artists), int(works)


def findable(session: Session) -> int:
    """Return how many works can be found, also across tenants."""
    return int(session.scalar(select(func.sum(Tally.works))) or 0)


def ranked(session: Session) -> tuple[int, int]:
    """Return how many artists can be ranked, and how many works they have that can be found."""
    artists, works = searchable(session)
    return artists, works - _nobodys(session)


def _nobodys(session: Session) -> int:
    return session.scalar(select(Artist.works).where(Artist.id == nobody())) or 0


def miscounted(
    session: Session, *, after: UUID | None = None, limit: int = 1_000
) -> tuple[list[UUID], UUID | None]:
    """Return which of the next artists behind an id have a wrong number of works.

    Returns as well the last of them, for the next artists; None where none are left.
    """
    wanted = select(Artist.id, Artist.works).order_by(Artist.id).limit(limit)
    if after is not None:
        wanted = wanted.where(Artist.id > after)
    page = wanted.subquery()
    counted = (
        select(func.count())
        .where(Artwork.artist_id == page.c.id, Artwork.status == ArtworkStatus.INDEXED)
        .scalar_subquery()
    )
    rows = session.execute(select(page.c.id, page.c.works == counted).order_by(page.c.id)).all()
    last = rows[-1][0] if len(rows) == limit else None
    return [artist for artist, is_right in rows if not is_right], last


def _with_artist() -> Select[Artwork]:
    return select(Artwork).options(joinedload(Artwork.artist, innerjoin=True))


def _in_state(wanted: Select[Artwork], status: ArtworkStatus | None) -> Select[Artwork]:
    return wanted if status is None else wanted.where(Artwork.status == status)


def artwork_row(work: NewArtwork) -> dict[str, Any]:
    """Return the columns of a new work."""
    row = vars(work) | {
        "id": artwork_id(work.sha256),
        "tags": list(work.tags),
        "licence_id": identify(work.licence),
    }
    granted = row.pop("consent")
    return row | {f"consent_{purpose}": purpose in granted for purpose in PURPOSES}
