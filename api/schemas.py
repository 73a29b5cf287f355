"""What the API sends: one model for each resource, made from catalogue rows and nothing else.

Answers and the results of searches are in `api.answers`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Generic, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from api.consents import StandingOut
from attribution.answers import Verdict, read_answer
from attribution.catalogue.models import (
    Artist,
    Artwork,
    ArtworkStatus,
    Claim,
    IngestItem,
    IngestJob,
    JobStatus,
    Outcome,
    RecordedAttribution,
)
from attribution.catalogue.queries import JobSummary, Page, Seen, Standing

Row = TypeVar("Row")
Shown = TypeVar("Shown")


class PageOut(BaseModel, Generic[Shown]):
    """Some entries of a list."""

    items: list[Shown]
    next: str | None = Field(
        description="Give it as `cursor` to get the next page; null at the end."
    )

    @classmethod
    def of(cls, page: Page[Row], shape: Callable[[Row], Shown]) -> Self:
        """Shape every row of a page."""
        return cls(items=[shape(row) for row in page.items], next=page.next)


class ArtistName(BaseModel):
    """An artist, in short."""

    slug: str = Field(examples=["claude-monet"])
    name: str = Field(examples=["Claude Monet"])

    @classmethod
    def of(cls, artist: Artist) -> Self:
        """Shape a row."""
        return cls(slug=artist.slug, name=artist.name)


class ArtistOut(ArtistName):
    """An artist of the catalogue."""

    works: int = Field(description="Works that can be found.", examples=[12])
    aliases: list[str] = Field(description="Other names, confirmed.", examples=[["C. Monet"]])

    @classmethod
    def of_row(cls, row: tuple[Artist, int]) -> Self:
        """Shape an artist, read with aliases, and the number of works."""
        artist, works = row
        aliases = [alias.name for alias in artist.aliases]
        return cls(slug=artist.slug, name=artist.name, works=works, aliases=aliases)


class ArtistDetail(ArtistOut):
    """Everything about one artist."""

    likely_aliases: list[ArtistName] = Field(
        description="Artists of nearly the same name: perhaps one person, never merged unasked."
    )
    created_at: datetime


class ArtworkOut(BaseModel):
    """One work, by the bytes of its file."""

    id: UUID
    artist: ArtistName
    title: str | None
    caption: str | None
    tags: list[str]
    year: int | None
    dated: str | None = Field(description="The date in words, where it is more than a year.")
    licence: str | None = Field(description="As it was written.")
    licence_id: str | None = Field(
        description="What it is called by SPDX or RightsStatements.org; null: not recognised.",
        examples=["CC-BY-4.0", "InC"],
    )
    source: str | None
    status: ArtworkStatus
    reason: str | None = Field(description="Why it failed or was withdrawn.")
    consent: list[str] = Field(
        description="What may be done with it now.", examples=[["index", "display", "evidence"]]
    )
    sha256: str = Field(description="Of the file.")
    path_seen: str | None = Field(description="Where the file came from last.")
    facts: Mapping[str, Any] = Field(description="Format, sides, and what was done to reach RGB.")
    rights: Mapping[str, Any] = Field(description="What the file's metadata says of its rights.")
    created_at: datetime

    @classmethod
    def of(cls, row: Artwork, seen: Seen | None) -> Self:
        """Shape a row, read with its artist, and where its file came from."""
        return cls(
            id=row.id,
            artist=ArtistName.of(row.artist),
            title=row.title,
            caption=row.caption,
            tags=row.tags,
            year=row.year,
            dated=row.dated,
            licence=row.licence,
            licence_id=row.licence_id,
            source=row.source,
            status=row.status,
            reason=row.reason,
            consent=list(row.consent),
            sha256=row.sha256,
            path_seen=seen.path if seen else None,
            facts=row.facts,
            rights=row.rights,
            created_at=row.created_at,
        )


class ClaimOut(BaseModel):
    """Another artist who brought the same bytes."""

    artist: ArtistName
    created_at: datetime


class ArtworkDetail(ArtworkOut):
    """Everything about one work."""

    conflicting_claims: list[ClaimOut]
    consents: list[StandingOut] = Field(description="What holds now, purpose by purpose, and why.")

    @classmethod
    def of_row(cls, row: Artwork, seen: Seen | None, claims: list[Claim], stands: Standing) -> Self:
        """Shape a row, the claims on it, read with their artists, and the consent that stands."""
        return cls(
            **vars(ArtworkOut.of(row, seen)),
            consents=StandingOut.all_of(stands),
            conflicting_claims=[
                ClaimOut(artist=ArtistName.of(one.artist), created_at=one.created_at)
                for one in claims
            ],
        )


class JobOut(BaseModel):
    """One portfolio on its way in."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    source: str = Field(examples=["upload:portfolio.zip", "/home/ann/portfolio"])
    status: JobStatus
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class JobDetail(JobOut):
    """A job and how far it is."""

    files: int
    outcomes: dict[Outcome, int]
    artists: int
    remarks: list[str] = Field(description="On the source as a whole, in sentences.")
    waiting: str | None = Field(description="What keeps it from going on; it goes on by itself.")
    blank: int = Field(description="Files that show nothing: registered, and never found.")

    @classmethod
    def of(cls, job: IngestJob, summary: JobSummary, waiting: str | None) -> Self:
        """Shape a job and its counts."""
        return cls(
            **vars(JobOut.model_validate(job)),
            files=summary.total,
            outcomes=dict(summary.outcomes),
            artists=summary.artists,
            remarks=job.remarks,
            waiting=waiting,
            blank=summary.blank,
        )


