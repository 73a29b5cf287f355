"""What a collection knows of its works, to be compared with what another one knows of the same."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from attribution.catalogue import queries
from attribution.catalogue.models import (
    Artist,
    Artwork,
    Base,
    Claim,
    Consent,
    CopySketch,
    Embedding,
    PartVectors,
)
from attribution.services import Services

OF_A_RUN = {"created_at", "indexed_at", "said_at", "job_id", "by", "id"}
"""Columns that say when and by which job; the ids of works are kept."""


def known(services: Services) -> dict[str, Any]:
    """Return every row about works and artists, bit by bit, without what tells two runs apart."""
    width = sum(services.row.voting.values())
    with services.sessions() as session:
        artists = {row.id: row.name for row in session.scalars(select(Artist))}
        tables: dict[str, Any] = {
            model.__tablename__: sorted(
                (_told(row, artists) for row in session.scalars(select(model))), key=repr
            )
            for model in (Artist, Artwork, Embedding, PartVectors, CopySketch, Consent, Claim)
        }
        said = queries.statistics_of(session, services.row.fingerprint, width)
    entries = services.index.entries()
    stored = services.index.vectors([entry.id for entry in entries])
    return tables | {
        "sums": {artists[one]: total.tolist() for one, total in said.sums.items()},
        "counted": {artists[one]: works for one, works in said.works.items()},
        "gram": said.gram.tolist(),
        "points": [
            (one.id, artists[one.artist_id], one.licence, one.year, one.consent) for one in entries
        ],
        "stored": {
            work: {name: vector.tolist() for name, vector in named.items()}
            for work, named in stored.items()
        },
        "thumbnails": {
            row["id"]: services.store.thumbnail(row["sha256"])
            for row in tables["artworks"]
            if services.store.has_thumbnail(row["sha256"])
        },
    }


def _told(row: Base, artists: dict[Any, str]) -> dict[str, Any]:
    left_out = OF_A_RUN - ({"id"} if isinstance(row, Artwork) else set())
    told = {
        column.key: getattr(row, column.key)
        for column in row.__table__.columns
        if column.key not in left_out
    }
    if "artist_id" in told:
        told["artist_id"] = artists.get(told["artist_id"])
    return told
