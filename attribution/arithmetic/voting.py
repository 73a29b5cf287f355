"""Ballots become votes: pure arithmetic, no engine and no database.

A voter (`attribution.voters`) gives every artist a share of its ballot; all ballots together, each
weighing alike, are the vote.

Every space (named vector) has one vote to give. It gives it to the artists of the nearest works,
by how far each work rises above the space's own background, so that a space in which everything
looks alike cannot outshout one that discriminates. An artist with many works would collect many
small votes by number alone; dividing by a power of the portfolio's size takes that away.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from uuid import UUID

import numpy as np
import numpy.typing as npt

from attribution.arithmetic.shares import ManyShares
from attribution.types import Neighbour

Shares = Mapping[UUID, float]
"""A number for each artist who has one."""

NEAREST = 50  # works asked for in each space
NAMED = 200  # artists whom a voter may name without showing a work
CLOSEST = 3  # works that say how near anything registered is
TEMPERATURE = 1.0
DAMPING = 0.3
STANDS_OUT = 0.25  # share of the vote from which a leader counts among many artists
FEWEST_ARTISTS = 3  # among fewer a large share says nothing


@dataclass(frozen=True)
class Ballot:
    """What one voter says of one image. The shares of all artists sum to 1; none: it is silent.

    A voter that looks at the spaces one by one also says what each would give alone: `shares` are
    these, weighed by `weights`, which sum to 1 over the spaces that have something to say.
    """

    voter: str
    shares: Shares
    spaces: Mapping[str, Shares] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    nearness: Mapping[str, Shares] = field(default_factory=dict)  # by space, in cosines
    closeness: Mapping[str, float] = field(default_factory=dict)  # by space, a cosine
    works: Mapping[UUID, tuple[UUID, ...]] = field(default_factory=dict)  # heaviest first


@dataclass(frozen=True)
class Vote:
    """What the voters say for one artist; the shares of all artists sum to 1."""

    artist_id: UUID
    share: float
    spaces: Mapping[str, float]  # the part of `share` that the neighbours in each space gave
    works: tuple[UUID, ...]  # the neighbours behind it, heaviest first
    voters: Mapping[str, float]  # the part of `share` that each voter gave


def cast(
    voter: str,
    neighbours: Mapping[str, Sequence[Neighbour]],
    portfolio_sizes: Mapping[UUID, int],
    weights: Mapping[str, float],
) -> Ballot:
    """Return the ballot of the nearest works in each space that `weights` names.

    In a space the work at rank i weighs exp(z_i / T) / n^d: z_i is its similarity standardised
    over the space's neighbours (local contrast), T the temperature, n the size of its artist's
    portfolio, d the damping. The weights of a space's works sum to 1. Nearness is by how much the
    artist's nearest work rises above the last neighbour; closeness is the mean cosine of the
    CLOSEST works, whoever made them. No neighbours, no shares.
    """
    heard = {space: neighbours[space] for space in weights if neighbours.get(space)}
    total = sum(weights[space] for space in heard)
    shares: dict[UUID, float] = defaultdict(float)
    behind: dict[UUID, dict[UUID, float]] = defaultdict(lambda: defaultdict(float))
    spaces: dict[str, Shares] = {}
    for space, hits in heard.items():
        weight, own = weights[space] / total, defaultdict[UUID, float](float)
        for hit, part in zip(hits, _weigh(hits, portfolio_sizes).tolist(), strict=True):
            own[hit.artist_id] += part
            shares[hit.artist_id] += weight * part
            behind[hit.artist_id][hit.id] += weight * part
        spaces[space] = dict(own)
    return Ballot(
        voter,
        dict(shares),
        spaces,
        {space: weights[space] / total for space in heard},
        {space: _rises(hits) for space, hits in heard.items()},
        {space: _closeness(hits) for space, hits in heard.items()},
        {artist: _heaviest_first(works) for artist, works in behind.items()},
    )


def count(ballots: Sequence[Ballot]) -> list[Vote]:
    """Return one vote for each artist whom the ballots name; best first, ties by artist id.

    The mean of all ballots that are not silent, a linear opinion pool (Stone 1961): what each voter
    gave can be told apart, and a voter that knows nothing only flattens.
    """
    spoken = [ballot for ballot in ballots if ballot.shares]
    votes = []
    for artist in named(spoken):
        voters = {one.voter: one.shares.get(artist, 0.0) / len(spoken) for one in spoken}
        spaces = {
            space: one.weights[space] * shares[artist] / len(spoken)
            for one in spoken
            for space, shares in one.spaces.items()
            if artist in shares
        }
        works = tuple(work for one in spoken for work in one.works.get(artist, ()))
        votes.append(Vote(artist, sum(voters.values()), spaces, works, voters))
    return sorted(votes, key=lambda vote: (-vote.share, vote.artist_id))


def is_by_subject(
    artist: UUID, votes: Iterable[Vote], content: Sequence[str], style: Sequence[str]
) -> bool:
    """Return whether the subject speaks for an artist, rather than the style.

    Artists who take the same subject draw near each other in a space of content: the artist leads
    in one, and in fewer than half of the spaces of style. Votes on several images add up.
    """
    parts: dict[str, dict[UUID, float]] = defaultdict(lambda: defaultdict(float))
    for vote in votes:
        for space, part in vote.spaces.items():
            parts[space][vote.artist_id] += part

    def leads(space: str) -> bool:
        return parts[space][artist] >= max(parts[space].values()) > 0

    return any(map(leads, content)) and 2 * sum(map(leads, style)) < len(style)


def named(ballots: Collection[Ballot]) -> set[UUID]:
    """Return whom ballots name: for whom they show a work, and the first few of each."""
    artists: set[UUID] = set()
    for ballot in ballots:
        artists.update(ballot.works)
        artists.update(_first(ballot.shares))
    return artists


def _first(shares: Shares) -> list[UUID]:
    if isinstance(shares, ManyShares):
        return shares.first(NAMED)
    return nlargest(NAMED, shares, key=lambda artist: (shares[artist], artist))


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


def _rises(hits: Sequence[Neighbour]) -> dict[UUID, float]:
    """Return, by artist, the best score above that of the last neighbour."""
    least = min(hit.score for hit in hits)
    best: dict[UUID, float] = {}
    for hit in hits:
        best[hit.artist_id] = max(best.get(hit.artist_id, 0.0), hit.score - least)
    return best


def _closeness(hits: Sequence[Neighbour]) -> float:
    return float(np.mean([hit.score for hit in hits[:CLOSEST]]))


def _heaviest_first(works: Mapping[UUID, float]) -> tuple[UUID, ...]:
    return tuple(sorted(works, key=lambda work: (-works[work], work)))
