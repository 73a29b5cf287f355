"""Votes: who is named, by how much, and why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import nlargest
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attribution.arithmetic import voting
from attribution.arithmetic.shares import ManyShares
from attribution.arithmetic.voting import Ballot, Vote, cast, count, is_by_subject
from attribution.types import Neighbour

ANNA, BORIS, CLARA = (UUID(int=i) for i in (1, 2, 3))


def near(*hits: tuple[int, UUID, float]) -> list[Neighbour]:
    """Build the neighbours in one space from (work, artist, similarity), best first."""
    return [
        Neighbour(UUID(int=100 + work), artist, score, rank)
        for rank, (work, artist, score) in enumerate(hits, 1)
    ]


def votes_of(
    neighbours: Mapping[str, Sequence[Neighbour]],
    sizes: Mapping[UUID, int],
    weights: Mapping[str, float] | None = None,
) -> list[Vote]:
    """Count the votes of neighbours alone, all spaces weighing alike by default."""
    ballot = cast("neighbours", neighbours, sizes, weights or dict.fromkeys(neighbours, 1.0))
    return count([ballot])


some_neighbours = st.dictionaries(
    st.sampled_from(["clip", "vae_style", "vae_layout"]),
    st.lists(
        st.tuples(
            st.integers(0, 30),
            st.sampled_from([ANNA, BORIS, CLARA]),
            st.floats(-1, 1, allow_nan=False),
        ),
        max_size=20,
        unique_by=lambda hit: hit[0],
    ).map(lambda hits: near(*sorted(hits, key=lambda hit: -hit[2]))),
)


@given(some_neighbours)
def test_shares_sum_to_one(neighbours: dict[str, list[Neighbour]]) -> None:
    """All votes together are the whole vote, whatever the neighbours."""
    votes = votes_of(neighbours, {})

    assert not votes or math.isclose(sum(vote.share for vote in votes), 1)
    assert bool(votes) == any(neighbours.values())


@given(some_neighbours)
def test_share_is_the_sum_of_its_spaces(neighbours: dict[str, list[Neighbour]]) -> None:
    """The explanation adds up to what it explains, and every cited work is the artist's own."""
    for vote in votes_of(neighbours, {}):
        hits = [hit for found in neighbours.values() for hit in found]
        own = {hit.id for hit in hits if hit.artist_id == vote.artist_id}
        assert math.isclose(vote.share, sum(vote.spaces.values()))
        assert set(vote.works) == own


@given(some_neighbours)
def test_order_of_spaces_does_not_matter(neighbours: dict[str, list[Neighbour]]) -> None:
    """The same neighbours give the same ranking, in whatever order the spaces come."""
    backwards = dict(reversed(list(neighbours.items())))

    ranked = [vote.artist_id for vote in votes_of(neighbours, {})]

    assert ranked == [vote.artist_id for vote in votes_of(backwards, {})]


def test_nearest_artist_leads() -> None:
    """One clearly nearer work outweighs several far ones."""
    hits = near((1, ANNA, 0.95), (2, BORIS, 0.5), (3, BORIS, 0.5), (4, CLARA, 0.5))

    votes = votes_of({"clip": hits}, {ANNA: 1, BORIS: 2, CLARA: 1})

    assert votes[0].artist_id == ANNA
    assert votes[0].works == (UUID(int=101),)


def test_prolific_artists_do_not_win_by_number() -> None:
    """At equal similarity the artist with the small portfolio is worth more a work."""
    hits = near((1, ANNA, 0.8), (2, BORIS, 0.8), (3, CLARA, 0.1))

    votes = votes_of({"clip": hits}, {ANNA: 2, BORIS: 500, CLARA: 1})

    assert votes[0].artist_id == ANNA


def test_equal_votes_are_ordered_by_id() -> None:
    """Ties have one order, so that an answer can be repeated."""
    hits = near((1, BORIS, 0.8), (2, ANNA, 0.8))

    assert [vote.artist_id for vote in votes_of({"clip": hits}, {})] == [ANNA, BORIS]


