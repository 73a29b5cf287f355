"""What the audit of a running service says of refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi.testclient import TestClient
from sqlalchemy import func, select

from attribution.catalogue.chain import REFUSE
from attribution.catalogue.models import AuditEntry

Heard = Counter[tuple[str, str, str, str]]
"""How often somebody was refused: by tenant of the entry, actor, what was asked, why."""


@contextmanager
def heard(client: TestClient) -> Iterator[Heard]:
    """Count the refusals of a block, as they stand in the audit behind it."""
    state: Any = client.app.state  # type: ignore[attr-defined]
    found: Heard = Counter()
    state.refusals.write()
    with state.services.sessions() as session:
        before = session.scalar(select(func.max(AuditEntry.sequence))) or 0
    yield found
    state.refusals.write()
    with state.services.sessions() as session:
        wanted = select(AuditEntry).where(AuditEntry.sequence > before, AuditEntry.action == REFUSE)
        for entry in session.scalars(wanted):
            for one in entry.details["refused"]:
                found[entry.tenant, entry.actor, one["asked"], one["why"]] += one["times"]
