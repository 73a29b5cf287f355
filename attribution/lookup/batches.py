"""What the answers to a lookup batch say together, as far as there are any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import LookupOutcome
from attribution.lookup.attributor import recalled
from attribution.lookup.findings import find_ours, find_union
from attribution.lookup.results import Findings, Union


@dataclass(frozen=True)
class BatchFindings:
    """Which images show or resemble what is registered, and whose works those are."""

    findings: Findings
    union: Union
    names: Mapping[UUID, str]  # of the images, by their answers
    unreadable: tuple[str, ...]  # names of images about which nothing can be said
    pending: int  # images that are still to be looked up: what is found may change


def findings_of(session: Session, batch_id: UUID, *, level: float = 0.1) -> BatchFindings:
    """Return what a batch has found so far, styles at a false discovery rate of `level`.

    Raises NotFound, RecordAltered.
    """
    queries.lookup_batch_by_id(session, batch_id)
    names = queries.lookup_answers(session, batch_id)
    answers = recalled(session, list(names))
    findings = find_ours(answers, level=level)
    return BatchFindings(
        findings=findings,
        union=find_union(answers, findings),
        names=names,
        unreadable=tuple(queries.refused_lookups(session, batch_id)),
        pending=queries.lookup_counts(session, batch_id)[LookupOutcome.PENDING],
    )