def test_a_space_with_more_weight_decides() -> None:
    """When spaces disagree, their weights say who is heard."""
    disagreeing = {
        "clip": near((1, ANNA, 0.9), (2, BORIS, 0.1)),
        "vae_style": near((2, BORIS, 0.9), (1, ANNA, 0.1)),
    }

    for heavy, winner in (("clip", ANNA), ("vae_style", BORIS)):
        weights = {"clip": 1.0, "vae_style": 1.0} | {heavy: 3.0}
        assert votes_of(disagreeing, {}, weights)[0].artist_id == winner


def test_ballots_weigh_alike() -> None:
    """Each voter that speaks has the same part of the vote; one that is silent has none."""
    ballots = [
        Ballot("one", {ANNA: 1.0}),
        Ballot("other", {ANNA: 0.4, BORIS: 0.6}),
        Ballot("silent", {}),
    ]

    first, second = count(ballots)

    assert (first.artist_id, second.artist_id) == (ANNA, BORIS)
    assert first.voters == {"one": 0.5, "other": 0.2}
    assert math.isclose(second.share, 0.3)


def test_nobody_stands_out_among_few() -> None:
    """The share needed is twice that of chance among some artists, and out of reach among two."""
    assert voting.stands_out(2) > 1
    assert voting.stands_out(4) == 0.5
    assert voting.stands_out(1_000) == voting.STANDS_OUT


def test_the_subject_or_the_style_speaks_for_an_artist() -> None:
    """First by content and in fewer than half of the styles: what is shown speaks, not how."""

    def vote(artist: int, **spaces: float) -> Vote:
        return Vote(UUID(int=artist), sum(spaces.values()), spaces, (), {})

    first, content, style = UUID(int=1), ["clip"], ["clip_style", "palette", "vae_style"]
    subject = [vote(1, clip=0.4, palette=0.1), vote(2, clip=0.1, clip_style=0.2, palette=0.05)]
    by_style = [vote(1, clip=0.3, clip_style=0.2, palette=0.1), vote(2, clip=0.1, vae_style=0.3)]
    elsewhere = [vote(1, clip=0.1, palette=0.2), vote(2, clip=0.3)]

    assert is_by_subject(first, subject, content, style)
    assert not is_by_subject(first, by_style, content, style)
    assert not is_by_subject(first, elsewhere, content, style)
    assert not is_by_subject(first, subject, content, [])  # without a style nothing is told apart
    assert is_by_subject(first, [*subject, *elsewhere], content, style)  # two images, added up


@pytest.mark.parametrize("most", [1, 5, 200])
@pytest.mark.parametrize("few", [2, 1_000_000])
def test_many_shares_are_a_dictionary_of_them(most: int, few: int) -> None:
    """First ones, those of some artists and of all but one are what going through them gives."""
    rng = np.random.default_rng(few)
    numbers = rng.integers(0, few, 500) / few  # many equal ones, or hardly any
    artists = tuple(UUID(int=number + 1) for number in range(len(numbers)))
    positions = {artist: number for number, artist in enumerate(artists)}
    slow = dict(zip(artists, numbers.tolist(), strict=True))
    many = ManyShares(artists, positions, numbers)
    some, one = set(artists[::3]), artists[7]

    assert many == slow
    assert many.first(most) == nlargest(most, slow, key=lambda artist: (slow[artist], artist))
    for left, kept in (
        (many.among({*some, UUID(int=0)}), some),
        (many.without(one), {*artists} - {one}),
    ):
        whole = sum(slow[artist] for artist in kept)
        assert left == pytest.approx({artist: slow[artist] / whole for artist in kept})
        assert left.keys() == kept
        assert left.first(most) == nlargest(most, left, key=lambda artist: (left[artist], artist))
    assert one not in many.without(one)
    assert ManyShares((), {}, np.zeros(0)).first(most) == []
