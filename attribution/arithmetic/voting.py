"""Neighbours and classifier become votes: pure arithmetic, no engine and no database.

Every space (named vector) has one vote to give. It gives it to the artists of the nearest works,
by how far each work rises above the space's own background, so that a space in which everything
looks alike cannot outshout one that discriminates. An artist with many works would collect many
small votes by number alone; dividing by a power of the portfolio's size takes that away.

The classifier (`attribution.arithmetic.classifier`) is the second voter. Where the neighbours see
single works, it sees what all works of an artist have in common, and how far works of one hand
differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import nlargest
from uuid import UUID

import numpy as np
import numpy.typing as npt

from attribution.types import Neighbour, Vote

SPACE_WEIGHTS: Mapping[str, float] = {"clip": 1.0, "vae_style": 0.5, "vae_layout": 0.25}
NEAREST = 50  # works asked for in each space
NEIGHBOURS, CLASSIFIER, TRAINED = "neighbours", "classifier", "trained"  # the voters
CLASSIFIER_WEIGHT = 0.5  # its part of the vote
TRAINED_WEIGHT = 1 / 3  # its part where it votes too: all three alike
NAMED = 50  # artists that the classifier may name by itself
TEMPERATURE = 1.0
DAMPING = 0.3
STANDS_OUT = 0.25  # share of the vote from which a leader counts among many artists
FEWEST_ARTISTS = 3  # among fewer a large share says nothing


def cast_votes(
    neighbours: Mapping[str, Sequence[Neighbour]],
    portfolio_sizes: Mapping[UUID, int],
    *,
    weights: Mapping[str, float] = SPACE_WEIGHTS,
) -> list[Vote]:
    """Rank artists by their share of the vote, best first; ties by artist id.

    In space s the work at rank i weighs exp(z_i / T) / n^d: z_i is its similarity standardised
    over the space's neighbours (local contrast), T the temperature, n the size of its artist's
    portfolio, d the damping. The weights of a space sum to its entry in `weights`, over all spaces
    they sum to 1. No neighbours, no votes.
    """
    shares: dict[UUID, dict[str, float]] = defaultdict(dict)
    behind: dict[UUID, dict[UUID, float]] = defaultdict(dict)
    spaces = {name: hits for name, hits in neighbours.items() if hits and weights.get(name, 0) > 0}
    total = sum(weights[name] for name in spaces)
    for name, hits in spaces.items():
        parts = _weigh(hits, portfolio_sizes) * weights[name] / total
        for hit, part in zip(hits, parts.tolist(), strict=True):
            shares[hit.artist_id][name] = shares[hit.artist_id].get(name, 0.0) + part
            works = behind[hit.artist_id]
            works[hit.id] = works.get(hit.id, 0.0) + part
    votes = []
    for artist, by_space in shares.items():
        share = sum(by_space.values())
        evidence = _heaviest_first(behind[artist])
        votes.append(Vote(artist, share, by_space, evidence, {NEIGHBOURS: share}))
    return _best_first(votes)


def join_votes(
    votes: Sequence[Vote],
    shares: Mapping[UUID, float],
    *,
    voter: str = CLASSIFIER,
    weight: float = CLASSIFIER_WEIGHT,
) -> list[Vote]:
    """Mix votes that were cast with the shares of one more voter, each summing to 1; best first.

    (1 - w) v + w s, a linear opinion pool (Stone 1961): what each voter gave can be told apart, and
    a voter that knows nothing only flattens. Without votes, or without shares, the other one
    decides alone. Artists that only the new voter names are left out behind its first few.
    """
    if not shares:
        return list(votes)
    weight = weight if votes else 1.0
    by_artist = {vote.artist_id: vote for vote in votes}
    cast = votes[0].voters if votes else {}
    first = nlargest(NAMED, shares, key=lambda artist: (shares[artist], artist))
    joined = []
    for artist in {*by_artist, *first}:
        vote = by_artist.get(artist, Vote(artist, 0.0, {}, (), {}))
        parts = {name: (1 - weight) * vote.voters.get(name, 0.0) for name in cast}
        parts[voter] = weight * shares.get(artist, 0.0)
        spaces = {space: (1 - weight) * part for space, part in vote.spaces.items()}
        joined.append(Vote(artist, sum(parts.values()), spaces, vote.works, parts))
    return _best_first(joined)


def stands_out(artists: int) -> float:
    """Return the share of the vote from which a leader among so many artists counts.

    Never less than twice what chance would give; among fewer than FEWEST_ARTISTS nobody can.
    """
    return max(STANDS_OUT, 2 / max(artists, 1)) if artists >= FEWEST_ARTISTS else float("inf")


def _weigh(hits: Sequence[Neighbour], sizes: Mapping[UUID, int]) -> npt.NDArray[np.float64]:
    scores = np.array([hit.score for hit in hits])
    contrast = (scores - scores.mean()) / max(float(scores.std()), 1e-6)
    portfolio = np.array([max(sizes.get(hit.artist_id, 1), 1) for hit in hits], dtype=float)
    parts: npt.NDArray[np.float64] = (
        np.exp((contrast - contrast.max()) / TEMPERATURE) / portfolio**DAMPING
    )
    parts /= parts.sum()
    return parts


def _best_first(votes: Sequence[Vote]) -> list[Vote]:
    return sorted(votes, key=lambda vote: (-vote.share, vote.artist_id))


def _heaviest_first(works: Mapping[UUID, float]) -> tuple[UUID, ...]:
    return tuple(sorted(works, key=lambda work: (-works[work], work)))
