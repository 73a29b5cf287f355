"""The works that an answer shows: for each artist those that speak most for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from uuid import UUID

import numpy as np
from sqlalchemy.orm import Session

from attribution.answers import Candidate, Evidence
from attribution.catalogue import queries
from attribution.catalogue.models import Artist, ArtworkStatus
from attribution.catalogue.nobody import nobody
from attribution.collection import Collection
from attribution.index.points import Probe, Where
from attribution.types import Neighbour, Vector
from attribution.voters.neighbours import NeighboursVoter
from attribution.voters.panel import Opinion
from attribution.voters.voter import Neighbours, Question

WORKS_PER_ARTIST = 3

Hands = Mapping[UUID, tuple[UUID, int]]
"""Whose works are, and how many each of these artists has, by work."""


@dataclass(frozen=True)
class Exhibits:
    """The works that an answer would show, as the index had them."""

    works: Mapping[UUID, tuple[UUID, ...]]  # by artist, first what speaks most for them
    cosines: Mapping[UUID, Mapping[str, float]]  # by work, those that the index has


NO_EXHIBITS = Exhibits({}, {})


def somebodys() -> Where:
    """Return the filter for the works that an artist can be ranked by."""
    return Where(exclude_artist_ids=(nobody(),))


def choose(
    collection: Collection, opinion: Opinion, limit: int, vectors: Mapping[str, Vector]
) -> Exhibits:
    """Choose the works to show of the first artists of an opinion. Outside of any transaction."""
    votes, index = opinion.votes[:limit], collection.index
    near = {  # of artists whom no neighbour spoke for
        vote.artist_id: index.neighbours(
            Probe({space: vectors[space] for space in opinion.weights}),
            limit=WORKS_PER_ARTIST,
            where=Where(artist_ids=(vote.artist_id,)),
        )
        for vote in votes
        if not vote.works
    }
    hands: Hands = {}
    if near:
        ids = {work for found in near.values() for work in ids_of(found)}
        with collection.sessions() as session:
            hands = queries.hands_of(session, ids)
    works = {
        vote.artist_id: vote.works
        or _fused(near[vote.artist_id], hands, opinion.weights, vote.artist_id)
        for vote in votes
    }
    works = {artist: few[:WORKS_PER_ARTIST] for artist, few in works.items()}
    stored = index.vectors([work for few in works.values() for work in few])
    return Exhibits(works, {work: _cosines(vectors, own) for work, own in stored.items()})


def candidates(
    session: Session, opinion: Opinion, artists: Mapping[UUID, Artist], exhibits: Exhibits
) -> tuple[Candidate, ...]:
    """Return these artists as an opinion has them, with the works to show that are still there."""
    odds, cosines = opinion.odds, exhibits.cosines
    rows = queries.artworks_by_id(session, cosines, status=ArtworkStatus.INDEXED)
    return tuple(
        Candidate(
            slug=artist.slug,
            name=artist.name,
            score=vote.share,
            spaces=vote.spaces,
            works=tuple(
                Evidence(work, rows[work].title, cosines[work], rows[work].sha256)
                for work in exhibits.works[artist.id]
                if work in rows  # one may have been withdrawn meanwhile
            ),
            voters=vote.voters,
            probability=odds.artists.get(artist.id, 0.0) if odds else None,
            p_value=odds.p_values.get(artist.id, 0.0) if odds else None,
            is_likely=artist.id in odds.likely if odds and odds.likely is not None else None,
        )
        for vote in opinion.votes
        # all may have been withdrawn meanwhile, or the artist merged into another
        if (artist := artists.get(vote.artist_id)) and artist.works
    )


def _fused(
    found: Neighbours, hands: Hands, weights: Mapping[str, float], artist: UUID
) -> tuple[UUID, ...]:
    """Return the nearest works of one artist, the spaces taken together."""
    ballot = NeighboursVoter().shares(Question({}, known(found, hands), {}, weights))
    return ballot.works.get(artist, ())


def ids_of(neighbours: Neighbours) -> list[UUID]:
    """Return the works among some neighbours, each once."""
    return list({hit.id for hits in neighbours.values() for hit in hits})


def known(neighbours: Neighbours, hands: Hands) -> dict[str, list[Neighbour]]:
    """Drop points that the catalogue does not know, and say whose the others are by its word.

    It is the truth, the index a projection: what has just become nobody's is dropped too.
    """
    no_one = nobody()
    owners = {work: artist for work, (artist, _) in hands.items() if artist != no_one}
    return {
        space: [replace(hit, artist_id=owners[hit.id]) for hit in hits if hit.id in owners]
        for space, hits in neighbours.items()
    }


def _cosines(query: Mapping[str, Vector], stored: Mapping[str, Vector]) -> dict[str, float]:
    return {space: float(np.dot(query[space], stored[space])) for space in query}