class ItemOut(BaseModel):
    """What became of one file of a job."""

    path: str
    artist: str
    outcome: Outcome
    reason: str | None
    artwork_id: UUID | None

    @classmethod
    def of(cls, row: IngestItem) -> Self:
        """Shape a row."""
        return cls(
            path=row.path,
            artist=row.artist,
            outcome=row.outcome,
            reason=row.reason,
            artwork_id=row.artwork_id,
        )


class Arriving(BaseModel):
    """A work on its way in."""

    id: UUID = Field(description="Of the artwork; it can be found once its job is done.")
    job: UUID = Field(description="The ingest job that brings it in.")


class WithdrawalOut(BaseModel):
    """A request to forget, with its receipt: what was removed from where."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Literal["artist", "artwork"]
    artist_id: UUID
    artwork_id: UUID | None
    reason: str
    requested_at: datetime
    completed_at: datetime | None = Field(description="Null: something is still to be removed.")
    receipt: dict[str, Any] = Field(
        description="`works`: their ids; `before` and `after`: works and points counted; "
        "`removed`: how many of what; `left`: what is left, and where; null: cannot be looked at."
    )


class AttributionBrief(BaseModel):
    """An earlier answer, in short."""

    id: UUID
    created_at: datetime
    image_sha256: str
    verdict: Verdict
    copy_of: str | None = Field(description="Slug of the artist whose work the image is a copy of.")
    original: UUID | None = Field(description="That work.")
    artists: list[str] = Field(description="Slugs, best first.")

    @classmethod
    def of(cls, row: RecordedAttribution) -> Self:
        """Shape a row."""
        answer = read_answer(row.answer)
        return cls(
            id=row.id,
            created_at=row.created_at,
            image_sha256=row.image_sha256,
            verdict=answer.verdict,
            copy_of=answer.copy_of.slug if answer.copy_of else None,
            original=answer.copy_of.id if answer.copy_of else None,
            artists=[one.slug for one in answer.artists],
        )


class Readiness(BaseModel):
    """What the service rests on: "ok", or what is wrong."""

    ready: bool
    checks: dict[str, str] = Field(examples=[{"database": "ok", "index": "ok", "models": "ok"}])
