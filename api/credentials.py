"""How Content Credentials look over HTTP and with --json."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from attribution.generation.recovery import Recovered, Trace, Verified
from attribution.images import State


class CredentialsOut(BaseModel):
    """How far the Content Credentials of a file can be believed, and what they say."""

    model_config = ConfigDict(from_attributes=True)

    state: State
    reason: str | None = Field(description="What is wrong with them.")
    signer: str | None
    signed_at: str | None = Field(description="By the word of a timestamp authority.")
    is_time_trusted: bool = Field(description="Whether this service trusts that authority.")
    generator: str | None = Field(description="The program that made the claim.")
    source_type: str | None
    forbids: dict[str, str]


class IngredientOut(BaseModel):
    """Something that went into an image, as the manifest of the image says it."""

    model_config = ConfigDict(from_attributes=True)

    title: str | None
    description: str | None
    relationship: str | None = Field(
        description="`parentOf`: the image was made from it; `componentOf`: it is part of the "
        "image; `inputTo`: what made the image."
    )
    state: State = Field(description="Of the Content Credentials that it brought along.")
    reason: str | None = Field(description="What is wrong with these.")
    signer: str | None = Field(description="Of these.")


class RecoveredOut(BaseModel):
    """A picture that this service drew, found without a manifest of a trusted signer.

    `credentials` and `manifest` are those of the file that was handed out: they were not signed for
    the bytes that were asked about.
    """

    generation: UUID
    number: int = Field(description="Among the pictures of the generation.")
    drawn_at: datetime
    by: Trace = Field(
        description="`bytes`: the file itself; `pixels`: another file of them; `near`: a near "
        "copy; `watermark`: it holds the watermark of that picture, which can be put into others."
    )
    agreement: float | None = Field(
        description="Part of what can be compared that agrees, 0 to 1; null where only the "
        "watermark leads there."
    )
    credentials: CredentialsOut
    manifest: dict[str, Any] | None

    @classmethod
    def of(cls, found: Recovered) -> Self:
        """Shape what was found."""
        return cls(
            generation=found.generation_id,
            number=found.number,
            drawn_at=found.drawn_at,
            by=found.by,
            agreement=None if found.agreement is None else round(found.agreement, 3),
            credentials=CredentialsOut.model_validate(found.credentials),
            manifest=dict(found.manifest) or None,
        )


class VerifiedOut(BaseModel):
    """What a file says of itself, and which picture of this service it shows."""

    summary: str
    credentials: CredentialsOut
    manifest: dict[str, Any] | None = Field(description="Its own, whether it holds or not.")
    ingredients: list[IngredientOut] = Field(description="What that manifest says went into it.")
    recovered: RecoveredOut | None = Field(
        description="Looked for unless a trusted signer made the manifest. Null as well for the "
        "very file that was handed out with one."
    )

    @classmethod
    def of(cls, found: Verified) -> Self:
        """Shape what was found."""
        return cls(
            summary=found.summary,
            credentials=CredentialsOut.model_validate(found.credentials),
            manifest=dict(found.manifest) or None,
            ingredients=[IngredientOut.model_validate(one) for one in found.ingredients],
            recovered=RecoveredOut.of(found.recovered) if found.recovered else None,
        )
