"""The second voter: exact sums, and answers that follow from nothing else."""

from __future__ import annotations

import math
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution.arithmetic.classifier import (
    LARGEST,
    ONE,
    TEMPERATURE,
    Classifier,
    Statistics,
    fit,
)
from attribution.errors import BadInput
from attribution.types import Vector

DIMS = {"a": 5, "b": 3}
WIDTH = 8
ANNA, BORIS, CLARA = (UUID(int=i) for i in (1, 2, 3))
Rows = npt.NDArray[np.float32]


def works(seed: int, count: int = 1, *, around: int = 0, spread: float = 1.0) -> Rows:
    """Return rows of two unit vectors each; works around one centre are alike."""
    centre = np.random.default_rng(1000 + around).normal(size=WIDTH)
    rows = centre + spread * np.random.default_rng(seed).normal(size=(count, WIDTH))
    parts = np.split(rows, [5], axis=1)
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in parts]
    return np.concatenate(unit, axis=1).astype(np.float32)


def named(row: Rows) -> dict[str, Vector]:
    """Return one row by space."""
    return dict(zip(DIMS, np.split(row, [5]), strict=True))


def fitted(statistics: Statistics) -> Classifier:
    """Solve, where there is somebody to name."""
    classifier = fit(statistics, DIMS)
    assert classifier is not None
    return classifier


def same(one: Statistics, two: Statistics) -> bool:
    """Tell whether all integers are equal."""
    return (
        one.works == two.works
        and all(np.array_equal(one.sums[artist], two.sums[artist]) for artist in one.works)
        and np.array_equal(one.gram, two.gram)
        and one.digest() == two.digest()
    )


steps = st.lists(
    st.tuples(
        st.integers(0, 25),  # the work
        st.sampled_from([ANNA, BORIS, CLARA]),
        st.sampled_from(["put", "put", "correct", "withdraw"]),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps, st.integers(0, 3))
def test_any_history_is_the_batch_of_what_remains(
    history: list[tuple[int, UUID, str]], asked: int
) -> None:
    """Add, move, correct and withdraw in any order: bit for bit a fit of what is left."""
    here: dict[int, tuple[UUID, int]] = {}  # work -> artist, edition
    kept = Statistics(WIDTH)
    for work, artist, what in history:
        if work in here:  # moved, corrected or withdrawn: the old one goes
            owner, edition = here.pop(work)
            kept.merge(Statistics.of([owner], works(work + 100 * edition)), by=-1)
        else:
            owner, edition = artist, 0
        if what == "withdraw":
            continue
        new = (artist, edition) if what == "put" else (owner, edition + 1)
        here[work] = new
        kept.add([new[0]], works(work + 100 * new[1]))

    batch = Statistics(WIDTH)
    if here:
        rows = np.concatenate([works(work + 100 * edition) for work, (_, edition) in here.items()])
        batch.add([artist for artist, _ in here.values()], rows)

    assert same(kept, batch)
    one, two = fit(kept, DIMS), fit(batch, DIMS)
    assert (one is None) == (two is None) == (not here)
    if one and two:
        assert np.array_equal(one.drawn, two.drawn)
        assert np.array_equal(one.inverse, two.inverse)
        assert np.array_equal(one.offsets, two.offsets)
        probe = named(works(500 + asked)[0])
        assert list(one.shares(probe).items()) == list(two.shares(probe).items())


@settings(deadline=None)
@given(st.permutations(range(12)), st.integers(1, 12))
def test_order_and_batches_do_not_matter(order: list[int], size: int) -> None:
    """The same works one by one, in batches, from several writers: the same sums."""
    rows, artists = works(3, 12), [ANNA, BORIS, CLARA] * 4
    shards = [Statistics(WIDTH), Statistics(WIDTH)]
    for start in range(0, 12, size):
        few = order[start : start + size]
        shards[start % 2].add([artists[one] for one in few], rows[few])
    shards[0].merge(shards[1])

    assert same(shards[0], Statistics.of(artists, rows))


def test_withdrawn_is_never_added() -> None:
    """The last work of an artist takes every trace along."""
    before = Statistics.of([ANNA, BORIS], works(1, 2))
    digest = before.digest()

    before.add([CLARA], works(9))
    assert before.digest() != digest
    before.merge(Statistics.of([CLARA], works(9)), by=-1)

    assert before.digest() == digest
    assert CLARA not in before.works


def test_sums_are_those_of_the_vectors() -> None:
    """Fixed point is the vectors to half of its last bit."""
    rows = works(4, 6)
    found = Statistics.of([ANNA] * 6, rows)

    assert np.allclose(found.sums[ANNA] / ONE, rows.sum(0), atol=6 / ONE)
    upper = (rows.T.astype(float) @ rows)[np.triu_indices(WIDTH)]
    assert np.allclose(found.gram / ONE**2, upper, atol=12 / ONE)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1.5, -2.0])
def test_numbers_of_no_unit_vector_are_refused(bad: float) -> None:
    """NaN from a model reaches no sum."""
    rows = works(1)
    rows[0, 2] = bad
    found = Statistics(WIDTH)

    with pytest.raises(BadInput, match="not finite"):
        found.add([ANNA], rows)

    assert found.is_empty


