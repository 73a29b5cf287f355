"""What became of every file of a job, for people and for scripts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

ADDED, KNOWN, CONFLICT, REFUSED = "added", "known", "conflict", "refused"


@dataclass(frozen=True)
class Outcome:
    """One file: `added`, `known`, `conflict` (known, under another artist) or `refused`."""

    path: str
    outcome: str
    reason: str | None = None


@dataclass(frozen=True)
class Summary:
    """A whole job; `job` is None for a dry run."""

    job: str | None
    artists: int
    items: Sequence[Outcome]

    def count(self, *outcomes: str) -> int:
        """Count the files with one of these outcomes."""
        return sum(Counter(item.outcome for item in self.items)[outcome] for outcome in outcomes)

    @property
    def added(self) -> int:
        """New works."""
        return self.count(ADDED)

    @property
    def known(self) -> int:
        """Works that were there before, conflicting claims among them."""
        return self.count(KNOWN, CONFLICT)

    @property
    def conflicts(self) -> int:
        """Works that another artist had brought before."""
        return self.count(CONFLICT)

    @property
    def refused(self) -> int:
        """Files that could not be used."""
        return self.count(REFUSED)

    def as_json(self, *, seconds: float) -> dict[str, Any]:
        """Return the object that `lawful ingest --json` prints."""
        return {
            "job": self.job,
            "added": self.added,
            "known": self.known,
            "conflicts": self.conflicts,
            "refused": self.refused,
            "artists": self.artists,
            "seconds": round(seconds, 3),
            "items": [asdict(item) for item in self.items],
        }
