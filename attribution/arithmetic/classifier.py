"""The second voter's arithmetic: an artist classifier that forgets exactly.

A Gaussian for each artist, all of one covariance and of equal priors (Fisher 1936; Hastie,
Tibshirani & Friedman, *The Elements of Statistical Learning*, 4.3), is a function of three sums
over the works: x xᵀ over all of them, x and 1 over each artist's. Here these are integers: a vector
is rounded to fixed point, so that adding a work and taking it away again leaves every bit as it
was, in whatever order. Nothing else is ever fitted; scales and centres are made from the same sums,
so a withdrawn work lives on in none of them. Knows no engine and no database.

Bounds, for components of at most 1: a product is at most 2^32, a sum over 2^21 works at most 2^53,
which float64 holds exactly (one chunk), and one over 2^31 works less than 2^63 (int64).
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

from attribution.arithmetic.shares import ManyShares
from attribution.errors import BadInput
from attribution.types import Matrix, Vector

Integers = npt.NDArray[np.int64]
Fixed = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.float64]

ONE = 2.0**16  # fixed point: what 1 is stored as
CHUNK = 2**16  # works summed in float64 at once; 2^21 would still be exact
SOLVED = 2**12  # artists solved at once: 32 MB with 971 dimensions
LARGEST = 2**62  # of a sum; beyond it the next change might not fit
LENGTH = 1.001  # of a component; vectors are L2-normalised in each space

# Round numbers on a plateau, chosen on the training half of the artists (docs/benchmarks.md).
BELIEF = 1.0  # ν, in works for each dimension
DRAWN = 3.0  # κ, in works
TEMPERATURE = 10.0
FLOOR = 1e-6  # of a variance: about what rounding leaves


class ArtistSums(NamedTuple):
    """How many works of an artist are counted, and their sum, shape (width,)."""

    artist: UUID
    works: int
    sums: Integers


class Digest:
    """The SHA-256 of statistics of which not all artists are in memory at once."""

    def __init__(self, width: int) -> None:
        self._hash = hashlib.sha256(width.to_bytes(4, "little"))

    def add(self, one: ArtistSums) -> None:
        """Add the next artist; they come in the order of their ids."""
        self._hash.update(one.artist.bytes + one.works.to_bytes(8, "little", signed=True))
        self._hash.update(one.sums.astype("<i8").tobytes())

    def end(self, gram: Integers) -> str:
        """Add Σ x xᵀ, and return the digest, hexadecimal."""
        self._hash.update(gram.astype("<i8").tobytes())
        return self._hash.hexdigest()


class Statistics:
    """Sums over works, or a difference of such sums; two are equal when every integer is.

    `works` and `sums` have an entry for each artist: how many works, and their sum, shape (width,).
    `gram` is the upper triangle of Σ x xᵀ, row by row, shape (width (width + 1) / 2,).
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.works: dict[UUID, int] = {}
        self.sums: dict[UUID, Integers] = {}
        self.gram: Integers = np.zeros(width * (width + 1) // 2, np.int64)

    @classmethod
    def of(cls, artists: Sequence[UUID], rows: Matrix) -> Statistics:
        """Sum the works of these artists; `rows` has shape (len(artists), width)."""
        made = cls(rows.shape[1])
        made.add(artists, rows)
        return made

    def add(self, artists: Sequence[UUID], rows: Matrix) -> None:
        """Add works: one row, all spaces one after the other, for each entry of `artists`.

        Raises BadInput for another width, and for numbers that no unit vector has.
        """
        if rows.shape != (len(artists), self.width):
            raise BadInput(
                f"vectors of shape {rows.shape} do not fit statistics of {len(artists)} works "
                f"and {self.width} dimensions; they come from other encoders"
            )
        works = fixed_point(rows)
        self.add_sums(artists, works)
        self.add_products(works)

    def add_sums(self, artists: Sequence[UUID], works: Fixed) -> None:
        """Add works in fixed point to the sums of their artists alone."""
        positions: dict[UUID, list[int]] = defaultdict(list)
        for position, artist in enumerate(artists):
            positions[artist].append(position)
        for artist, own in positions.items():
            self._count(artist, len(own), works[own].sum(0, dtype=np.int64))

    def add_products(self, works: Fixed) -> None:
        """Add works in fixed point to Σ x xᵀ alone."""
        for start in range(0, len(works), CHUNK):
            wide = works[start : start + CHUNK].astype(np.float64)
            self.gram += _triangle(wide.T @ wide)
        self._check()

    def merge(self, other: Statistics, *, by: int = 1) -> None:
        """Add other statistics, or take them away (`by` −1); raises BadInput for another width."""
        if other.width != self.width:
            raise BadInput(
                f"statistics of {other.width} dimensions cannot join those of {self.width}; "
                f"they belong to other encoders"
            )
        self.gram += by * other.gram
        for artist, works in other.works.items():
            self._count(artist, by * works, by * other.sums[artist])
        self._check()

    def digest(self) -> str:
        """Return the SHA-256 of every integer, hexadecimal: equal exactly when the sums are."""
        found = Digest(self.width)
        for artist in sorted(self.works):
            found.add(ArtistSums(artist, self.works[artist], self.sums[artist]))
        return found.end(self.gram)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is counted: no work, or no difference."""
        return not self.works and not self.gram.any()

    def take(self, one: ArtistSums) -> None:
        """Take the sums of an artist away."""
        self._count(one.artist, -one.works, -one.sums)

    def _count(self, artist: UUID, works: int, total: Integers) -> None:
        self.works[artist] = self.works.get(artist, 0) + works
        self.sums[artist] = self.sums.get(artist, np.zeros(self.width, np.int64)) + total
        if not self.works[artist] and not self.sums[artist].any():
            del self.works[artist], self.sums[artist]

    def _check(self) -> None:
        if len(self.gram) and max(int(self.gram.max()), -int(self.gram.min())) >= LARGEST:
            raise BadInput("too many works for one set of statistics: sums no longer fit 64 bits")


def fixed_point(rows: Matrix) -> Fixed:
    """Round works to fixed point; raises BadInput for numbers that no unit vector has."""
    if not bool(np.all(np.abs(rows) <= LENGTH)):  # false for NaN as well
        raise BadInput("a vector is not finite or not of length 1; the model is at fault")
    return np.rint(rows.astype(np.float64) * ONE).astype(np.int32)


def _triangle(square: Numbers) -> Integers:
    return square.ravel()[_upper(len(square))].astype(np.int64)


def _square(triangle: Integers, width: int) -> Numbers:
    """Return the symmetric matrix in units of 1, shape (width, width)."""
    full = np.zeros((width, width))
    full.ravel()[_upper(width)] = triangle / ONE**2
    lower = np.tril_indices(width, -1)
    full[lower] = full.T[lower]
    return full


@cache
def _upper(width: int) -> npt.NDArray[np.intp]:
    """Return where the upper triangle lies in a flattened matrix."""
    return np.flatnonzero(np.triu(np.ones((width, width), bool)))


@dataclass(frozen=True, eq=False)
class Classifier:
    """Statistics, solved. Row i of `drawn`, shape (artists, width), speaks for artist i.

    What there is one of for each artist is in single precision: it moves a share by less than a
    ten-thousandth, and takes half of the memory.
    """

    artists: tuple[UUID, ...]
    spaces: tuple[str, ...]
    works: Numbers  # (artists,)
    centre: Numbers  # (width,)
    drawn: Matrix  # the artists' means from it, drawn to it, (artists, width)
    inverse: Numbers  # of the covariance, (width, width)
    count: float  # what the covariance's sums were divided by, in works
    offsets: Numbers  # (artists,)

    @cached_property
    def positions(self) -> dict[UUID, int]:
        """Where each artist stands in `artists`."""
        return {artist: position for position, artist in enumerate(self.artists)}

    def only(self, artists: Collection[UUID]) -> Classifier:
        """Return the classifier that chooses among those of these artists whom it knows."""
        kept = sorted(self.positions[one] for one in artists if one in self.positions)
        return replace(
            self,
            artists=tuple(self.artists[position] for position in kept),
            works=self.works[kept],
            drawn=self.drawn[kept],
            offsets=self.offsets[kept],
        )

    def shares(self, vectors: Mapping[str, Vector]) -> ManyShares:
        """Return each artist's share for one image; they sum to 1.

        The log-likelihoods, softened by TEMPERATURE: neighbouring numbers are far from
        independent, so that a Gaussian alone is surer than it should be.
        """
        asked = self._row(vectors) - self.centre
        return self._shares(self._across(self.inverse @ asked) + self.offsets)

    def shares_without(
        self, vectors: Mapping[str, Vector], artist: UUID, works: Sequence[Mapping[str, Vector]]
    ) -> ManyShares:
        """Return the shares for an image as if some works of its artist were not there.

        The artist's mean and the covariance lose them, as they would by a withdrawal
        (Sherman, Morrison & Woodbury); only the centre stays where it is. An artist who has no
        other works gets nothing.
        """
        position = self.positions[artist]
        gone = np.stack([self._row(work) for work in works])
        count = self.works[position]
        left = count - len(gone)
        mean = self.centre + self.drawn[position] * (count + DRAWN) / count
        apart = gone - mean
        if left > 0:
            mean = (count * mean - gone.sum(0)) / left
            # Σ (x - m)(x - m)ᵀ of the others: less that of the gone, less k²/n' of their mean's.
            apart = np.vstack([apart, len(gone) / np.sqrt(left) * apart.mean(0)])
        side = self.inverse @ apart.T
        middle = np.linalg.inv(self.count * np.eye(len(apart)) - apart @ side)
        asked = self._row(vectors) - self.centre
        towards = self.inverse @ asked + side @ (middle @ (side.T @ asked))
        across = self._across(side)
        scores = self._across(towards) + self.offsets - np.sum(across @ middle * across, 1) / 2
        own = (mean - self.centre) * (left / (left + DRAWN))
        beside = side.T @ own
        norm = own @ self.inverse @ own + beside @ middle @ beside
        scores[position] = own @ towards - norm / 2 if left > 0 else -np.inf
        return self._shares(scores)

    def _row(self, vectors: Mapping[str, Vector]) -> Numbers:
        return np.concatenate([vectors[space] for space in self.spaces]).astype(np.float64)

    def _across(self, directions: Numbers) -> Numbers:
        """Return each artist's part of some directions, shape (width,) or (width, directions)."""
        return (self.drawn @ directions.astype(np.float32)).astype(np.float64)

    def _shares(self, scores: Numbers) -> ManyShares:
        best = scores.max(initial=-np.inf)
        if not np.isfinite(best):  # nobody, or the only artist's only works are left out
            return ManyShares(self.artists, self.positions, np.zeros(len(self.artists)))
        parts = np.exp((scores - best) / TEMPERATURE)
        return ManyShares(self.artists, self.positions, parts / parts.sum())


def fit(statistics: Statistics, dims: Mapping[str, int]) -> Classifier | None:
    """Solve the statistics of these spaces (name -> width); None where there is no artist.

    With n_a works of artist a, their mean m_a and the mean g of these means, the covariance is

        C = (S + ν D) / (N - A + ν),   S = Σ x xᵀ - Σ_a n_a m_a m_aᵀ  within artists,

    D diagonal, in each space the mean variance of its numbers: blocks weigh alike whatever their
    scale, and ν numbers' worth of independence is believed until the works say otherwise. Means of
    few works are drawn to g by n_a / (n_a + κ). Score of a: (m_a - g)ᵀ C⁻¹ (x - g) less half of
    (m_a - g)ᵀ C⁻¹ (m_a - g). Equal priors: no artist gains by the size of a portfolio.
    Raises BadInput for statistics of another width.
    """
    if statistics.width != sum(dims.values()):
        raise BadInput(
            f"statistics of {statistics.width} dimensions are not those of {sum(dims.values())}; "
            f"they belong to other encoders"
        )
    artists = tuple(sorted(one for one, works in statistics.works.items() if works > 0))
    if not artists:
        return None
    centre, summed = np.zeros(statistics.width), np.zeros(statistics.width)
    total = _square(statistics.gram, statistics.width)
    within = total.copy()
    for _, works, means in _means(statistics, artists):
        centre += means.sum(0) / len(artists)
        summed += works @ means
        scaled = means * np.sqrt(works)[:, None]
        within -= scaled.T @ scaled
    count = sum(statistics.works[one] for one in artists)
    spread = np.diag(total) / count - (summed / count) ** 2
    names = sorted(dims)
    ends = np.cumsum([dims[name] for name in names])[:-1]
    level = [np.full(len(part), max(part.mean(), FLOOR)) for part in np.split(spread, ends)]
    prior = BELIEF * statistics.width
    covariance = within + np.diag(prior * np.concatenate(level))
    divisor = float(count - len(artists) + prior)
    inverse = np.linalg.inv(covariance / divisor).astype(np.float64, copy=False)
    drawn = np.empty((len(artists), statistics.width), np.float32)
    offsets = np.empty(len(artists))
    for few, works, means in _means(statistics, artists):
        apart = (means - centre) * (works / (works + DRAWN))[:, None]
        drawn[few] = apart
        offsets[few] = -np.sum(apart @ inverse * apart, 1) / 2
    return Classifier(
        artists=artists,
        spaces=tuple(names),
        works=np.array([statistics.works[one] for one in artists], np.float64),
        centre=centre,
        drawn=drawn,
        inverse=inverse,
        count=divisor,
        offsets=offsets,
    )


def _means(
    statistics: Statistics, artists: Sequence[UUID]
) -> Iterator[tuple[slice, Numbers, Numbers]]:
    """Yield, of some artists at once, where they stand, their numbers of works and their means."""
    for start in range(0, len(artists), SOLVED):
        few = artists[start : start + SOLVED]
        works = np.array([statistics.works[one] for one in few], np.float64)
        sums = np.stack([statistics.sums[one] for one in few])
        yield slice(start, start + len(few)), works, sums / (ONE * works)[:, None]
