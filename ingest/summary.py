"""What became of every file of a job, for people and for scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import Outcome
from attribution.collection import Stores
from ingest.corrections import ASKED


@dataclass(frozen=True)
class FileOutcome:
    """One file; `reason` says why it was refused, or who else claims it."""

    path: str
    outcome: Outcome
    reason: str | None = None
    is_blank: bool = False  # its work shows nothing: registered, and never found
    artist: str = ""  # by the name that the catalogue has


@dataclass(frozen=True)
class Summary:
    """A whole job; `job` is None for a dry run."""

    job: UUID | None
    artists: int
    items: Sequence[FileOutcome]
    remarks: Sequence[str] = ()  # on the source as a whole
    gone: Mapping[str, int] = field(default_factory=dict)  # see `IngestJob.gone`

    @property
    def added(self) -> int:
        """New works."""
        return self._count(Outcome.ADDED)

    @property
    def known(self) -> int:
        """Works that were there before, corrected ones and conflicting claims among them."""
        return self._count(Outcome.KNOWN) + self.corrected + self.conflicts

    @property
    def repeated(self) -> int:
        """Files with the bytes of an earlier one of this source."""
        return self._count(Outcome.REPEATED)

    @property
    def corrected(self) -> int:
        """Works that were there before, and of which the source says something else now."""
        return self._count(Outcome.CORRECTED)

    @property
    def withdrawn(self) -> int:
        """Works that their source takes back; they are among the refused files."""
        return sum(item.reason == queries.WITHDREW for item in self.items)

    @property
    def asked(self) -> int:
        """Works of which the source allows more now than the catalogue: somebody has to agree."""
        return sum(ASKED in (item.reason or "") for item in self.items)

    @property
    def conflicts(self) -> int:
        """Works that another artist had brought before."""
        return self._count(Outcome.CONFLICT)

    @property
    def refused(self) -> int:
        """Files that could not be used."""
        return self._count(Outcome.REFUSED)

    @property
    def blank(self) -> int:
        """Files, added or known before, that show nothing."""
        return max(sum(item.is_blank for item in self.items), self.gone.get("blank", 0))

    def as_json(self, *, seconds: float) -> dict[str, Any]:
        """Return the object that `lawful ingest --json` prints."""
        return {
            "job": str(self.job) if self.job else None,
            "added": self.added,
            "known": self.known,
            "repeated": self.repeated,
            "corrected": self.corrected,
            "asked": self.asked,
            "conflicts": self.conflicts,
            "blank": self.blank,
            "refused": self.refused,
            "withdrawn": self.withdrawn,
            "artists": self.artists,
            "seconds": round(seconds, 3),
            "remarks": list(self.remarks),
            "items": [
                {
                    "path": item.path,
                    "outcome": item.outcome.value,
                    "reason": item.reason,
                    "blank": item.is_blank,
                }
                for item in self.items
            ],
        }

    def _count(self, outcome: Outcome) -> int:
        kept = sum(item.outcome is outcome for item in self.items)
        return kept + self.gone.get(outcome, 0)


def summarise(stores: Stores, job_id: UUID) -> Summary:
    """Collect the outcomes of a job."""
    with stores.sessions() as session:
        artists = queries.job_summary(session, job_id).artists
        job = queries.job_by_id(session, job_id)
        blank = queries.blank_items(session, job_id)
        items = [
            FileOutcome(row.path, row.outcome, row.reason, row.position in blank)
            for row in queries.all_items(session, job_id)
        ]
        return Summary(job_id, artists, items, job.remarks, job.gone or {})
