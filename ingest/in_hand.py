"""The files of a batch on their way to the encoders, a few at a time, noted before they are read.

A decoder or an encoder that crashes, or that takes all memory, ends the process without a word. The
next one reads what was in hand one by one. A file that ends two processes that read it alone is
refused; one alone may have been killed from outside, by a power cut or an operator.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.models import ArtworkStatus, NameRule, artwork_id
from attribution.collection import Stores
from attribution.services import Services
from attribution.threads import Threads
from ingest.joining import Spellings
from ingest.lease import Lease
from ingest.listing import source_item
from ingest.loading import DECODERS, Work, load
from ingest.reading import DEADLY, Prepared, prepare


def one_by_one(
    services: Services, lease: Lease, rule: NameRule, *, reinstate: bool
) -> Iterator[list[Prepared]]:
    """Yield the files that were in hand when a process died, each alone.

    Nothing is prepared ahead: should one of them end this process too, it is known which.
    """
    job_id = lease.key.subject
    with services.sessions() as session:
        batch = queries.task_by_key(session, lease.key)
    if batch.deadly is not None:
        _refuse_unread(services, job_id, batch.deadly)
    first = batch.first
    with Threads(DECODERS) as decoders:
        while works := _pending(services, job_id, first=first, stop=batch.begun, limit=1):
            first = works[0].position + 1
            lease.hold(begun=batch.begun, alone=works[0].position)
            yield _prepare(services, decoders, lease, works, rule, reinstate=reinstate)


def prepared(
    services: Services, lease: Lease, rule: NameRule, *, reinstate: bool
) -> Iterator[list[Prepared]]:
    """Yield the pending files that nobody has begun, a few at a time, the next ones ahead."""
    with services.sessions() as session:
        batch = queries.task_by_key(session, lease.key)
    with Threads(DECODERS) as decoders, Threads(1) as ahead:

        def several(first: int) -> list[Prepared]:
            works = _pending(
                services,
                lease.key.subject,
                first=first,
                stop=batch.stop,
                limit=services.settings.batch_size,
            )
            if works:
                lease.hold(begun=works[-1].position + 1)
            return _prepare(services, decoders, lease, works, rule, reinstate=reinstate)

        following = ahead.submit(several, max(batch.first, batch.begun))
        while few := following.result():
            following = ahead.submit(several, few[-1].work.position + 1)
            yield few


def _prepare(
    services: Services,
    decoders: Threads,
    lease: Lease,
    works: Sequence[Work],
    rule: NameRule,
    *,
    reinstate: bool,
) -> list[Prepared]:
    def denied(session: Session, hashes: Collection[str]) -> dict[str, set[str]]:
        return queries.denied_files(session, lease.key.subject, hashes)

    return prepare(services, decoders, works, Spellings(rule), denied, reinstate=reinstate)


def _pending(services: Stores, job_id: UUID, *, first: int, stop: int, limit: int) -> list[Work]:
    with services.sessions() as session:
        rows = queries.pending_items(session, job_id, first=first, stop=stop, limit=limit)
    return [Work(row.position, source_item(row), job_id, row.sha256) for row in rows]


def _refuse_unread(services: Services, job_id: UUID, position: int) -> None:
    """Have a file refused that ended the processes that read it alone, here and in other jobs.

    One of them may have written its point already.
    """
    for work in _pending(services, job_id, first=position, stop=position + 1, limit=1):
        if sha256 := load(services, work).sha256:
            with services.sessions.begin() as session:
                queries.add_deadly_file(session, sha256)
                lifecycle.become_failed(session, [artwork_id(sha256)], DEADLY)
                indexed = queries.artworks_by_sha256(
                    session, [sha256], status=ArtworkStatus.INDEXED
                )
            if not indexed:
                services.index.delete([artwork_id(sha256)])
