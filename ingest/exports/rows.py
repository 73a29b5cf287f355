"""What a row of an export holds: what ingest reads, then what it passes over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attribution.catalogue import queries
from attribution.catalogue.models import PURPOSES, Artwork, ArtworkStatus
from attribution.catalogue.queries import Seen, WorksWanted
from attribution.collection import Stores
from ingest.exports.files import Files

PAGE = 1_000  # works in memory at a time
CONSENTS = tuple(f"consent_{purpose}" for purpose in PURPOSES)
SAID = ("title", "caption", "tags", "year", "dated", "licence", "source")
READ = ("file_name", "artist", *SAID, *CONSENTS)
NOTED = ("id", "sha256", "licence_id", "rights", "status", "reason", "path_seen")
COLUMNS = (*READ, *NOTED)

Row = dict[str, Any]
"""JSON values by column."""


def read_pages(
    stores: Stores, works: WorksWanted, files: Files, *, limit: int | None = None
) -> Iterator[list[Row]]:
    """Yield the rows of the works that are wanted, in the order in which they came in."""
    after, left = None, limit
    while left is None or left > 0:
        few = PAGE if left is None else min(PAGE, left)
        with stores.sessions() as session:
            page = queries.next_artworks(session, works, after=after, limit=few)
            seen = queries.last_seen(session, [work.id for work in page])
        if not page:
            return
        yield [_row(work, seen.get(work.id), files) for work in page]
        after = page[-1].created_at, page[-1].id
        left = left and left - len(page)


def _row(work: Artwork, seen: Seen | None, files: Files) -> Row:
    return (
        {"file_name": files.name(work, seen), "artist": work.artist.name}
        | {column: getattr(work, column) for column in SAID}
        | {column: getattr(work, column) and not _is_gone(work) for column in CONSENTS}
        | {
            "id": str(work.id),
            "sha256": work.sha256,
            "licence_id": work.licence_id,
            "rights": work.rights,
            "status": work.status.value,
            "reason": work.reason,
            "path_seen": seen.path if seen else None,
        }
    )


def _is_gone(work: Artwork) -> bool:
    """Whether a work was withdrawn: a table must not bring it back."""
    return work.status is ArtworkStatus.WITHDRAWN
