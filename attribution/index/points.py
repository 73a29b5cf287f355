"""What the index holds, what it is asked for, and what it answers: values without an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from attribution import tenants
from attribution.types import Part, Vector


@dataclass(frozen=True)
class Point:
    """One artwork as the index holds it. `id` is the artwork's id."""

    id: UUID
    vectors: Mapping[str, Vector]
    text: str  # title, tags and artist, for BM25
    artist_id: UUID
    licence: str | None = None  # its identifier; the text of one that has none
    year: int | None = None
    consent: tuple[str, ...] = ()  # purposes granted: "index", "display", "train", "generate"
    tenant: str = field(default_factory=tenants.current)


@dataclass(frozen=True)
class IndexEntry:
    """What the index holds of one artwork beside its vectors, to be compared with the catalogue."""

    id: UUID
    artist_id: UUID
    licence: str | None
    year: int | None
    consent: tuple[str, ...]
    tenant: str = field(default_factory=tenants.current)


@dataclass(frozen=True)
class Where:
    """A filter; empty means all of the tenant. Fields are joined by AND, values of one by OR."""

    artist_ids: tuple[UUID, ...] = ()
    licences: tuple[str, ...] = ()
    year_from: int | None = None
    year_to: int | None = None
    exclude_ids: tuple[UUID, ...] = ()
    exclude_artist_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class Probe:
    """What is looked for: a vector a leg, words, or both; the words' leg is called `text`."""

    vectors: Mapping[str, Vector] = field(default_factory=dict)  # by leg
    using: Mapping[str, str] = field(default_factory=dict)  # leg -> named vector; default: the leg
    text: str | None = None


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


@dataclass(frozen=True)
class NearPart:
    """One part that is near to what was asked for."""

    part: Part
    score: float  # cosine
    rank: int  # from 1
