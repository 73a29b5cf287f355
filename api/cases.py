"""What is shown of a case, over HTTP and as JSON in the terminal."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from attribution.cases import (
    Assessed,
    CaseKind,
    CaseOutcome,
    CaseStatus,
    Ground,
    Lane,
    NoteKind,
    PartyRole,
)
from attribution.catalogue.models import (
    Assessment,
    Case,
    CaseDocument,
    CaseFinding,
    CaseNote,
    CaseParty,
    CaseSubject,
    Decision,
    HeldExhibit,
    Hold,
    PartyContact,
)
from attribution.catalogue.queries import desk
from attribution.catalogue.queries.holds import holds_of
from attribution.catalogue.queries.pairs import Pair

SUFFIXES = {
    "application/pdf": ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
    "image/tiff": ".tif",
    "message/rfc822": ".eml",
    "text/plain": ".txt",
}


class CaseOut(BaseModel):
    """A case, in short."""

    id: UUID
    number: int = Field(description="Of the tenant, without gaps.")
    kind: CaseKind
    title: str
    status: CaseStatus
    priority: int = Field(description="1 is the most urgent, 5 the least.")
    assignee: str | None = Field(description="Null: whoever takes it from the queue.")
    due_at: datetime | None
    opened_at: datetime
    opened_by: str
    appeals: UUID | None = Field(description="The decision that an appeal is against.")
    follows: UUID | None = Field(
        description="A closed case of the kind that was about one of its images."
    )
    lease_by: str | None = Field(description="Who took it from the queue last.")
    lease_until: datetime | None
    subjects: int = Field(description="Images.")
    findings: int

    @classmethod
    def of(cls, row: Case) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in CaseOut.model_fields})


class PartyOut(BaseModel):
    """Somebody who has to do with a case."""

    id: UUID
    role: PartyRole
    artist: str | None = Field(description="Slug; after a merge it leads to the other artist.")
    name: str | None
    account: str | None = Field(description="Who this is among the users of the service.")

    @classmethod
    def of(cls, row: CaseParty) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class ContactOut(BaseModel):
    """How a party can be reached."""

    party_id: UUID
    text: str
    until: datetime = Field(description="Then it is deleted.")

    @classmethod
    def of(cls, row: PartyContact) -> Self:
        """Shape a row."""
        return cls(party_id=row.party_id, text=row.text, until=row.until)


class DecisionOut(BaseModel):
    """A decision; it never changes, a later one supersedes it."""

    id: UUID
    number: int
    outcome: CaseOutcome
    ground: Ground
    words: str
    by: str
    at: datetime
    supersedes: UUID | None
    needs_second: bool = Field(description="It holds only when a second person has signed it.")
    seconded_by: str | None
    seconded_at: datetime | None

    @classmethod
    def of(cls, row: Decision) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class NoteOut(BaseModel):
    """What somebody wrote into a case."""

    kind: NoteKind
    text: str
    by: str
    at: datetime

    @classmethod
    def of(cls, row: CaseNote) -> Self:
        """Shape a row."""
        return cls(kind=row.kind, text=row.text, by=row.by, at=row.at)


class DocumentOut(BaseModel):
    """A file that somebody sent in a case; what is removed stays in the list."""

    id: UUID
    position: int = Field(description="In the case, from 1.")
    title: str
    sha256: str = Field(description="Of the file as it came.")
    size_bytes: int
    media_type: str = Field(description="By its own bytes.")
    by: str
    at: datetime
    until: datetime | None = Field(description="Then it is deleted. Null: not before it closes.")
    removed_at: datetime | None
    removed_by: str | None
    removed_why: str | None

    @classmethod
    def of(cls, row: CaseDocument) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


def document_name(row: CaseDocument) -> str:
    """Return how a document is called when it is saved; nothing of it is what somebody sent."""
    return f"document-{row.sha256[:12]}{SUFFIXES[row.media_type]}"


class PairOut(BaseModel):
    """An image and a work, and what people decided about the two."""

    image_sha256: str = Field(description="Of the file of the image.")
    artwork_id: UUID
    lane: Lane
    is_match: bool = Field(description="Whether the image shows the work, as decided.")
    case_id: UUID
    number: int = Field(description="Of the case.")
    decision_id: UUID
    outcome: CaseOutcome
    ground: Ground
    decided_at: datetime = Field(description="When the decision began to hold.")

    @classmethod
    def of(cls, pair: Pair) -> Self:
        """Shape a pair."""
        made = pair.decision
        return cls(
            image_sha256=pair.image_sha256,
            artwork_id=pair.artwork_id,
            lane=pair.lane,
            is_match=pair.is_match,
            case_id=pair.case.id,
            number=pair.case.number,
            decision_id=made.id,
            outcome=made.outcome,
            ground=made.ground,
            decided_at=made.seconded_at or made.at,
        )


class HoldOut(BaseModel):
    """Something that is kept for a case, whatever is withdrawn or forgotten meanwhile."""

    id: UUID
    artwork_id: UUID | None = Field(description="A work,")
    artist: str | None = Field(description="or all works of an artist (slug),")
    subject_id: UUID | None = Field(description="or an image that was asked about.")
    why: str
    by: str
    at: datetime
    until: datetime | None = Field(description="Null: until somebody ends it.")
    ended_at: datetime | None
    ended_by: str | None
    ended_why: str | None

    @classmethod
    def of(cls, row: Hold) -> Self:
        """Shape a row."""
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


class ExhibitOut(BaseModel):
    """What a case keeps of a work that was withdrawn while it was on hold; sealed."""

    artwork_id: UUID
    withdrawal_id: UUID = Field(description="The receipt under which the work went.")
    sha256: str = Field(description="Of the exhibit, as the audit has it.")

    @classmethod
    def of(cls, row: HeldExhibit) -> Self:
        """Shape a row."""
        return cls(artwork_id=row.artwork_id, withdrawal_id=row.withdrawal_id, sha256=row.sha256)


class OpenedExhibitOut(BaseModel):
    """A sealed exhibit, opened: what was registered of the work."""

    artist: str = Field(description="Slug.")
    name: str
    title: str | None
    year: int | None
    licence: str | None
    source: str | None
    sha256: str = Field(description="Of the file.")
    pixel_sha256: str
    phash: str
    sketch: str | None = Field(description="What copies are recognised by, in base64.")
    picture: str | None = Field(
        description="A small WebP, in base64. Null: the consent for evidence was no, or no picture "
        "was kept."
    )


class CaseDetail(CaseOut):
    """A case with all but its images and findings, which are lists of their own."""

    parties: list[PartyOut]
    decisions: list[DecisionOut] = Field(description="The first one first.")
    notes: list[NoteOut] = Field(description="The last 500, the newest first.")
    holds: list[HoldOut] = Field(description="The first one first; ended ones too.")

    @classmethod
    def read(cls, session: Session, row: Case) -> Self:
        """Shape a row with what is around it."""
        return cls(
            **vars(CaseOut.of(row)),
            parties=[PartyOut.of(one) for one in desk.parties_of(session, row.id)],
            decisions=[DecisionOut.of(one) for one in desk.decisions_of(session, row.id)],
            notes=[NoteOut.of(one) for one in desk.notes_of(session, row.id)],
            holds=[HoldOut.of(one) for one in holds_of(session, row.id)],
        )


class CaseSubjectOut(BaseModel):
    """An image that a case is about."""

    id: UUID
    position: int
    image_sha256: str
    attribution_id: UUID | None = Field(description="The answer that was given about it.")
    artwork_id: UUID | None = Field(description="The work that several artists claim.")
    receipts: list[UUID] = Field(
        description="Withdrawals under which something of the answer went."
    )

    @classmethod
    def of(cls, row: CaseSubject, receipts: list[UUID]) -> Self:
        """Shape a row."""
        return cls(
            id=row.id,
            position=row.position,
            image_sha256=row.image_sha256,
            attribution_id=row.attribution_id,
            artwork_id=row.artwork_id,
            receipts=receipts,
        )


class AssessmentOut(BaseModel):
    """What a person said of a finding."""

    verdict: Assessed
    why: str
    by: str
    at: datetime

    @classmethod
    def of(cls, row: Assessment) -> Self:
        """Shape a row."""
        return cls(verdict=row.verdict, why=row.why, by=row.by, at=row.at)


class CaseFindingOut(BaseModel):
    """What the machine said when the image was added, and what people said of that."""

    id: UUID
    position: int
    subject_id: UUID
    lane: Lane
    statement: str
    about: dict[str, Any] = Field(description="Ids of works, slugs of artists, figures.")
    assessed: Assessed | None = Field(description="As the last assessment says.")
    assessments: list[AssessmentOut]

    @classmethod
    def of(cls, row: CaseFinding, assessments: list[Assessment]) -> Self:
        """Shape a row."""
        return cls(
            id=row.id,
            position=row.position,
            subject_id=row.subject_id,
            lane=row.lane,
            statement=row.statement,
            about=row.about,
            assessed=row.assessed,
            assessments=[AssessmentOut.of(one) for one in assessments],
        )
