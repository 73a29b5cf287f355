"""How entries of the audit look over HTTP, in files, and with --json."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from attribution.catalogue.belief import LARGEST
from attribution.catalogue.verification import Findings
from attribution.upkeep.erasing import LONGEST_REASON


class AuditEntryOut(BaseModel):
    """Who did what, and when."""

    model_config = ConfigDict(from_attributes=True)

    sequence: int
    tenant: str = Field(description="In whose name.", examples=["default"])
    at: datetime
    actor: str = Field(examples=["command line (ann)"])
    action: str = Field(examples=["lookup"])
    object: str | None = Field(
        description="What it was done to.",
        examples=[f"attribution:{UUID('0191e8a0-7a5c-7e0f-8b6f-0f6f4d2c9a11')}"],
    )
    details: dict[str, Any] = Field(
        description="`digest`: of what the object said, over salted commitments to its parts."
    )
    seal: dict[str, dict[str, str]] = Field(
        description="The salt of each part of this entry, with which its digest is checked."
    )
    digest: str = Field(description="Of the chain up to here.")


class ErasureWanted(BaseModel):
    """Whose name is to go, and why."""

    model_config = ConfigDict(extra="forbid")

    actor: str = Field(
        min_length=1,
        max_length=1_000,
        description="As entries show it.",
        examples=["oidc 42 (ann)"],
    )
    reason: str = Field(
        min_length=1,
        max_length=LONGEST_REASON,
        description="For the entry of the erasure; without the name.",
        examples=["asked for under Article 17 GDPR"],
    )


class ErasedOut(BaseModel):
    """In how many entries a name is gone."""

    model_config = ConfigDict(from_attributes=True)

    entries: int = Field(description="That have no actor any more.")
    has_more: bool = Field(description="Entries of the same actor are left: ask again.")
    is_in_log: bool = Field(
        description="The log of an SQLite file has the name until its readers are gone."
    )


def read_since(text: str) -> int | datetime:
    """Read from when on entries are meant: the number of one, or a time, UTC where none is said.

    Raises ValueError.
    """
    if text.isascii() and text.isdigit() and 0 < int(text[:20]) <= LARGEST:
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(
            f"{text[:60]!r} is neither the number of an entry nor a time; write 1200, 2026-11-01 "
            f"or 2026-11-01T12:00:00Z"
        ) from None


class VerifiedOut(BaseModel):
    """Whether the records say what was recorded."""

    intact: bool
    sequence: int = Field(description="Of the last entry.")
    digest: str = Field(description="Of the chain up to there.")
    entries: int = Field(description="That were walked.")
    rows: dict[str, int] = Field(description="Compared with their entries, by kind.")
    uncovered: dict[str, int] = Field(
        description="Made before the audit began, by kind: nothing vouches for them."
    )
    faults: int
    told: list[str] = Field(description="The first of them, a sentence each.")

    @classmethod
    def of(cls, found: Findings) -> Self:
        """Shape what was found."""
        return cls(
            intact=not found.faults,
            sequence=found.head.sequence,
            digest=found.head.digest,
            entries=found.entries,
            rows=found.rows,
            uncovered=found.uncovered,
            faults=found.faults,
            told=found.told,
        )
