"""The works that an answer shows: for each artist those that speak most for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import Artwork, ArtworkStatus
from attribution.catalogue.nobody import NOBODY
from attribution.index.vector_index import VectorIndex
from attribution.types import Candidate, Evidence, Neighbour, Probe, Vector, Where
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import Opinion
from attribution.voters.voter import Neighbours, Question

WORKS_PER_ARTIST = 3
SOMEBODYS = Where(exclude_artist_ids=(NOBODY,))  # the works that an artist can be ranked by


def candidates(
    session: Session,
    index: VectorIndex,
    opinion: Opinion,
    limit: int,
    rows: Mapping[UUID, Artwork],
    vectors: Mapping[str, Vector],
) -> tuple[Candidate, ...]:
    """Return the first artists of an opinion, each with the works that speak most for it."""
    votes, odds = opinion.votes[:limit], opinion.odds
    artists = queries.artists_by_id(session, [vote.artist_id for vote in votes])
    rows = dict(rows)
    shown = {
        vote.artist_id: vote.works[:WORKS_PER_ARTIST]
        or _nearest(session, index, vote.artist_id, rows, vectors, opinion.weights)
        for vote in votes
    }
    stored = index.vectors([work for works in shown.values() for work in works])
    return tuple(
        Candidate(
            slug=artists[vote.artist_id].slug,
            name=artists[vote.artist_id].name,
            score=vote.share,
            spaces=vote.spaces,
            works=tuple(
                Evidence(work, rows[work].title, _cosines(vectors, stored[work]))
                for work in shown[vote.artist_id]
                if work in stored and work in rows  # one may have been withdrawn meanwhile
            ),
            voters=vote.voters,
            probability=odds.artists.get(vote.artist_id, 0.0) if odds else None,
            p_value=odds.p_values.get(vote.artist_id, 0.0) if odds else None,
            is_likely=vote.artist_id in odds.likely if odds else None,
        )
        for vote in votes
        # all may have been withdrawn meanwhile, or the artist merged into another
        if vote.artist_id in artists and artists[vote.artist_id].works
    )


def _nearest(
    session: Session,
    index: VectorIndex,
    artist_id: UUID,
    rows: dict[UUID, Artwork],
    vectors: Mapping[str, Vector],
    weights: Mapping[str, float],
) -> tuple[UUID, ...]:
    """Return the nearest works of an artist whom no neighbour spoke for; adds their rows."""
    where = Where(artist_ids=(artist_id,))
    found = index.neighbours(Probe(vectors), limit=WORKS_PER_ARTIST, where=where)
    own = queries.artworks_by_id(session, ids_of(found), status=ArtworkStatus.INDEXED)
    rows |= own
    ballot = NeighboursVoter().shares(Question(vectors, known(found, own), {}, weights))
    return ballot.works.get(artist_id, ())[:WORKS_PER_ARTIST]


def ids_of(neighbours: Neighbours) -> list[UUID]:
    """Return the works among some neighbours, each once."""
    return list({hit.id for hits in neighbours.values() for hit in hits})


def known(neighbours: Neighbours, rows: Mapping[UUID, Artwork]) -> dict[str, list[Neighbour]]:
    """Drop points that the catalogue does not know, and say whose the others are by its word.

    It is the truth, the index a projection: what has just become nobody's is dropped too.
    """
    owners = {work: row.artist_id for work, row in rows.items() if row.artist_id != NOBODY}
    return {
        space: [replace(hit, artist_id=owners[hit.id]) for hit in hits if hit.id in owners]
        for space, hits in neighbours.items()
    }


def _cosines(query: Mapping[str, Vector], stored: Mapping[str, Vector]) -> dict[str, float]:
    return {space: float(np.dot(query[space], stored[space])) for space in query}
