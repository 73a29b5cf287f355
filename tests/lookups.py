"""What tests do with lookup batches, without the threads of a queue."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

from sqlalchemy import select

from attribution.catalogue import queries
from attribution.catalogue.models import LookupItem, RecordedAttribution, TaskKind
from attribution.catalogue.queries import TaskKey
from attribution.services import Services
from ingest.lookups import accept, run_lookups


def begin(services: Services, data: bytes, name: str) -> UUID:
    """Have a file listed as a batch."""
    batch_id = accept(services, io.BytesIO(data), name)
    run(services, batch_id, 0)
    return batch_id


def run(services: Services, batch_id: UUID, number: int = 1, **options: Any) -> None:
    """Run one task of a batch."""
    key = TaskKey(TaskKind.LOOKUP, batch_id, number)
    run_lookups(services, key, **{"stopping": lambda: False} | options)


def lines(services: Services, batch_id: UUID) -> list[LookupItem]:
    """Return the images of a batch as they stand."""
    with services.sessions() as session:
        page = queries.list_lookup_items(session, batch_id)
        return [item for item, _ in page.items]


def status(services: Services, batch_id: UUID) -> str:
    """Return where a batch stands."""
    with services.sessions() as session:
        return queries.lookup_batch_by_id(session, batch_id).status


def answers(services: Services) -> int:
    """Count the recorded answers."""
    with services.sessions() as session:
        return len(session.scalars(select(RecordedAttribution.id)).all())
