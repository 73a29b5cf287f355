"""From files to findable works: read, encode, write, a batch at a time.

A job is a row, its files are rows; a batch is done when its rows say so. Every step may be
repeated: ids derive from content, the index takes the same point twice, outcomes are written last.
A file that cannot be used is recorded with its reason and the job goes on; a backend that does not
answer stops the job, which can be run again.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalog import queries
from attribution.catalog.models import Artwork, IngestItem
from attribution.errors import BadImage, LawfulError
from attribution.images import CheckedImage, read_image, read_image_file, thumbnail
from attribution.services import Services
from attribution.types import Point, Vector
from ingest.sources import SourceItem

log = logging.getLogger(__name__)

PLAN_CHUNK = 1_000  # rows per insert while a job is being listed
DECODERS = 2  # threads; Pillow releases the GIL while it decodes


@dataclass(frozen=True)
class Prepared:
    """One file, read and checked: an image, or the outcome that it already has."""

    item: IngestItem
    image: CheckedImage | None = None
    known: Artwork | None = None
    refused: str | None = None


def plan(session: Session, source: str, items: Iterable[SourceItem]) -> UUID:
    """List a source as a job with a row per file; returns the job's id."""
    job = queries.create_job(session, source=source)
    rows = iter(items)
    position = 0
    while chunk := list(islice(rows, PLAN_CHUNK)):
        queries.add_items(session, job.id, [_row(item) for item in chunk], start=position)
        position += len(chunk)
    return job.id


def run_job(services: Services, job_id: UUID, *, stopping: Callable[[], bool]) -> None:
    """Bring every pending file of a job into the catalogue and the index.

    Files that an earlier, interrupted run finished cost nothing. While one batch is encoded the
    next is read and decoded. Raises BackendUnavailable when database or index do not answer.
    """
    started = time.monotonic()
    with services.sessions.begin() as session:
        queries.start_job(session, job_id)
    try:
        for batch in _prepared_batches(services, job_id):
            _write(services, job_id, batch, _encode(services, batch))
            if stopping():
                return
    except LawfulError as error:
        with services.sessions.begin() as session:
            queries.fail_job(session, job_id, str(error))
        raise
    services.index.flush()
    with services.sessions.begin() as session:
        queries.finish_job(session, job_id)
    log.info("job %s done in %.1f s", job_id, time.monotonic() - started)
