"""Statements about maps of the catalogue, and where works lie on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Select, delete, exists, func, select
from sqlalchemy.orm import Session

from attribution.catalogue.columns import now
from attribution.catalogue.insert import IN_SQL, insert_new
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    CatalogueMap,
    Embedding,
    MapPlace,
)
from attribution.types import Box


@dataclass(frozen=True)
class Placed:
    """A work on a map: it can be found."""

    id: UUID
    x: float
    y: float
    title: str | None
    slug: str  # of its artist
    name: str
    consent_display: bool


def map_of(session: Session, fingerprint: str) -> CatalogueMap | None:
    """Return the last map by these encoders that is made."""
    wanted = select(CatalogueMap).where(
        CatalogueMap.fingerprint == fingerprint, CatalogueMap.made_at.is_not(None)
    )
    return session.scalar(wanted.order_by(CatalogueMap.made_at.desc()).limit(1))


def begin_map(session: Session, fingerprint: str, space: str) -> CatalogueMap:
    """Add a map that nothing lies on yet, and that is not shown."""
    new = CatalogueMap(fingerprint=fingerprint, space=space)
    session.add(new)
    session.flush()
    return new


def show_map(session: Session, made: CatalogueMap, works: int) -> None:
    """Have a map that is laid out be the one that is shown."""
    shown = session.get_one(CatalogueMap, made.id)
    shown.works, shown.made_at = works, now()


def other_maps(session: Session, made: CatalogueMap) -> Sequence[UUID]:
    """Return all other maps of the tenant: older ones, and what was never finished."""
    return session.scalars(select(CatalogueMap.id).where(CatalogueMap.id != made.id)).all()


def drop_map(session: Session, map_id: UUID, limit: int) -> bool:
    """Delete places of a map, `limit` at most, and once there are none the map; True when it is."""
    few = select(MapPlace.artwork_id).where(MapPlace.map_id == map_id).limit(limit)
    ids = session.scalars(few).all()
    gone = delete(MapPlace).where(MapPlace.map_id == map_id, MapPlace.artwork_id.in_(ids))
    session.execute(gone, execution_options=IN_SQL)
    if len(ids) < limit:
        session.execute(delete(CatalogueMap).where(CatalogueMap.id == map_id))
    return len(ids) < limit


def works_to_place(
    session: Session, made: CatalogueMap, *, after: UUID | None, limit: int
) -> Sequence[UUID]:
    """Return works that can be found, have vectors and no place on a map yet, by their ids.

    Ids derive from hashes: the first ones are as good as drawn by lot.
    """
    is_placed = exists().where(
        MapPlace.map_id == made.id, MapPlace.artwork_id == Embedding.artwork_id
    )
    wanted = (
        select(Embedding.artwork_id)
        .join(Artwork, Artwork.id == Embedding.artwork_id)
        .where(
            Embedding.fingerprint == made.fingerprint,
            Artwork.status == ArtworkStatus.INDEXED,
            ~is_placed,
        )
        .order_by(Embedding.artwork_id)
        .limit(limit)
    )
    if after is not None:
        wanted = wanted.where(Embedding.artwork_id > after)
    return session.scalars(wanted).all()


def keep_places(
    session: Session, map_id: UUID, places: Mapping[UUID, Mapping[str, object]]
) -> None:
    """Put works on a map, by their ids: `x`, `y` and `tile` of each; not those just withdrawn."""
    still = (
        select(Artwork.id)
        .where(Artwork.id.in_(places), Artwork.status == ArtworkStatus.INDEXED)
        .order_by(Artwork.id)
        .with_for_update(read=True)  # a withdrawal waits for this, or this for it
    )
    rows = [
        {"map_id": map_id, "artwork_id": work, **places[work]} for work in session.scalars(still)
    ]
    insert_new(session, MapPlace, rows)


def works_by_tile(session: Session, map_id: UUID) -> Counter[int]:
    """Count the works of each tile."""
    wanted = select(MapPlace.tile, func.count()).where(MapPlace.map_id == map_id)
    return Counter(dict(session.execute(wanted.group_by(MapPlace.tile)).all()))


def first_placed(session: Session, map_id: UUID, limit: int) -> Sequence[Placed]:
    """Return works on a map, the first by id."""
    return _placed(session, _on(map_id).order_by(MapPlace.artwork_id).limit(limit))


def placed_by_id(session: Session, map_id: UUID, ids: Collection[UUID]) -> dict[UUID, Placed]:
    """Return those of these works that lie on a map."""
    wanted = _on(map_id).where(MapPlace.artwork_id.in_(ids))
    return {one.id: one for one in _placed(session, wanted)}


def placed_within(
    session: Session, map_id: UUID, tiles: Collection[int], box: Box, limit: int
) -> Sequence[Placed]:
    """Return works of these tiles that lie in a box, the tiles in order."""
    left, top, right, bottom = box
    wanted = _on(map_id).where(
        MapPlace.tile.in_(tiles),
        MapPlace.x.between(left, right),
        MapPlace.y.between(top, bottom),
    )
    return _placed(session, wanted.order_by(MapPlace.tile, MapPlace.artwork_id).limit(limit))


def forget_places(session: Session, ids: Collection[UUID]) -> int:
    """Take works off all maps; returns how many places there were."""
    gone = delete(MapPlace).where(MapPlace.artwork_id.in_(ids)).returning(MapPlace.artwork_id)
    return len(session.execute(gone).all())


def _on(map_id: UUID) -> Select[UUID, float, float, str | None, str, str, bool]:
    return (
        select(
            MapPlace.artwork_id,
            MapPlace.x,
            MapPlace.y,
            Artwork.title,
            Artist.slug,
            Artist.name,
            Artwork.consent_display,
        )
        .join(Artwork, Artwork.id == MapPlace.artwork_id)
        .join(Artist, Artist.id == Artwork.artist_id)
        .where(MapPlace.map_id == map_id, Artwork.status == ArtworkStatus.INDEXED)
    )


def _placed(
    session: Session, wanted: Select[UUID, float, float, str | None, str, str, bool]
) -> Sequence[Placed]:
    return [Placed(*row) for row in session.execute(wanted)]
