"""The vocabulary of attribution: frozen values without behaviour of their own.

What is searched (`Point`, `Where`), what comes back (`Neighbour`, `Hit`) and what describes
a model (`ModelInfo`). Nothing here knows an engine, a framework or a database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]
"""One L2-normalised vector, shape (dim,)."""

Matrix = npt.NDArray[np.float32]
"""One L2-normalised vector a row, shape (n, dim)."""

Patches = npt.NDArray[np.float32]
"""Descriptors of the places of images, shape (n, PATCHES, PATCHES, dim), of any length."""

PATCHES = 14  # places a side, whatever the model


Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part, in parts of the sides of the whole."""

WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


class Part(NamedTuple):
    """A view of a work that its copies are recognised by: a tile of a strip, or another ground."""

    work: UUID
    number: int  # 0 is the work as it is, seen whole


@dataclass(frozen=True)
class NearPart:
    """One part that is near to what was asked for."""

    part: Part
    score: float  # cosine
    rank: int  # from 1


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


@dataclass(frozen=True)
class IndexEntry:
    """What the index holds of one artwork beside its vectors, to be compared with the catalogue."""

    id: UUID
    artist_id: UUID
    licence: str | None
    year: int | None
    consent: tuple[str, ...]


@dataclass(frozen=True)
class Where:
    """A filter; empty means everything. Fields are joined by AND, values of one field by OR."""

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


@dataclass(frozen=True)
class Vote:
    """What the voters say for one artist; the shares of all artists sum to 1."""

    artist_id: UUID
    share: float
    spaces: Mapping[str, float]  # the part of `share` that the neighbours in each space gave
    works: tuple[UUID, ...]  # the neighbours behind it, heaviest first
    voters: Mapping[str, float]  # the part of `share` that each voter gave


class Verdict(StrEnum):
    """What an attribution amounts to."""

    COPY = "copy"  # the image is an indexed work, or an altered copy of one
    RELATED = "related"  # it shares much with a work, or with another of its series
    ATTRIBUTED = "attributed"  # one artist alone is likely, and "nobody" is refused
    CANDIDATES = "candidates"  # some artists stand out
    ABSTAIN = "abstain"  # nothing stands out


class Reason(StrEnum):
    """Why a verdict is not a stronger one."""

    UNKNOWN_ARTIST = "unknown_artist"  # a stranger's work may well look like this
    SEVERAL_ARTISTS = "several_artists"  # more than one artist is likely
    SPACES_DISAGREE = "spaces_disagree"  # the voters name different artists, none is likely
    TOO_FEW_WORKS = "too_few_works"  # by the first artist
    INCOMPLETE_INDEX = "incomplete_index"  # works are registered that the index does not have
    TOO_FEW_ARTISTS = "too_few_artists"  # are registered: nobody can stand out
    LOW_QUALITY = "low_quality"  # the image is blank, of nearly one colour, or tiny
    NOT_CALIBRATED = "not_calibrated"  # too few works are registered to know what a share means
    WITHDRAWN = "withdrawn"  # the image's bytes were registered once: nobody is named for them


@dataclass(frozen=True)
class Evidence:
    """One work that speaks for an artist, with its exact cosine in every space."""

    id: UUID
    title: str | None
    similarity: Mapping[str, float]


@dataclass(frozen=True)
class Candidate:
    """One artist of an answer."""

    slug: str
    name: str
    score: float  # share of the vote, not a probability
    spaces: Mapping[str, float]  # the neighbours' part of it, by space
    works: tuple[Evidence, ...]
    voters: Mapping[str, float] = field(default_factory=dict)  # the part that each voter gave
    probability: float | None = None  # None: not calibrated
    p_value: float | None = None  # of "by this artist"; small: it does not fit this hand
    is_likely: bool | None = None  # in the set that holds the artist of 90 % of our works


@dataclass(frozen=True)
class CalibrationState:
    """When the votes were last held against known works, and how much was registered then."""

    made_at: datetime
    works: int
    artists: int
    asked: int  # works asked for as if they, and as if their artists, were not there


