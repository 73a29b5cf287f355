"""Cases: images and claims that people assess and decide about."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

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
from attribution.catalogue.columns import now
from attribution.catalogue.models.base import Base, OfTenant, OfTenantByKey, Sealed, one_of

PRIORITY = 3  # 1 is the most urgent, 5 the least


class Desk(OfTenantByKey, Base):
    """The number of a tenant's last case; whoever opens or adds to one holds this row."""

    __tablename__ = "desks"

    last_case: Mapped[int] = mapped_column(default=0)


class Case(Sealed, Base):
    """Something that people look at until they have decided."""

    __tablename__ = "cases"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    number: Mapped[int]  # of the tenant, without gaps
    kind: Mapped[CaseKind]
    title: Mapped[str]
    appeals: Mapped[UUID | None]  # the decision, in a case of the kind appeal
    follows: Mapped[UUID | None]  # a closed case of the kind that was about one of its images
    opened_at: Mapped[datetime] = mapped_column(default=now)
    opened_by: Mapped[str]
    status: Mapped[CaseStatus] = mapped_column(default=CaseStatus.OPEN)
    priority: Mapped[int] = mapped_column(default=PRIORITY)
    due_at: Mapped[datetime | None]
    assignee: Mapped[str | None]  # as `attribution.desk.people.person` calls them
    lease_by: Mapped[str | None]  # who works on it now, likewise,
    lease_until: Mapped[datetime | None]  # until then
    subjects: Mapped[int] = mapped_column(default=0)
    findings: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        one_of("kind", CaseKind),
        one_of("status", CaseStatus),
        CheckConstraint("priority BETWEEN 1 AND 5", name="priority"),
        UniqueConstraint("number", "tenant"),
        Index(None, "appeals"),
        Index(None, "status", "tenant", "priority", "number"),  # the queue
    )


class CaseParty(OfTenant, Base):
    """Somebody whom a case is about, or who speaks for them."""

    __tablename__ = "case_parties"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"), index=True)
    role: Mapped[PartyRole]
    artist: Mapped[str | None] = mapped_column(index=True)  # a slug, which leads on after a merge
    name: Mapped[str | None]  # of one who is no registered artist
    account: Mapped[str | None]  # who this is among the users of the service, if one of them
    added_at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (one_of("role", PartyRole),)


class PartyContact(OfTenant, Base):
    """How a party can be reached, until it is deleted; apart from the case, which stays."""

    __tablename__ = "party_contacts"

    party_id: Mapped[UUID] = mapped_column(ForeignKey("case_parties.id"), primary_key=True)
    text: Mapped[str]
    until: Mapped[datetime] = mapped_column(index=True)


class CaseSubject(OfTenant, Base):
    """An image that a case is about: by the answer that was given, or as a registered work."""

    __tablename__ = "case_subjects"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    position: Mapped[int]  # in the case, from 1
    image_sha256: Mapped[str] = mapped_column(String(64))
    attribution_id: Mapped[UUID | None] = mapped_column(ForeignKey("attributions.id"))
    artwork_id: Mapped[UUID | None] = mapped_column(ForeignKey("artworks.id"))
    # The kind of the case until that is closed; none: closed, or an appeal.
    open_kind: Mapped[CaseKind | None]

    __table_args__ = (
        one_of("open_kind", CaseKind),
        UniqueConstraint("image_sha256", "tenant", "open_kind"),
        UniqueConstraint("case_id", "position"),
    )


class CaseFinding(OfTenant, Base):
    """What the machine said in one lane when the subject was added; never altered.

    It has ids, slugs and figures but no title, so a withdrawal has nothing to remove here.
    """

    __tablename__ = "case_findings"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    position: Mapped[int]  # in the case, from 1
    subject_id: Mapped[UUID] = mapped_column(ForeignKey("case_subjects.id"))
    lane: Mapped[Lane]
    statement: Mapped[str]
    about: Mapped[dict[str, Any]]  # ids of works, slugs of artists, figures
    assessed: Mapped[Assessed | None]  # as the last assessment says
    told_at: Mapped[datetime | None]  # when webhooks were told that people confirmed it

    __table_args__ = (
        one_of("lane", Lane),
        one_of("assessed", Assessed),
        UniqueConstraint("case_id", "position"),
        Index(None, "case_id", "assessed", "position"),
    )


class Assessment(Sealed, Base):
    """What a person said of a finding; the last one counts."""

    __tablename__ = "assessments"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    finding_id: Mapped[UUID] = mapped_column(ForeignKey("case_findings.id"))
    verdict: Mapped[Assessed]
    why: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (one_of("verdict", Assessed), Index(None, "finding_id", "at"))


class Decision(Sealed, Base):
    """What was decided in a case; only the signature of a second person is ever added."""

    __tablename__ = "decisions"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    number: Mapped[int]  # in the case, from 1
    outcome: Mapped[CaseOutcome]
    ground: Mapped[Ground]
    words: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    supersedes: Mapped[UUID | None]  # an earlier one of the case, or the one appealed against
    needs_second: Mapped[bool]
    seconded_by: Mapped[str | None]
    seconded_at: Mapped[datetime | None]

    __table_args__ = (
        one_of("outcome", CaseOutcome),
        one_of("ground", Ground),
        UniqueConstraint("case_id", "number"),
    )


class CaseDocument(Sealed, Base):
    """A file that somebody sent in a case. What is removed keeps its row."""

    __tablename__ = "case_documents"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    position: Mapped[int]  # in the case, from 1
    title: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))  # of the file as it came
    size_bytes: Mapped[int]
    media_type: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)
    is_encrypted: Mapped[bool]
    until: Mapped[datetime | None]  # none: the case is not closed, or its file is deleted
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[str | None]
    removed_why: Mapped[str | None]

    __table_args__ = (UniqueConstraint("case_id", "position"), Index(None, "until", "tenant"))


class CaseNote(Sealed, Base):
    """What somebody wrote into a case."""

    __tablename__ = "case_notes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    case_id: Mapped[UUID] = mapped_column(ForeignKey("cases.id"))
    kind: Mapped[NoteKind]
    text: Mapped[str]
    by: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=now)

    __table_args__ = (one_of("kind", NoteKind), Index(None, "case_id", "at"))
