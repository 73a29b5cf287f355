"""Vectors in half precision: how they are rounded, and how they are kept.

A unit vector is rounded to float16 and brought to unit length again, once, where it is made: what
is computed from it (points, statistics, answers) is the same from what is kept, which is the
float16 numbers, half the space. The cosine to the vector before is above 0.9999998, as each number
is off by 2⁻¹¹ of itself at most.

Every machine computes the same length: the squares of halves are multiples of 2⁻⁴⁸, so float64 has
their sum exactly, in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from attribution.types import Matrix, Vector

Halves: TypeAlias = npt.NDArray[np.float16]

FAITHFUL = 0.9999  # the cosine to what was rounded; numbers below 6e-8 are lost
HALF = np.dtype("<f2")
WHOLE = np.dtype("<f4")
ROUNDS = 8  # two are enough for nearly all
IN_HALVES = b"\x10"  # 16 bits a number; makes the length odd, which that of float32 never is


def rounded(rows: Matrix) -> Matrix:
    """Round unit vectors, shape (n, d), float32; one that would turn by it stays as it is.

    To round again changes nothing: bringing a vector to unit length may move a number to the next
    half, so that is done until none moves. A vector in which some always do stays as it is.
    """
    whole = np.asarray(rows, np.float32)
    before, units = whole, _units(_halves(whole))
    for _ in range(ROUNDS):
        if np.array_equal(before, units):
            break
        before, units = units, _units(_halves(units))
    with np.errstate(invalid="ignore", over="ignore"):
        lengths = np.linalg.norm(whole, axis=1)
        is_faithful = np.einsum("nd,nd->n", whole, units) >= FAITHFUL * lengths
    is_unit = np.abs(lengths - 1) < 0.5  # not so, the sum of squares need not be exact
    rests = (before == units).all(1)
    chosen: Matrix = np.where((is_faithful & is_unit & rests)[:, None], units, whole)
    return chosen


def packed(vectors: Sequence[Vector]) -> bytes:
    """Return vectors, one behind the other, without loss: two bytes a number if all are rounded."""
    return packed_rows([vector[None] for vector in vectors])[0]


def packed_rows(spaces: Sequence[Matrix]) -> list[bytes]:
    """Return what `packed` does of each row: its vector in every matrix, one behind the other."""
    halves = [_halves(rows) for rows in spaces]
    is_whole = np.all(
        [(_units(half) == rows).all(1) for half, rows in zip(halves, spaces, strict=True)], axis=0
    )
    short = np.concatenate(halves, axis=1).astype(HALF, copy=False)
    return [
        IN_HALVES + short[row].tobytes()
        if may
        else b"".join(rows[row].astype(WHOLE).tobytes() for rows in spaces)
        for row, may in enumerate(is_whole.tolist())
    ]


def unpacked(data: bytes, widths: Sequence[int]) -> list[Vector]:
    """Return vectors of these widths that were packed, or kept as float32 before."""
    ends = np.cumsum(widths)[:-1]
    if len(data) % 2:
        numbers = np.frombuffer(data, HALF, offset=len(IN_HALVES))
        return [_units(half[None])[0] for half in np.split(numbers, ends)]
    return np.split(np.frombuffer(data, WHOLE).astype(np.float32), ends)


def count(data: bytes) -> int:
    """Return how many numbers were packed."""
    if len(data) % 2:
        return (len(data) - len(IN_HALVES)) // HALF.itemsize
    return len(data) // WHOLE.itemsize


def _halves(whole: Matrix) -> Halves:
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and so not faithful
        return whole.astype(HALF)


def _units(halves: Halves) -> Matrix:
    exact = halves.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        units: Matrix = (exact / np.sqrt((exact**2).sum(1, keepdims=True))).astype(np.float32)
    return units
