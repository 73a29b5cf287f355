"""The vocabulary of attribution: frozen values without behaviour of their own.

What is searched (`Point`, `Where`), what comes back (`Neighbour`, `Hit`) and what describes
a model (`ModelInfo`). Nothing here knows an engine, a framework or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""One L2-normalised vector, shape (dim,)."""

Matrix = npt.NDArray[np.float32]
"""One L2-normalised vector a row, shape (n, dim)."""


@dataclass(frozen=True)
class ModelInfo:
    """What an encoder is, as data; stored with the vectors so that models never mix."""

    name: str  # "clip", "vae"
    model: str  # "ViT-B-32/laion2b_s34b_b79k", "madebyollin/taesd", "starter"
    vectors: Mapping[str, int]  # named vector -> width
    revision: str  # sha256 of the weights, hexadecimal
    preprocessing: str  # everything that changes a vector: size, resampling, precision, descriptor
    license: str

    def __post_init__(self) -> None:
        for name, dim in self.vectors.items():
            if dim <= 0:
                raise ValueError(f"{self.name}: vector {name!r} must have a positive width, got {dim}")


@dataclass(frozen=True)
class Point:
    """One artwork as the index holds it. `id` is the artwork's id."""

    id: UUID
    vectors: Mapping[str, Vector]
    text: str  # title, tags and artist, for BM25
    artist_id: UUID
    licence: str | None = None
    year: int | None = None
    consent: tuple[str, ...] = ()  # purposes granted: "index", "display", "train", "generate"


@dataclass(frozen=True)
class Where:
    """A filter; empty means everything. Fields are joined by AND, values of one field by OR."""

    artist_ids: tuple[UUID, ...] = ()
    licences: tuple[str, ...] = ()
    consent: tuple[str, ...] = ()  # every named purpose must be granted
    year_from: int | None = None
    year_to: int | None = None
    exclude_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Probe:
    """What is looked for: vectors by name, a text, or both; `weights` default to 1 a leg."""

    vectors: Mapping[str, Vector] = field(default_factory=dict)
    text: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Neighbour:
    """One answer of one leg: cosine for a dense vector, BM25 for `text`. `rank` starts at 1."""

    id: UUID
    artist_id: UUID
    score: float
    rank: int


@dataclass(frozen=True)
class Contribution:
    """What one leg gave to a fused hit: its own score and rank, and its part of the fused score."""

    score: float
    rank: int
    part: float


@dataclass(frozen=True)
class Hit:
    """One fused answer; `score` is the sum of the parts of `legs`."""

    id: UUID
    artist_id: UUID
    score: float
    legs: Mapping[str, Contribution]
