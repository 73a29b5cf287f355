"""What a person says of a job beside what is in its source."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.sources import Level


@dataclass(frozen=True)
class Options:
    """What a job may do beyond the rule."""

    reinstate: bool = False  # withdrawn works come back
    allow_freer: bool = False  # consents and licences of known works may widen


BY_RULE = Options()


@dataclass(frozen=True)
class Reading:
    """How a source is to be read where it does not say so itself."""

    artist: str | None = None  # of every work
    layout: Level | None = None
    names_encoding: str | None = None  # of the names in an archive


AS_IT_IS = Reading()
