"""What the index holds of a work: its point, made from its row and its vectors."""

from __future__ import annotations

from collections.abc import Mapping

from attribution.catalogue.models import Artwork
from attribution.index.points import Point
from attribution.types import Vector


def point_of(row: Artwork, vectors: Mapping[str, Vector]) -> Point:
    """Return the point of a work, read with its artist, from its named vectors."""
    return Point(
        id=row.id,
        vectors=vectors,
        text=" ".join(filter(None, [row.title, row.caption, *row.tags, row.artist.name])),
        artist_id=row.artist_id,
        licence=row.licence_key,
        year=row.year,
        consent=row.consent_of_point,
        tenant=row.tenant,
    )
