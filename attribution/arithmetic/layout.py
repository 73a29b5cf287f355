"""A map of pictures: vectors become places in the unit square, alike ones near each other.

A few works, the landmarks, are laid out against each other (t-SNE); everything else, also what
comes later, gets a place between those that it is nearest to, so that nothing has to move for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt

from attribution.types import Box, Matrix

Floats = npt.NDArray[np.float64]

LANDMARKS = 1_500  # what is laid out costs their square
NEAREST = 5  # that a place lies between
SAME = 1e-6  # 1 - cosine of what is taken for the same picture
PERPLEXITY = 30.0  # neighbours that count, about
EXAGGERATED, STEPS = 250, 750  # steps in all, and the first that pull clusters together
EXAGGERATION = 12.0
FEWEST = 5  # with less there is nothing to lay out: places are the principal components
MARGIN = 0.03  # of the square, on each side
CAPACITY = 400  # works of a tile
LEVELS = 12  # of tiles: each has four below it


def lay_out(vectors: Matrix, *, stopping: Callable[[], bool] = lambda: False) -> Floats:
    """Return a place in the unit square for each unit vector, shape (n, 2): the same every time.

    t-SNE, exact (van der Maaten & Hinton 2008), from the principal components on (Kobak & Berens
    2019). Time and memory grow with the square of the vectors. Ends early once `stopping()` is
    true.
    """
    components = _components(vectors)
    if len(vectors) < FEWEST:
        return _into_square(components)
    apart = np.maximum(2 - 2 * vectors @ vectors.T, 0)
    wanted = _affinities(apart, min(PERPLEXITY, (len(vectors) - 1) / 3))
    places = 1e-4 * components / max(float(components[:, 0].std()), SAME)
    return _into_square(_descend(wanted, places.astype(np.float32), stopping))


def between(similarities: Matrix, places: Floats) -> Floats:
    """Return places for pictures, shape (n, 2), by their cosines to placed ones, shape (n, placed).

    The mean of the NEAREST, weighed by 1 / (1 - cosine)²: what is a placed one's double lies on it.
    """
    few = min(NEAREST, len(places))
    nearest = np.argpartition(-similarities, few - 1, axis=1)[:, :few]
    apart = np.maximum(1 - np.take_along_axis(similarities, nearest, axis=1), SAME)
    weights = apart.astype(np.float64) ** -2
    weights /= weights.sum(axis=1, keepdims=True)
    found: Floats = np.einsum("nk,nkd->nd", weights, places[nearest])
    return found


def deal(places: Floats, full: Counter[int]) -> list[int]:
    """Return a tile for each place: the first, from the largest on, that is not full.

    So the tiles of the upper levels hold a sample of what lies in them, and those below the rest.
    Counts along in `full`, by tile.
    """
    levels = np.array([_tiles(places, level) for level in range(LEVELS)]).T.tolist()
    chosen = []
    for tiles in levels:
        tile = next((one for one in tiles if full[one] < CAPACITY), tiles[-1])
        full[tile] += 1
        chosen.append(tile)
    return chosen


def tiles_of(box: Box) -> list[int]:
    """Return the tiles to be looked into for what lies in a box, the largest first.

    Down to tiles of a quarter to a half of its longer side: a few dozen, and in them about as many
    works as a screen can show.
    """
    return list(_within(box))


def _within(box: Box) -> Iterator[int]:
    left, top, right, bottom = box
    deepest = int(np.clip(np.ceil(-np.log2(max(right - left, bottom - top))) + 1, 0, LEVELS - 1))
    for level in range(deepest + 1):
        last = 2**level - 1
        columns, rows = (
            range(int(np.clip(low * 2**level, 0, last)), int(np.clip(high * 2**level, 0, last)) + 1)
            for low, high in ((left, right), (top, bottom))
        )
        yield from (_first(level) + (row << level) + column for row in rows for column in columns)


def _tiles(places: Floats, level: int) -> npt.NDArray[np.int64]:
    columns, rows = np.clip(places * 2**level, 0, 2**level - 1).astype(np.int64).T
    tiles: npt.NDArray[np.int64] = _first(level) + (rows << level) + columns
    return tiles


def _first(level: int) -> int:
    """Return the number of the first tile of a level: behind all of those above."""
    return ((1 << 2 * level) - 1) // 3


def _components(vectors: Matrix) -> Floats:
    """Return the first two principal components, each with its largest value positive."""
    centred = vectors - vectors.mean(axis=0)
    left, strengths, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(vectors), 2))
    some = (left * strengths)[:, :2]
    found[:, : some.shape[1]] = some * np.where(some.max(axis=0) < -some.min(axis=0), -1, 1)
    return found


def _into_square(places: Floats | Matrix) -> Floats:
    """Return places with their middle in the middle of the square, at one scale on both axes."""
    low, high = places.min(axis=0), places.max(axis=0)
    side = max(float((high - low).max()), SAME)
    found: Floats = 0.5 + (places - (low + high) / 2) / side * (1 - 2 * MARGIN)
    return found.astype(np.float64)


def _affinities(apart: Matrix, perplexity: float) -> Matrix:
    """Return symmetric affinities that sum to 1, from squared distances.

    Each row's bandwidth is looked for by halving until its entropy is log(perplexity).
    """
    precision = np.ones((len(apart), 1))
    lowest, highest = np.zeros_like(precision), np.full_like(precision, np.inf)
    np.fill_diagonal(apart, 0)
    is_other = ~np.eye(len(apart), dtype=bool)
    for _ in range(40):
        shares = np.exp(-apart * precision) * is_other
        total = np.maximum(shares.sum(axis=1, keepdims=True), 1e-300)
        entropy = np.log(total) + precision * (apart * shares).sum(axis=1, keepdims=True) / total
        is_wide = entropy > np.log(perplexity)
        lowest, highest = (
            np.where(is_wide, precision, lowest),
            np.where(is_wide, highest, precision),
        )
        halfway = (lowest + np.minimum(highest, 1e12)) / 2
        precision = np.where(np.isinf(highest), precision * 2, halfway)
    shares /= total
    found: Matrix = ((shares + shares.T) / (2 * len(apart))).astype(np.float32)
    return found


def _descend(wanted: Matrix, places: Matrix, stopping: Callable[[], bool]) -> Matrix:
    """Return places whose affinities (Student's t) are as near to the wanted ones as steps bring.

    Gradient descent with momentum and a gain for each coordinate; the learning rate is n / 12, 50
    at least (Belkina et al. 2019).
    """
    rate = np.float32(max(len(places) / EXAGGERATION, 50))
    moved, gains = np.zeros_like(places), np.ones_like(places)
    for step in range(STEPS):
        if stopping():
            break
        is_early = step < EXAGGERATED
        lengths = (places**2).sum(axis=1)
        tails = 1 / (1 + np.maximum(lengths[:, None] + lengths - 2 * places @ places.T, 0))
        np.fill_diagonal(tails, 0)
        pull = (wanted * np.float32(EXAGGERATION) if is_early else wanted) * tails
        pull -= tails * tails / tails.sum()
        gradient = 4 * (pull.sum(axis=1)[:, None] * places - pull @ places)
        is_steady = np.sign(gradient) != np.sign(moved)
        gains = np.maximum(np.where(is_steady, gains + 0.2, gains * 0.8), 0.01)
        moved = np.float32(0.5 if is_early else 0.8) * moved - rate * gains * gradient
        places = places + moved
    return places
