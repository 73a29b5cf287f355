"""From files to findable works: read, encode, write, a few at a time. Which files: `listing`.

While a few are encoded, those before them are written and those behind them are read. No more than
these three are in memory, and they are written in their order.

A batch is taken by its lease, so that two workers never do it at once, and each file's outcome is
written last. Every step may be repeated: ids derive from content, and the index takes the same
point twice. A file that cannot be used is recorded with its reason and the batch goes on; a backend
that does not answer ends it, and whoever takes it next goes on behind the last outcome.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.models import IngestJob, Outcome, artwork_id
from attribution.catalogue.queries import ItemOutcome, TaskKey
from attribution.errors import BackendUnavailable, Conflict, ModelUnavailable
from attribution.outages import disk_outages
from attribution.services import Services
from attribution.threads import Threads
from ingest.encoding import Encoded, encode
from ingest.in_hand import one_by_one, prepared
from ingest.lease import Lease, holding
from ingest.quotas import within_quota
from ingest.reading import Prepared, unprocessable
from ingest.writing import write

log = logging.getLogger(__name__)

# A model is given every file at the same size: if memory is short for one, it is for all.
NO_FILES_FAULT = (BackendUnavailable, ModelUnavailable)

Encoding = Callable[[Sequence[Prepared]], Encoded]
"""Returns what was, or is, encoded of files."""


def run_batch(services: Services, key: TaskKey, *, stopping: Callable[[], bool]) -> None:
    """Bring every pending file of a batch into the catalogue and the index.

    Does nothing when the batch is done, another worker has it, or its job was cancelled. What an
    earlier, interrupted run finished costs nothing. Ends early once `stopping()` is true. Raises
    BackendUnavailable when database, index or store do not answer: worth another try.
    """
    with holding(services, key) as lease:
        if lease is None:
            return
        started, files = time.monotonic(), 0
        with services.sessions() as session:
            job = queries.job_by_id(session, key.subject)
        compared = set[str]()
        for few, encoding in _encoded(services, lease, job):
            process(services, job, few, encoding, compared)
            files += len(few)
            if stopping() or lease.is_lost:
                return
        services.index.flush()
        lease.finish()
        seconds = time.monotonic() - started
        log.info("batch %s of job %s: %d files in %.1f s", key.number, key.subject, files, seconds)


def _encoded(
    services: Services, lease: Lease, job: IngestJob
) -> Iterator[tuple[Sequence[Prepared], Encoding]]:
    """Yield the pending files of a batch, a few at a time, and what gives their vectors.

    Those that were in hand when a process died are encoded when they are asked for, and nothing
    beside them. Of all others the next few are encoded meanwhile.
    """
    for few in one_by_one(services, lease, job.names, reinstate=job.reinstate):
        yield few, partial(_encode, services)
    with Threads(1) as encoder:
        before: tuple[Sequence[Prepared], Encoding] | None = None
        for few in prepared(services, lease, job.names, reinstate=job.reinstate):
            within = within_quota(services, few)  # what is refused now is not encoded, and stays so
            ahead = encoder.submit(_encode, services, within)
            if before:
                yield before
            before = within, partial(_taken, services, within, ahead)
        if before:
            yield before


def _taken(
    services: Services, few: Sequence[Prepared], ahead: Future[Encoded], files: Sequence[Prepared]
) -> Encoded:
    """Return what was encoded ahead of all of some files; one of them alone is encoded again."""
    return ahead.result() if len(files) == len(few) else _encode(services, files)


def process(
    services: Services,
    job: IngestJob,
    few: Sequence[Prepared],
    encoding: Encoding,
    compared: set[str],
) -> None:
    """Encode and write some files; where that fails, find the one that is to blame and refuse it.

    `compared` are the artists of the job of whom it was said before who else they may be. When none
    of several can be done the fault is not theirs, and the error is raised.
    """
    try:
        _encode_and_write(services, job, few, encoding, compared)
    except NO_FILES_FAULT:
        raise
    except Exception:
        log.warning("some files of job %s failed together, now one by one", job.id, exc_info=True)
        failed, unclear = [], []
        for one in few:
            try:
                _encode_and_write(services, job, [one], encoding, compared)
            except NO_FILES_FAULT:
                raise
            except Conflict as own:  # its spelling may be that of an artist who came just now
                unclear.append((one, str(own)))
            except Exception as own:  # noqa: BLE001  whatever it is, this file is to blame
                failed.append((one, unprocessable(own)))
        if len(failed) == len(few) > 1:
            raise
        _refuse(services, job, [*failed, *unclear])


def _encode_and_write(
    services: Services,
    job: IngestJob,
    few: Sequence[Prepared],
    encoding: Encoding,
    compared: set[str],
) -> None:
    with disk_outages("while works were encoded and written"):  # no file is to blame for that
        few = within_quota(services, few)
        write(services, job, few, encoding(few), compared)


def _refuse(services: Services, job: IngestJob, failed: Sequence[tuple[Prepared, str]]) -> None:
    with services.sessions.begin() as session:
        for one, reason in failed:
            if one.picture:  # its row may be there already, waiting for a point
                lifecycle.become_failed(session, [artwork_id(one.picture.sha256)], reason)
        outcomes = [
            ItemOutcome(one.work.position, Outcome.REFUSED, reason) for one, reason in failed
        ]
        queries.record_outcomes(session, job.id, outcomes)


def _encode(services: Services, few: Sequence[Prepared]) -> Encoded:
    to_encode = [(one, one.image) for one in few if one.image]
    return encode(
        services.encoders,
        [image for one, image in to_encode if one.lacks_vectors],
        [image for one, image in to_encode if one.has_parts],
    )
