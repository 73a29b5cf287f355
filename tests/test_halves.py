"""Vectors in half precision: rounded once, packed without loss."""

from __future__ import annotations

import numpy as np
import pytest

from attribution.arithmetic.halves import packed, rounded, unpacked
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from tests.portfolios import picture


def unit(rows: int, width: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return random unit vectors."""
    drawn = np.random.default_rng(width).normal(size=(rows, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@pytest.mark.parametrize("width", [2, 78, 512, 4_096])
def test_rounding_turns_no_vector(width: int) -> None:
    """The cosine stays above 0.9999998, and rounding again changes nothing."""
    whole = unit(200, width)
    halves = rounded(whole)

    cosines = (whole * halves).sum(1, dtype=np.float64)
    assert (cosines > 0.9999998).all()
    assert np.array_equal(rounded(halves), halves)
    assert np.allclose(np.linalg.norm(halves, axis=1), 1, atol=1e-6)
    assert len(packed(list(halves))) == 2 * halves.size + 1
    assert np.array_equal(unpacked(packed(list(halves)), [width] * 200), halves)


def test_rounding_again_changes_nothing() -> None:
    """Not even where many numbers are equal, and all are rounded to the same side."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(rng.uniform(size=6), size=(3_000, 64)) ** rng.uniform(0, 4, (3_000, 1))
    whole = np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)
    once = rounded(whole)

    assert np.array_equal(rounded(once), once)
    assert np.mean([len(packed([one])) % 2 for one in once]) > 0.99


@pytest.mark.parametrize("scale", [1e-8, 1e6])
def test_what_half_precision_cannot_say_stays(scale: float) -> None:
    """Numbers that would vanish or overflow are kept as they are."""
    whole = unit(3, 64) * np.float32(scale)

    assert np.array_equal(rounded(whole), whole)
    assert np.array_equal(unpacked(packed(list(whole)), [64] * 3), whole)


def test_each_vector_is_judged_by_itself() -> None:
    """One that would turn does not keep the others from being rounded."""
    mixed = np.concatenate([unit(1, 64), unit(1, 64) * np.float32(1e-8)])
    chosen = rounded(mixed)

    assert not np.array_equal(chosen[0], mixed[0])
    assert np.array_equal(chosen[1], mixed[1])
    assert np.array_equal(unpacked(packed(list(chosen)), [64, 64]), chosen)


def test_what_was_kept_before_is_read() -> None:
    """As float32, without a mark."""
    whole = unit(1, 77)[0]

    before = whole.astype("<f4").tobytes()
    assert np.array_equal(np.concatenate(unpacked(before, [70, 7])), whole)


def test_encoders_give_rounded_vectors() -> None:
    """So a point is the same when it is made again from what is kept."""
    for rows in EncoderSet([StubEncoder()]).encode([picture(1), picture(2)]).values():
        assert np.array_equal(rounded(rows), rows)
        assert len(packed(list(rows))) % 2
