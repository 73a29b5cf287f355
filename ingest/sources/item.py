"""One work as its source describes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from attribution.catalogue.models import PURPOSES
from attribution.consents import GRANTED_BY_DEFAULT, Answer, ConsentSource


@dataclass(frozen=True)
class SourceItem:
    """One file with what the source says about it."""

    path: Path
    artist: str  # empty where a refused item has none
    title: str  # the file's name where the source says nothing
    caption: str | None = None
    tags: tuple[str, ...] = ()
    year: int | None = None
    dated: str | None = None  # the source's own words where they are more than a year
    licence: str | None = None
    source: str | None = None
    consent: tuple[str, ...] = GRANTED_BY_DEFAULT
    said: tuple[str, ...] = ()  # fields above and purposes that the source itself names
    asks: tuple[str, ...] = ()  # purposes for which somebody is to be asked first
    heard: Mapping[str, str] = field(
        default_factory=dict
    )  # purpose -> `ConsentSource`; left out: a table
    document: str | None = None  # where what it says of consent is written
    refused: str | None = None  # why it cannot be taken in

    @property
    def corrections(self) -> dict[str, Any]:
        """What the source itself says about the work, by column of the catalogue."""
        values = vars(self) | {"tags": list(self.tags)}
        granted = {f"consent_{purpose}": purpose in self.consent for purpose in PURPOSES}
        return {name: (values | granted)[name] for name in self.said}

    def said_of(self, purpose: str) -> tuple[Answer, ConsentSource] | None:
        """Return what its source says of a purpose, and where; None where it says nothing."""
        if f"consent_{purpose}" not in self.said:
            return None
        answer = Answer.ALLOW if purpose in self.consent else Answer.DENY
        where = ConsentSource(self.heard.get(purpose, ConsentSource.TABLE))
        return (Answer.ASK if purpose in self.asks else answer), where

    @property
    def denied(self) -> tuple[str, ...]:
        """The purposes that the source denies in words."""
        return tuple(name.removeprefix("consent_") for name in self.denials)

    def without(self, purposes: Collection[str]) -> SourceItem:
        """Return the item as if its source denied these purposes too."""
        if not purposes:
            return self
        named = tuple(f"consent_{purpose}" for purpose in purposes)
        return replace(
            self,
            consent=tuple(one for one in self.consent if one not in purposes),
            said=tuple(dict.fromkeys((*self.said, *named))),
        )

    @property
    def denials(self) -> dict[str, Any]:
        """The part of `corrections` that takes consent back; it counts for a refused item too."""
        return {
            name: value
            for name, value in self.corrections.items()
            if name.startswith("consent_") and value is False
        }

    @property
    def is_lost(self) -> bool:
        """Whether it is refused for good; a no in a refused item may be about a known work."""
        return self.refused is not None and not self.denials
