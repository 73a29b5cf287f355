"""Rows with their vectors are taken in, by the rules and the statements of every other job.

The job is in the catalogue from its beginning and lists its rows as it takes them. It runs in this
process, which reads the files: a job that is interrupted fails, and another one of the same source
goes on behind it, as what is known already costs one look.
"""

from __future__ import annotations

import gc
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import IngestJob
from attribution.encoders.encoder import space_of_parts
from attribution.errors import BackendUnavailable, BadInput, LawfulError
from attribution.services import Services
from attribution.temporary import temporary_folder
from ingest.bulk.foreign import Foreign, check_model
from ingest.bulk.rows import Given, LookedAt, Row
from ingest.bulk.shards import Made, Shards, is_shards
from ingest.encoding import Encoded
from ingest.joining import Spellings
from ingest.listing import Listed, conclude, new_item
from ingest.loading import Work
from ingest.options import Options
from ingest.pipeline import process
from ingest.reading import Prepared, judge

log = logging.getLogger(__name__)

FLUSHED = 10_000  # rows: after a kill no more of them are read again from the index's own log


@contextmanager
def opened(
    services: Services, path: Path, *, artist: str | None = None, model: str | None = None
) -> Iterator[Given]:
    """Read what a folder says of its works, and check that its vectors belong to the collection.

    `model` is what a person says of vectors by others: the fingerprint of the collection's
    encoders. Raises BadInput.
    """
    row = services.row
    if is_shards(path):
        if artist or model:
            raise BadInput(
                f"{path} was written by a bulk job and says itself whose its works are and what "
                f"made their vectors; leave out --artist and --model"
            )
        yield Shards(path, Made(row.fingerprint, row.dims, space_of_parts(row.lanes)))
        return
    check_model(model, row.fingerprint)
    with temporary_folder(services.settings.home) as folder:
        yield Foreign(path, row.dims, folder, artist=artist)


def load(
    services: Services,
    source: str,
    given: Given,
    options: Options,
    tell: Callable[[int], None],
) -> UUID:
    """Take rows in as one job, and `tell` how many are done; returns the job's id.

    Raises what stops it, which the job's row keeps: its rows so far stay.
    """
    started, done, compared = time.monotonic(), 0, set[str]()
    with services.sessions.begin() as session:
        job = queries.create_job(session, source=source, **options.of_job(services.settings))
        queries.add_denied_files(session, job.id, given.denied)
    try:
        with _garbage_left():
            for rows in given.batches():
                _take(services, job, rows, compared, start=done)
                done += len(rows)
                gc.collect()
                if done // FLUSHED > (done - len(rows)) // FLUSHED:
                    services.index.flush()
                tell(done)
        services.index.flush()
        with services.sessions.begin() as session:
            conclude(session, job.id, given.remarks, {}, files=0)
    except BaseException as error:
        said = str(error) if isinstance(error, LawfulError) else type(error).__name__
        with suppress(BackendUnavailable), services.sessions.begin() as session:
            again = "ingest the same source again to go on"
            queries.fail_job(session, job.id, f"it ended after {done:,} rows: {said}; {again}")
        raise
    log.info("job %s: %d rows in %.1f s", job.id, done, time.monotonic() - started)
    return job.id


@contextmanager
def _garbage_left() -> Iterator[None]:
    """Have nothing look for unreachable objects but the caller, who does so behind every batch.

    A batch makes hundreds of thousands of objects at once, of which hardly any are unreachable:
    the interpreter would look through them all again and again, a quarter of the time of a load.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    gc.freeze()  # what was there before is not looked through either
    try:
        yield
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()


def _take(
    services: Services, job: IngestJob, rows: Sequence[Row], compared: set[str], *, start: int
) -> None:
    with services.sessions.begin() as session:
        listed = [new_item(Listed(row.item, str(row.item.path))) for row in rows]
        queries.add_items(session, job.id, listed, start=start)
    files = [
        (Work(position, row.item, job.id), LookedAt.of(row))
        for position, row in enumerate(rows, start)
    ]

    def denied(session: Session, hashes: Collection[str]) -> Mapping[str, Collection[str]]:
        return queries.denied_files(session, job.id, hashes)

    def encoded(few: Sequence[Prepared]) -> Encoded:
        own = [rows[one.work.position - start] for one in few]
        return Encoded(
            {row.sha256: row.vectors for row in own if row.sha256 and row.vectors},
            {row.sha256: row.parts for row in own if row.sha256 and row.parts is not None},
        )

    ready = judge(services, files, Spellings(job.names), denied, reinstate=job.reinstate)
    process(services, job, [one() for one in ready], encoded, compared)
