"""Works of nobody that a source brings under an artist's name: the artist gets them.

Each is a change like those that people make, so it can be shown and undone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artist, Artwork, Change
from attribution.catalogue.queries import Origin
from ingest.reading import SETTLED, Prepared

GIVEN = "it was registered under a name that means nobody, and is this artist's now"


@dataclass(frozen=True)
class Given:
    """The artists who got works of nobody, by work, and the changes that the index follows next."""

    artists: Mapping[UUID, UUID]
    changes: Sequence[Change]


def give_nobodys(
    session: Session,
    job_id: UUID,
    brought: Sequence[tuple[Prepared, Artwork]],
    artists: Mapping[str, Artist],
) -> Given:
    """Give works of nobody to the first artist who brings them.

    A work that a person has given to somebody, or to nobody, stays where it is, and so does one
    that an artist brings who has withdrawn.
    """
    wanted: dict[UUID, UUID] = {}
    for done, row in brought:
        artist = artists[done.work.item.artist]
        if row.artist.is_nobody and not artist.is_nobody and artist.withdrawn_at is None:
            wanted.setdefault(row.id, artist.id)
    by_hand = queries.placed_by_hand(session, wanted.keys())
    works: dict[tuple[UUID, UUID], list[UUID]] = defaultdict(list)
    for row in queries.works_to_change(session, wanted.keys() - by_hand).values():
        if row.status in SETTLED and row.artist_id != wanted[row.id]:
            works[row.artist_id, wanted[row.id]].append(row.id)
    origin = Origin.of_job(job_id)
    changes = [
        queries.give_works(session, few, old, new, origin) for (old, new), few in works.items()
    ]
    return Given({work: new for (_, new), few in works.items() for work in few}, changes)