@dataclass(frozen=True)
class Confidence:
    """How sure an answer is. Half of the images asked about are taken to be by strangers."""

    nobody: float  # probability that none of the registered artists made the image
    p_nobody: float  # p-value of that: how often a stranger's work looks as much like ours
    likely: int  # artists in the set that holds the right one for 90 % of our artists' works
    calibrated: CalibrationState


Corner = tuple[float, float]
"""A point of a picture: parts of its width and height from the upper left, 0 to 1."""


@dataclass(frozen=True)
class Overlap:
    """What an image and a work both show, and how the work was changed to become the image."""

    image: tuple[Corner, ...]  # the outline of what both show, on the image
    work: tuple[Corner, ...]  # the same outline on the work, corner by corner
    is_mirrored: bool
    turned_degrees: float  # counter-clockwise, after mirroring; -180 to 180


class CopyKind(StrEnum):
    """What is claimed of an image and a work, the surest first."""

    SAME_IMAGE = "same_image"  # the same bytes or pixels
    ALTERED_COPY = "altered_copy"  # its strokes and colours are the work's, or a part of them
    NEAR_IDENTICAL = "near_identical"  # the work changed or written over, or another of its series


@dataclass(frozen=True)
class CopyMatch:
    """The indexed work that an image can be laid on, how that was found, and who claims it."""

    id: UUID
    title: str | None
    slug: str
    name: str
    match: str  # how it was found: "bytes", "pixels", "perceptual" or "geometric"
    distance: int  # bits of 64 in which the perceptual hashes differ, in the nearest position
    also_claimed_by: tuple[str, ...]  # slugs of other artists who brought the same bytes
    kind: CopyKind
    # None in answers that were given before these existed:
    overlap: Overlap | None = None
    agreement: float | None = None  # part of the strokes of what both show that is the same
    content: float | None = None  # part of all of the work's strokes; None where not measured


@dataclass(frozen=True)
class DeclaredNonCopy:
    """A finding that a person has declared to be none: it is not said, but that it is not is."""

    id: UUID  # of the declaration
    declared_at: datetime
    by: str
    reason: str | None  # None: it went with a work that was withdrawn
    until: datetime | None  # None: without an end
    image_sha256: str  # of the image that was looked at
    is_this_image: bool  # False: one that is nearly the same
    would_be: CopyMatch  # what the answer says without the declaration
    # Of now, where an earlier answer is read: then its finding is silenced no longer.
    revoked_at: datetime | None = None
    revoked_by: str | None = None


@dataclass(frozen=True)
class Searched:
    """What an answer rests on."""

    works: int
    artists: int
    profile: str
    fingerprint: str
    points: int | None = None  # of these works that the index had, where it did not have all


@dataclass(frozen=True)
class Removal:
    """Something of a recorded answer that a withdrawal has removed."""

    at: datetime
    receipt: UUID  # of the withdrawal


@dataclass(frozen=True)
class Attribution:
    """The answer for one image."""

    id: UUID
    created_at: datetime
    image_sha256: str
    verdict: Verdict
    copy_of: CopyMatch | None  # the same image or an altered copy: verdict `copy`
    artists: tuple[Candidate, ...]  # best first
    searched: Searched
    notes: tuple[str, ...]  # what was done to the image, and why the answer may be weak
    reasons: tuple[Reason, ...] = ()  # why the verdict is no stronger
    confidence: Confidence | None = None  # None: not calibrated
    credentials: str = "absent"  # C2PA of the image: "valid", "untrusted", "invalid", "absent"
    related_to: CopyMatch | None = None  # near-identical: verdict `related`
    withdrawn_at: datetime | None = None  # the image's bytes were registered until then
    removed: tuple[Removal, ...] = ()  # since the answer was given
    declared: tuple[DeclaredNonCopy, ...] = ()  # what is not said of it

    @property
    def laid_on(self) -> CopyMatch | None:
        """The work that the image can be laid on, whatever that amounts to."""
        return self.copy_of or self.related_to


@dataclass(frozen=True)
class SetArtist:
    """One artist of an answer about a set of images."""

    slug: str
    name: str
    probability: float
    p_value: float  # of "all by this artist"


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
class SearchResult:
    """The works of a search, best first."""

    hits: tuple[FoundWork, ...]
    searched: Searched
    notes: tuple[str, ...] = ()  # what was not looked for, and why
