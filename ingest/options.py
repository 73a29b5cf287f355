"""What a person says of a job beside what is in its source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from attribution.catalogue.models import NameRule
from attribution.config import Settings
from ingest.sources import Level


@dataclass(frozen=True)
class Options:
    """What a job may do beyond the rule."""

    reinstate: bool = False  # withdrawn works come back
    allow_freer: bool = False  # consents and licences of known works may widen
    names: NameRule | None = None  # of spellings that no artist has; none: by LAWFUL_NAMES

    def name_rule(self, settings: Settings) -> NameRule:
        """Return what is done about spellings that no artist has."""
        return self.names or NameRule(settings.names)

    def of_job(self, settings: Settings) -> dict[str, Any]:
        """Return the columns of a job that keep this."""
        return {
            "reinstate": self.reinstate,
            "allow_freer": self.allow_freer,
            "names": self.name_rule(settings),
        }


BY_RULE = Options()


@dataclass(frozen=True)
class Reading:
    """How a source is to be read where it does not say so itself."""

    artist: str | None = None  # of every work
    layout: Level | None = None
    names_encoding: str | None = None  # of the names in an archive


AS_IT_IS = Reading()
