"""What is counted along, compared with all that it counts: what has to be added to be right.

Each function reads everything, some at a time, so no statement grows with the catalogue. Call them
in a snapshot: what comes or goes between two statements would be a difference otherwise. A
difference of one moment stays what it is, whatever is counted after it, so it may be added later.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from attribution.catalogue.lifecycle import FILE_BYTES
from attribution.catalogue.models import Artist, Artwork, ArtworkStatus, Tally
from attribution.catalogue.nobody import nobody
from attribution.catalogue.queries.tenants import Held, held

SPAN = 20_000  # rows that one statement reads


class Findable(NamedTuple):
    """Works that can be found, and artists who have some; without nobody."""

    works: int
    artists: int


def unheld(session: Session) -> Held:
    """Return what the count of what the tenant holds lacks."""
    sums = select(func.count(), func.coalesce(func.sum(FILE_BYTES), 0))
    kept = sums.where(Artwork.status != ArtworkStatus.WITHDRAWN)
    spans = [session.execute(kept.where(*span)).one() for span in _spans(session, Artwork.id)]
    counted = held(session)
    return Held(
        sum(works for works, _ in spans) - counted.works,
        sum(size for _, size in spans) - counted.bytes,
    )


def untallied(session: Session) -> Findable:
    """Return how many works and artists that can be found the tally lacks."""
    have = func.count().filter((Artist.works > 0) & (Artist.id != nobody()))
    sums = select(func.coalesce(func.sum(Artist.works), 0), have).select_from(Artist)
    spans = [session.execute(sums.where(*span)).one() for span in _spans(session, Artist.id)]
    tallied = select(
        func.coalesce(func.sum(Tally.works), 0), func.coalesce(func.sum(Tally.artists), 0)
    )
    works, artists = session.execute(tallied).one()
    return Findable(
        int(sum(some for some, _ in spans) - works), int(sum(some for _, some in spans) - artists)
    )


def _spans(
    session: Session, key: InstrumentedAttribute[UUID]
) -> Iterator[tuple[ColumnElement[bool], ...]]:
    """Yield the conditions of ranges of a table that have at most SPAN rows each."""
    begin: tuple[ColumnElement[bool], ...] = ()
    following = select(key).order_by(key).offset(SPAN).limit(1)
    while (end := session.scalar(following.where(*begin))) is not None:
        yield (*begin, key < end)
        begin = (key >= end,)
    yield begin
