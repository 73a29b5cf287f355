"""What corrections ask for over HTTP, and what is shown of those that were made."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from attribution.actors import who
from attribution.catalogue.models import Change, ChangeKind
from attribution.catalogue.names import visible
from attribution.catalogue.queries import Origin


class Reasoned(BaseModel):
    """A correction; a field that is misspelt is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")

    reason: str | None = Field(None, max_length=2000, examples=["named by the wrong hand"])

    @property
    def origin(self) -> Origin:
        """Where the correction comes from, for its record."""
        return Origin(who().name, self.reason)


class Consents(BaseModel):
    """What a work may be used for; purposes that are left out stay as they are."""

    model_config = ConfigDict(extra="forbid", strict=True)

    index: bool = Field(default=True, description="Taken back by a withdrawal only.")
    display: bool = True
    evidence: bool = True
    train: bool = False
    generate: bool = False


class Described(Reasoned):
    """What is said of a work."""

    title: str | None = Field(None, max_length=1000)
    caption: str | None = Field(None, max_length=5000)
    tags: list[str] | None = Field(None, max_length=500, examples=[["boat", "sea"]])
    year: int | None = Field(None, ge=-10_000, le=10_000)
    dated: str | None = Field(
        None, max_length=500, description="The date in words.", examples=["ca. 1901"]
    )
    licence: str | None = Field(None, max_length=500, examples=["CC-BY-4.0"])
    source: str | None = Field(None, max_length=2000)


class Corrected(Described):
    """What is said anew of a work."""

    model_config = ConfigDict(strict=True)

    consent: Consents = Consents()

    @property
    def said(self) -> dict[str, Any]:
        """The columns that are given, with their values."""
        given = self.model_dump(exclude_unset=True, exclude={"reason"})
        granted = given.pop("consent", {})
        said = {name: _tidy(name, value) for name, value in given.items()}
        return said | {f"consent_{purpose}": is_given for purpose, is_given in granted.items()}


class ChangeOut(BaseModel):
    """A correction as it was made."""

    id: UUID
    kind: ChangeKind
    artist: str = Field(description="Slug of the artist since then.")
    artist_name: str
    artwork_id: UUID | None
    works: int = Field(description="Works that were corrected, or came to the artist.")
    origin: str = Field(description="The key, the user of the command line, or an ingest job.")
    by: str | None = Field(description="Who, as they call themselves; named by declarations.")
    reason: str | None
    made_at: datetime
    completed_at: datetime | None = Field(description="Null: the index does not follow yet.")
    undoes: UUID | None = Field(description="The change that this one undid.")
    undone_by: UUID | None = Field(description="The change that undid this one.")
    before: dict[str, Any]
    after: dict[str, Any] = Field(
        description="After an undo of a merge or split also `stayed` and `added_since`: works of "
        "it that were moved on or not chosen, and works that came since; both stay where they are."
    )

    @classmethod
    def of(cls, row: Change) -> Self:
        """Shape a row, read with its artist and its undo."""
        return cls(
            id=row.id,
            kind=row.kind,
            artist=row.artist.slug,
            artist_name=row.artist.name,
            artwork_id=row.artwork_id,
            works=row.works,
            origin=row.origin,
            by=row.by,
            reason=row.reason,
            made_at=row.made_at,
            completed_at=row.completed_at,
            undoes=row.undoes_id,
            undone_by=row.undone_by.id if row.undone_by else None,
            before=row.before,
            after=row.after,
        )


def _tidy(name: str, value: Any) -> Any:
    if name == "tags":
        return [text for one in value or () if (text := visible(one))]
    return (visible(value) or None) if isinstance(value, str) else value