def test_statistics_of_other_encoders_are_refused() -> None:
    """Sums of another width neither join nor solve."""
    found = Statistics.of([ANNA], works(1))

    with pytest.raises(BadInput, match="other encoders"):
        found.merge(Statistics(WIDTH + 1))
    with pytest.raises(BadInput, match="other encoders"):
        found.add([ANNA], np.zeros((1, WIDTH + 1), np.float32))
    with pytest.raises(BadInput, match="other encoders"):
        fit(found, {"a": 5})


def test_sums_that_would_not_fit_are_refused() -> None:
    """A billion works is the limit, and it is looked after."""
    found = Statistics.of([ANNA], works(1))
    found.gram[0] = LARGEST - 1

    with pytest.raises(BadInput, match="64 bits"):
        found.add([ANNA], np.ones((1, WIDTH), np.float32))


def test_nobody_is_named_by_nothing() -> None:
    """Before the first work, and after the last was withdrawn, there is no classifier."""
    emptied = Statistics.of([ANNA], works(1))
    emptied.merge(Statistics.of([ANNA], works(1)), by=-1)

    assert fit(Statistics(WIDTH), DIMS) is None
    assert fit(emptied, DIMS) is None


def test_the_artist_whose_hand_it_is_leads() -> None:
    """A new work near the others of its artist is theirs."""
    found = Statistics(WIDTH)
    for number, artist in enumerate((ANNA, BORIS, CLARA)):
        found.add([artist] * 20, works(number, 20, around=number, spread=0.3))

    for number, artist in enumerate((ANNA, BORIS, CLARA)):
        shares = fitted(found).shares(named(works(77, around=number, spread=0.3)[0]))
        assert math.isclose(sum(shares.values()), 1)
        assert max(shares, key=lambda one: shares[one]) == artist


def test_the_choice_among_some_is_as_among_all() -> None:
    """Left out, an artist leaves the others what they had, in the same proportions."""
    found = Statistics.of([ANNA, BORIS, CLARA] * 4, works(5, 12))
    probe = named(works(6)[0])
    every = fitted(found).shares(probe)

    some = fitted(found).only({CLARA, ANNA, UUID(int=9)}).shares(probe)

    rest = every[ANNA] + every[CLARA]
    assert some == pytest.approx({one: every[one] / rest for one in (ANNA, CLARA)})
    assert fitted(found).only([]).shares(probe) == {}


def test_single_precision_moves_no_share() -> None:
    """Of what there is one of for each artist: as far as a share is written."""
    artists = [UUID(int=one + 1) for one in range(300)]
    whole = fitted(Statistics.of(artists * 3, works(7, 900)))
    probe = named(works(8)[0])
    row = np.concatenate([probe[space] for space in whole.spaces]).astype(float)
    scores = whole.drawn.astype(float) @ (whole.inverse @ (row - whole.centre)) + whole.offsets
    parts = np.exp((scores - scores.max()) / TEMPERATURE)

    assert list(whole.shares(probe).values()) == pytest.approx(parts / parts.sum(), abs=1e-6)


def test_one_artist_has_the_whole_share() -> None:
    """Among one there is no choice."""
    shares = fitted(Statistics.of([ANNA], works(1))).shares(named(works(2)[0]))

    assert shares == {ANNA: 1.0}


def test_one_work_an_artist() -> None:
    """Without a second work of anybody the nearest is named."""
    rows = np.concatenate([works(1, around=1), works(2, around=2), works(3, around=3)])
    shares = fitted(Statistics.of([ANNA, BORIS, CLARA], rows)).shares(named(rows[1]))

    assert all(math.isfinite(share) for share in shares.values())
    assert max(shares, key=lambda one: shares[one]) == BORIS


def test_works_that_are_all_the_same_name_nobody() -> None:
    """Identical works, as blank images are, share equally."""
    rows = np.repeat(works(1), 4, axis=0)
    classifier = fitted(Statistics.of([ANNA, ANNA, BORIS, CLARA], rows))

    for probe in (rows[0], works(8)[0]):
        shares = classifier.shares(named(probe))
        assert all(math.isclose(share, 1 / 3, rel_tol=1e-6) for share in shares.values())


def test_zero_vectors_are_no_division() -> None:
    """An encoder that has nothing to say of a blank image may say zero."""
    shares = fitted(Statistics.of([ANNA, BORIS], np.zeros((2, WIDTH), np.float32))).shares(
        named(np.zeros(WIDTH, np.float32))
    )

    assert shares == {ANNA: 0.5, BORIS: 0.5}


def test_a_large_portfolio_does_not_win_by_its_size() -> None:
    """Ten thousand works beside a few: each artist's own work is theirs."""
    found = Statistics.of([ANNA] * 10_000, works(1, 10_000, around=1, spread=0.3))
    found.add([BORIS], works(2, around=2, spread=0.3))
    found.add([CLARA] * 3, works(3, 3, around=3, spread=0.3))
    classifier = fitted(found)

    for number, artist in ((1, ANNA), (2, BORIS), (3, CLARA)):
        shares = classifier.shares(named(works(900 + number, around=number, spread=0.3)[0]))
        assert max(shares, key=lambda one: shares[one]) == artist
