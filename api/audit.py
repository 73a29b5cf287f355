"""How entries of the audit look over HTTP, in files, and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from attribution.catalogue.belief import Findings


class AuditEntryOut(BaseModel):
    """Who did what, and when."""

    model_config = ConfigDict(from_attributes=True)

    sequence: int
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
