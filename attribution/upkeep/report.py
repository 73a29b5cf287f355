"""What a comparison of catalogue, index and classifier found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

SHOWN = 20  # ids of each kind in a report


@dataclass(frozen=True)
class Report:
    """What was compared and what differed; ids are the first few of each kind."""

    works: int = 0
    points: int = 0
    missing: int = 0  # works without a point
    orphaned: int = 0  # points without a work
    stale: int = 0  # points that say something else than the catalogue
    different: int = (
        0  # of a sample of works: whose vectors are stored otherwise than they are kept
    )
    wrong_parts: int = 0  # works of whose parts the index has too few points, or too many
    miscounted: int = 0  # artists whose number of works was wrong
    misheld: int = 0  # tenants of whom it was counted wrong what they hold, or what can be found
    unfinished_withdrawals: int = 0
    lost_withdrawals: int = 0  # that a restored backup is older than: done again
    unfinished_changes: int = 0  # corrections that the index does not follow yet
    called_as_nobody: int = 0  # artists of an earlier version whose names mean nobody
    statistics: int = 0  # artists of whom the classifier does not know what the catalogue does
    encoded: int = 0  # of the missing: whose vectors were made from their originals
    unencoded: int = 0  # of the missing: left alone; ingest them again to have them encoded
    lost: int = 0  # of the missing: no vectors are left at all; ingest them again
    unsketched: int = 0  # works whose altered copies are not recognised
    untiled: int = (
        0  # strips of an earlier version, whose panels are not recognised: ingest them again
    )
    expired: int = 0  # images that were asked about and whose time is over: they go
    contacts: int = 0  # of parties of cases, whose time is over: they go
    documents: int = 0  # of closed cases, whose time is over: they go
    turned: int = 0  # statements of consent that began or ended: their works follow
    wrong_images: int = 0  # of the next ones that are kept: without a file; and files without a row
    archived: int = 0  # answers of long ago that moved to the file store
    surplus_answers: int = 0  # files of answers that are whole in the database, or unknown
    altered: int = 0  # records that do not say what was recorded, as far as they were looked at
    repaired: bool = False
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def is_clean(self) -> bool:
        """Whether nothing differed."""
        return not (
            self.missing
            + self.orphaned
            + self.stale
            + self.different
            + self.wrong_parts
            + self.miscounted
            + self.misheld
            + self.unfinished_withdrawals
            + self.lost_withdrawals
            + self.unfinished_changes
            + self.called_as_nobody
            + self.statistics
            + self.wrong_images
            + self.surplus_answers
            + self.altered
        )

    def __add__(self, other: Report) -> Report:
        """Return the report on what both are about."""
        numbers = {
            name: value + getattr(other, name)
            for name, value in vars(self).items()
            if isinstance(value, int) and not isinstance(value, bool)
        }
        kinds = self.examples.keys() | other.examples.keys()
        examples = {
            kind: [*self.examples.get(kind, ()), *other.examples.get(kind, ())][:SHOWN]
            for kind in sorted(kinds)
        }
        return replace(self, **numbers, examples=examples)

    def as_json(self) -> dict[str, Any]:
        """Return the object that `lawful reconcile --json` prints."""
        return asdict(self) | {"clean": self.is_clean}


def examples(**kinds: Sequence[UUID]) -> dict[str, list[str]]:
    """Return the first few ids of each kind as a report has them."""
    return {kind: [str(one) for one in ids[:SHOWN]] for kind, ids in kinds.items()}
