"""What the use cases answer beside an attribution: members, sets, many images, searches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from attribution.answers import Attribution, CopyMatch, DeclaredNonCopy, Reason, Searched, Verdict
from attribution.arithmetic.calibration import LEVEL
from attribution.index.points import Contribution


@dataclass(frozen=True)
class SetArtist:
    """One artist of an answer about a set of images."""

    slug: str
    name: str
    probability: float
    p_value: float  # of "all by this artist"

    @property
    def is_likely(self) -> bool:
        """Whether the artist is in the set of likely ones (`calibration.Odds.likely`)."""
        return self.p_value > 1 - LEVEL


@dataclass(frozen=True)
class SetAttribution:
    """One answer for images that are said to be by one hand."""

    answers: tuple[Attribution, ...]  # for each image by itself, in their order
    pictures: int  # that differ; near-duplicates among the images count once
    verdict: Verdict
    reasons: tuple[Reason, ...]
    nobody: float | None  # as in `Confidence`; None: not calibrated
    p_nobody: float | None
    artists: tuple[SetArtist, ...]  # best first


@dataclass(frozen=True)
class WrongFindings:
    """How often such a finding, or a surer one, was made of works that were not registered."""

    asked: int
    found: int
    at_most: float  # what the true rate does not exceed, at 95 % confidence


@dataclass(frozen=True)
class Member:
    """Whether an image, or a near copy of it, is registered; without one, no proof of absence."""

    copy_of: CopyMatch | None
    related_to: CopyMatch | None
    wrong: WrongFindings | None  # as it was counted once (docs/benchmarks.md)
    searched: Searched
    is_blank: bool = False  # the image shows nothing, so nothing can be said
    notes: tuple[str, ...] = ()  # what was done to the image, and why nothing can be said
    withdrawn_at: datetime | None = None  # the image's bytes were registered until then
    declared: tuple[DeclaredNonCopy, ...] = ()  # what is not said of it
    reasons: tuple[Reason, ...] = ()  # why it says no more


@dataclass(frozen=True)
class Findings:
    """Which of many images show or resemble what is registered: lists of ids of their answers.

    The same file counts once, however often it was given.
    """

    level: float  # of those in `style`, this part at most is expected to resemble nobody of ours
    images: int  # that were asked about
    compared: int  # in style: they are no copies, and have a p-value
    copies: tuple[UUID, ...]
    related: tuple[UUID, ...]  # a person has to look; some may stand in `style` as well
    style: tuple[UUID, ...]
    declared: tuple[UUID, ...] = ()  # what they show was declared to be no copy
    incomplete: int = 0  # answers from an index that did not have all registered works
    repeated: int = 0  # files that were given again


@dataclass(frozen=True)
class ShownWork:
    """A registered work, and how many of many images show it."""

    id: UUID
    title: str | None
    slug: str  # of its artist
    name: str
    copies: int
    related: int


@dataclass(frozen=True)
class NamedArtist:
    """A registered artist, and how many of many images show or resemble their work."""

    slug: str
    name: str
    copies: int
    related: int
    style: int  # at the level of the findings; an image with several likely artists counts for each


@dataclass(frozen=True)
class Union:
    """Which registered works and artists were found in any of many images, most often first."""

    works: tuple[ShownWork, ...]
    artists: tuple[NamedArtist, ...]


@dataclass(frozen=True)
class FoundWork:
    """One work of a search, with what every leg gave."""

    id: UUID
    title: str | None
    slug: str
    name: str
    licence: str | None  # as it was written
    licence_id: str | None  # SPDX or RightsStatements.org; None: the text names neither
    year: int | None
    score: float
    legs: Mapping[str, Contribution]


@dataclass(frozen=True)
class Facets:
    """How many of the works found first each artist and each licence has."""

    works: int  # that are counted: the first ones, on whatever page
    artists: Mapping[str, int]  # by slug, the most first
    names: Mapping[str, str]  # of these artists
    licences: Mapping[str, int]  # by identifier, or the text of one that has none


@dataclass(frozen=True)
class SearchResult:
    """The works of a search, best first."""

    hits: tuple[FoundWork, ...]
    searched: Searched
    notes: tuple[str, ...] = ()  # what was not looked for, and why
    next: str | None = None  # the cursor of the next page; None at the end
    facets: Facets | None = None  # where they were asked for
