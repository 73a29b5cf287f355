"""Answers as they leave the program as data: what is known, and the sentences that say it.

Over HTTP and as JSON in the terminal. The names here are promised to clients: where a value of the
library is renamed, the field keeps its name (`Field(validation_alias=...)`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from attribution.answers import Attribution, CopyKind, Reason, Verdict
from attribution.lookup.again import Again
from attribution.lookup.batches import BatchFindings
from attribution.lookup.differences import Difference, Part
from attribution.lookup.recomputing import Recomputed
from attribution.lookup.results import Findings, Member, SearchResult, SetAttribution
from attribution.lookup.wording import by_one_hand, headline, lanes, membership, together

Outline = tuple[tuple[float, float], ...]


class _Shape(BaseModel):
    """Reads its fields from a value of the library."""

    model_config = ConfigDict(from_attributes=True)


class EvidenceOut(_Shape):
    """One work that speaks for an artist, with its exact cosine in every space."""

    id: UUID
    title: str | None
    similarity: dict[str, float]
    sha256: str | None = None


class CandidateOut(_Shape):
    """One artist of an answer."""

    slug: str
    name: str
    score: float
    spaces: dict[str, float]
    works: tuple[EvidenceOut, ...]
    voters: dict[str, float] = Field(default_factory=dict)
    probability: float | None = None
    p_value: float | None = None
    is_likely: bool | None = None


class CalibrationStateOut(_Shape):
    """When the votes were last held against known works, and how much was registered then."""

    made_at: datetime
    works: int
    artists: int
    asked: int


class ConfidenceOut(_Shape):
    """How sure an answer is. Half of the images asked about are taken to be by strangers."""

    nobody: float
    p_nobody: float
    likely: int | None
    calibrated: CalibrationStateOut
    p_familiar: float | None = None


class OverlapOut(_Shape):
    """What an image and a work both show, and how the work was changed to become the image."""

    image: Outline
    work: Outline
    is_mirrored: bool
    turned_degrees: float


class CopyMatchOut(_Shape):
    """The indexed work that an image can be laid on, how that was found, and who claims it."""

    id: UUID
    title: str | None
    slug: str
    name: str
    match: str
    distance: int
    also_claimed_by: tuple[str, ...]
    kind: CopyKind
    overlap: OverlapOut | None = None
    agreement: float | None = None
    content: float | None = None
    sha256: str | None = None


class DeclaredNonCopyOut(_Shape):
    """A finding that a person has declared to be none: it is not said, but that it is not is."""

    id: UUID
    declared_at: datetime
    by: str
    reason: str | None
    until: datetime | None
    image_sha256: str
    is_this_image: bool
    would_be: CopyMatchOut
    revoked_at: datetime | None = None
    revoked_by: str | None = None


class SearchedOut(_Shape):
    """What an answer rests on."""

    works: int
    artists: int
    profile: str
    fingerprint: str
    points: int | None = None


class PinsOut(_Shape):
    """What an answer was computed with: `GET /v1/attributions/{id}/differences` compares."""

    program: str = Field(description="Version.")
    entry: int = Field(description="The last entry of the audit before the answer.")
    chain: str = Field(description="SHA-256 of the audit up to there.")
    voters: dict[str, str | None] = Field(
        description="Who voted, with the SHA-256 of what each was made from, if it keeps a state."
    )
    calibration: str | None = Field(description="SHA-256 of the calibration's numbers.")
    workings: str | None = Field(
        default=None,
        description="SHA-256 of what it was computed from; null: nothing, or before that was kept.",
    )
    solved_at: datetime | None = Field(
        default=None,
        description="When the classifier was solved, if works came or went since; null: it weighed "
        "all that was registered.",
    )


class RemovalOut(_Shape):
    """Something of a recorded answer that a withdrawal has removed."""

    at: datetime
    receipt: UUID


class AnswerOut(_Shape):
    """The answer for one image, with what it says."""

    id: UUID
    created_at: datetime
    image_sha256: str
    verdict: Verdict
    copy_of: CopyMatchOut | None
    artists: tuple[CandidateOut, ...]
    searched: SearchedOut
    notes: tuple[str, ...]
    reasons: tuple[Reason, ...] = ()
    confidence: ConfidenceOut | None = None
    credentials: str = "absent"
    related_to: CopyMatchOut | None = None
    withdrawn_at: datetime | None = None
    removed: tuple[RemovalOut, ...] = ()
    declared: tuple[DeclaredNonCopyOut, ...] = ()
    pins: PinsOut | None = None
    is_thorough: bool = Field(
        default=True,
        description="Whether parts of the image were looked up too; `lanes.copy` says what is left "
        "out.",
    )
    summary: str = ""  # one sentence
    lanes: dict[str, str] = Field(default_factory=dict)  # a sentence each: copy, style, provenance

    @classmethod
    def of(cls, answer: Attribution) -> Self:
        """Add the words."""
        words = {"summary": headline(answer), "lanes": lanes(answer)}
        return cls.model_validate(answer).model_copy(update=words)


class DifferenceOut(_Shape):
    """Something that is not as it was when an answer was given."""

    part: Part
    said: str = Field(description="A sentence.")
    about: str | None = Field(description="Id of a work or declaration, slug, name of a voter.")


class DifferencesOut(BaseModel):
    """What has become different since an answer was given."""

    attribution: UUID
    differences: tuple[DifferenceOut, ...]

    @classmethod
    def of(cls, attribution_id: UUID, found: Sequence[Difference]) -> Self:
        """Shape them."""
        differences = tuple(map(DifferenceOut.model_validate, found))
        return cls(attribution=attribution_id, differences=differences)


class AgainOut(BaseModel):
    """An answer of today beside an earlier one about the same image."""

    earlier: UUID
    earlier_summary: str = Field(description="What the earlier answer says, in a sentence.")
    answer: AnswerOut
    differences: tuple[DifferenceOut, ...] = Field(description="Of what the two answers rest on.")

    @classmethod
    def of(cls, found: Again) -> Self:
        """Shape it."""
        return cls(
            earlier=found.earlier.id,
            earlier_summary=headline(found.earlier),
            answer=AnswerOut.of(found.answer),
            differences=tuple(map(DifferenceOut.model_validate, found.differences)),
        )


class FigureOut(_Shape):
    """Something that an answer states, and what comes out when it is computed again."""

    name: str
    stated: Any
    found: Any
    said: str = Field(description="A sentence.")


class RecomputationOut(_Shape):
    """What comes out when the arithmetic of an answer is done again, from what is kept of it."""

    attribution: UUID
    is_right: bool = Field(description="Whether all that could be computed comes out as stated.")
    said: str = Field(description="A sentence.")
    compared: int = Field(description="Figures.")
    differing: tuple[FigureOut, ...]
    taken: tuple[str, ...] = Field(
        description="What was taken from the record instead, and why: sentences."
    )

    @classmethod
    def of(cls, attribution_id: UUID, found: Recomputed) -> Self:
        """Shape it."""
        return cls(
            attribution=attribution_id,
            is_right=found.is_right,
            said=found.said,
            compared=found.compared,
            differing=tuple(map(FigureOut.model_validate, found.differing)),
            taken=found.taken,
        )


class WrongFindingsOut(_Shape):
    """How often such a finding, or a surer one, was made of works that were not registered."""

    asked: int
    found: int
    at_most: float


class MemberOut(_Shape):
    """Whether an image is registered, with what that says."""

    copy_of: CopyMatchOut | None
    related_to: CopyMatchOut | None
    wrong: WrongFindingsOut | None
    searched: SearchedOut
    is_blank: bool = False
    notes: tuple[str, ...] = ()
    withdrawn_at: datetime | None = None
    declared: tuple[DeclaredNonCopyOut, ...] = ()
    reasons: tuple[Reason, ...] = ()
    summary: str = ""

    @classmethod
    def of(cls, answer: Member) -> Self:
        """Add the words."""
        return cls.model_validate(answer).model_copy(update={"summary": membership(answer)})


class SetArtistOut(_Shape):
    """One artist of an answer about a set of images."""

    slug: str
    name: str
    probability: float
    p_value: float


class SetOut(_Shape):
    """One answer for images that are said to be by one hand, with what it says."""

    answers: tuple[AnswerOut, ...]
    pictures: int
    verdict: Verdict
    reasons: tuple[Reason, ...]
    nobody: float | None
    p_nobody: float | None
    artists: tuple[SetArtistOut, ...]
    summary: str = ""

    @classmethod
    def of(cls, answer: SetAttribution) -> Self:
        """Add the words."""
        single = tuple(map(AnswerOut.of, answer.answers))
        words = {"answers": single, "summary": by_one_hand(answer)}
        return cls.model_validate(answer).model_copy(update=words)


class FindingsOut(_Shape):
    """Which of many images show or resemble what is registered, and the sentence about it."""

    level: float
    images: int
    compared: int
    copies: tuple[UUID, ...]
    related: tuple[UUID, ...]
    style: tuple[UUID, ...]
    declared: tuple[UUID, ...] = ()
    incomplete: int = 0
    repeated: int = 0
    unreadable: tuple[str, ...] = ()  # names of images
    summary: str = ""

    @classmethod
    def of(cls, findings: Findings, unreadable: Sequence[str] = ()) -> Self:
        """Add the words."""
        summary = together(findings, unreadable=len(unreadable))
        words = {"unreadable": tuple(unreadable), "summary": summary}
        return cls.model_validate(findings).model_copy(update=words)


class ShownWorkOut(_Shape):
    """A registered work, and how many of many images show it."""

    id: UUID
    title: str | None
    slug: str
    name: str
    copies: int
    related: int


class NamedArtistOut(_Shape):
    """A registered artist, and how many of many images show or resemble their work."""

    slug: str
    name: str
    copies: int
    related: int
    style: int


class BatchFindingsOut(BaseModel):
    """What the answers of a batch say together, so far."""

    pending: int = Field(description="Images still to be looked up: what is found may change.")
    findings: FindingsOut
    works: tuple[ShownWorkOut, ...] = Field(description="Shown by any image, the most first.")
    artists: tuple[NamedArtistOut, ...] = Field(
        description="Whose work any image shows or resembles, the most first."
    )

    @classmethod
    def of(cls, found: BatchFindings) -> Self:
        """Shape them."""
        return cls(
            pending=found.pending,
            findings=FindingsOut.of(found.findings, found.unreadable),
            works=tuple(map(ShownWorkOut.model_validate, found.union.works)),
            artists=tuple(map(NamedArtistOut.model_validate, found.union.artists)),
        )


class ContributionOut(_Shape):
    """What one leg gave to a fused hit: its own score and rank, and its part of the fused score."""

    score: float
    rank: int
    part: float


class FoundWorkOut(_Shape):
    """One work of a search, with what every leg gave."""

    id: UUID
    title: str | None
    slug: str
    name: str
    licence: str | None
    licence_id: str | None
    year: int | None
    score: float
    legs: dict[str, ContributionOut]


class FacetsOut(_Shape):
    """How many of the works found first each artist and each licence has."""

    works: int = Field(description="Works that are counted: the first ones, on whatever page.")
    artists: dict[str, int] = Field(description="By slug, the most first.")
    names: dict[str, str] = Field(description="Names of these artists, by slug.")
    licences: dict[str, int] = Field(
        description="By identifier, or by the text of one that has none."
    )


class SearchOut(_Shape):
    """The works of a search, best first."""

    hits: tuple[FoundWorkOut, ...]
    searched: SearchedOut
    notes: tuple[str, ...] = ()
    next: str | None = Field(
        None, description="Give it as `cursor` to get the next page; null at the end."
    )
    facets: FacetsOut | None = Field(None, description="Null unless they were asked for.")

    @classmethod
    def of(cls, result: SearchResult) -> Self:
        """Shape a result."""
        return cls.model_validate(result)
