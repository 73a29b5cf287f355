"""Many images looked up by workers: listed by the first task of a batch, then a few a task.

Tenants take turns, and so do the batches of one (`queries.next_lookup`): a worker looks up images
of one task for `TURN_S`, then of whichever is next.

The answer to each image is recorded like any other, by whoever sent the batch, in the transaction
that gives the image its outcome: no image is answered twice. What cannot be looked up is refused
with its reason, and the batch goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.actors import Actor, Scope, acting, who
from attribution.answers import Attribution
from attribution.catalogue import queries
from attribution.catalogue.models import (
    ArtworkStatus,
    LookupBatch,
    LookupItem,
    LookupKind,
    LookupOutcome,
)
from attribution.catalogue.models.lookups import ARTISTS
from attribution.catalogue.queries import NewLookup, TaskKey
from attribution.collection import Stores
from attribution.custody import How, Purpose
from attribution.errors import (
    BackendUnavailable,
    BadInput,
    LawfulError,
    NotFetched,
    NotFound,
    TooMany,
)
from attribution.images import read_image
from attribution.lookup.attributor import Also
from attribution.lookup.subjects import Obtained, keeping
from attribution.services import Services
from ingest.fetching import Fetcher
from ingest.hosts import LATE, Hosts
from ingest.lease import Lease, holding
from ingest.lookup_sources import listed, works
from ingest.reading import DEADLY, unprocessable
from ingest.sources.archives import SPREADSHEETS, is_archive
from ingest.uploads import UPLOAD, shown_name

log = logging.getLogger(__name__)

ONE_IMAGE = "one image"  # in place of a name
IMAGES = (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"II*\0", b"MM\0*")  # how they begin
TURN_S = 10.0  # then others have theirs; what is in hand is finished
RETRY_AFTER_S = 60  # where too many batches wait
COME_FROM = {
    LookupKind.ARCHIVE: How.ARCHIVE,
    LookupKind.URLS: How.URL,
    LookupKind.WORKS: How.WORK,
    LookupKind.IMAGE: How.UPLOAD,
}


class Settled(Exception):
    """Raised where an image has got an outcome while it was looked up: nothing is recorded."""


def accept(stores: Stores, file: IO[bytes], name: str | None) -> UUID:
    """Store an archive of images, or a CSV of URLs, as a batch whose first task lists it.

    Raises BadInput for an archive of a kind that is not read, TooMany where too many batches wait.
    """
    shown = shown_name(name)
    if Path(shown).suffix.lower() in SPREADSHEETS:
        raise BadInput(f"{shown} is a spreadsheet; save it as CSV, with a column url")
    kind = LookupKind.ARCHIVE if is_archive(file) else LookupKind.URLS
    if kind is LookupKind.URLS and file.read(8).startswith(IMAGES):
        raise BadInput(f"{shown} is an image: look it up by itself, or send an archive of images")
    file.seek(0)
    with stores.sessions.begin() as session:
        batch_id = _opened(stores, session, kind, shown).id
    with _storing(stores, batch_id):
        stores.store.put_incoming(batch_id, UPLOAD, file)
        with stores.sessions.begin() as session:
            queries.add_lookup_listing(session, batch_id)
    return batch_id


def accept_image(
    stores: Stores,
    file: IO[bytes],
    sha256: str,
    *,
    artists: int,
    purpose: Purpose | None = None,
    is_thorough: bool = True,
) -> UUID:
    """Store one image, which can be read, as a batch of its own; its name is not kept.

    Raises TooMany where too many batches wait.
    """
    with stores.sessions.begin() as session:
        batch = _opened(stores, session, LookupKind.IMAGE, ONE_IMAGE, artists)
        batch_id, batch.purpose, batch.is_thorough = batch.id, purpose, is_thorough
    with _storing(stores, batch_id):
        stores.store.put_incoming(batch_id, sha256, file)
        with stores.sessions.begin() as session:
            queries.add_lookup_items(session, batch_id, [NewLookup(ONE_IMAGE, sha256)])
    return batch_id


def accept_works(stores: Stores, ids: Sequence[str]) -> UUID:
    """Open a batch that looks up registered works, whose originals were kept.

    Raises BadInput, TooLarge for none or too many, TooMany where too many batches wait.
    """
    items = works(ids)
    with stores.sessions.begin() as session:
        row = _opened(stores, session, LookupKind.WORKS, f"{len(items)} works")
        queries.add_lookup_items(session, row.id, items)
        return row.id


def cancel(stores: Stores, batch_id: UUID) -> None:
    """Have a batch end after the image in hand; raises NotFound, Conflict, ScopeMissing."""
    with stores.sessions.begin() as session:
        _check_own(session, batch_id)
        queries.cancel_lookup_batch(session, batch_id)


def retry(stores: Stores, batch_id: UUID) -> None:
    """Have a batch go on that ended without all answers; as `queries.retry_lookup_batch`.

    Raises ScopeMissing too.
    """
    with stores.sessions.begin() as session:
        _check_own(session, batch_id)
        queries.retry_lookup_batch(session, batch_id)


def _check_own(session: Session, batch_id: UUID) -> None:
    """Raise ScopeMissing for the batch of another, unless the caller operates the service."""
    asked_by = Actor(queries.lookup_batch_by_id(session, batch_id).asked_by)
    if asked_by.id != who().id:
        who().require(Scope.OPERATE)


@contextmanager
def _storing(stores: Stores, batch_id: UUID) -> Iterator[None]:
    """Have a batch fail, and nothing stay of it, where its files cannot be stored."""
    try:
        yield
    except BaseException:
        with suppress(BackendUnavailable):  # what went wrong is to be said, not this
            stores.store.clear_incoming(batch_id)
        with stores.sessions.begin() as session:
            queries.interrupt(session, batch_id, "the upload could not be stored; send it again")
        raise


def _opened(
    stores: Stores, session: Session, kind: LookupKind, name: str, artists: int = ARTISTS
) -> LookupBatch:
    most = stores.settings.most_lookup_batches
    if queries.waiting_lookup_batches(session) >= most:
        raise TooMany(
            f"{most} lookup batches wait already; send this one when some are done "
            f"(LAWFUL_MOST_LOOKUP_BATCHES)",
            retry_after_s=RETRY_AFTER_S,
        )
    return queries.add_lookup_batch(session, kind, name, artists)


def run_lookups(
    services: Services,
    key: TaskKey,
    *,
    stopping: Callable[[], bool],
    fetcher: Fetcher | None = None,
) -> bool:
    """List the images of a batch, or ask about those of one task, for the time of one turn.

    Returns whether the task is done: not when its time was up, `stopping()` was true, or its lease
    was unavailable. Raises BackendUnavailable: worth another try.
    """
    with holding(services, key) as lease:
        if lease is None:
            return False
        with services.sessions.begin() as session:
            queries.note_turn(session, key.subject)
            batch = queries.lookup_batch_by_id(session, key.subject)
        if key.number == 0:
            items = listed(services, batch)
            lease.finish(lambda session: queries.add_lookup_items(session, batch.id, items))
            return True
        started, done = time.monotonic(), 0
        hosts = Hosts.of(services, batch, fetcher or Fetcher(services.limits.max_bytes))
        with acting(Actor(batch.asked_by)):
            for item, is_last in _in_hand(services, lease):
                _look_up(services, batch, item, hosts)
                done += 1
                is_up = time.monotonic() - started > TURN_S
                if not is_last and (is_up or stopping() or lease.is_lost):
                    return False
        lease.finish()
        seconds = time.monotonic() - started
        log.info("task %s of lookups %s: %d in %.1f s", key.number, batch.id, done, seconds)
        return True


def _in_hand(services: Services, lease: Lease) -> Iterator[tuple[LookupItem, bool]]:
    """Yield the images of a task that have no outcome, each noted before it is read, the last so.

    One that ended the processes that read it alone is refused.
    """
    with services.sessions() as session:
        task = queries.task_by_key(session, lease.key)
        first, stop = task.first, task.stop
        items = queries.pending_lookups(session, lease.key.subject, first=first, stop=stop)
    for item in items:
        if item.position == task.deadly:
            _refuse(services, item, DEADLY)
            continue
        is_suspect = item.position < task.begun
        lease.hold(
            begun=task.begun if is_suspect else item.position + 1,
            alone=item.position if is_suspect else None,
        )
        yield item, item is items[-1]


def _look_up(services: Services, batch: LookupBatch, item: LookupItem, hosts: Hosts) -> None:
    """Answer one image, or refuse it."""
    try:
        data, fetched = _bytes(services, batch.kind, item, hosts)
        image = read_image(data, services.limits.patient())
        how = COME_FROM[batch.kind]
        obtained = Obtained(how, batch.purpose, batch.id, item.position, fetched)
        keep = keeping(services, image, lambda: data, obtained)
        settle = partial(_settle, item, fetched, keep)
        services.attributor.attribute(
            image, limit=batch.artists, also=settle, is_thorough=batch.is_thorough
        )
    except Settled:
        pass
    except NotFetched as error:
        is_late = error.reason in LATE
        outcome = LookupOutcome.TIMED_OUT if is_late else LookupOutcome.REFUSED
        _refuse(services, item, str(error), outcome)
    except (BadInput, NotFound) as error:
        _refuse(services, item, str(error))
    except LawfulError:  # no image is to blame for that
        raise
    except Exception as error:
        log.exception("image %d of lookups %s", item.position, item.batch_id)
        _refuse(services, item, unprocessable(error))


def _settle(
    item: LookupItem, fetched: Mapping[str, Any], keep: Also, session: Session, answer: Attribution
) -> None:
    if not queries.note_answer(session, item, answer.id, fetched):
        raise Settled
    keep(session, answer)


def _refuse(
    services: Services,
    item: LookupItem,
    reason: str,
    outcome: LookupOutcome = LookupOutcome.REFUSED,
) -> None:
    with services.sessions.begin() as session:
        queries.note_refusal(session, item, reason, outcome)


def _bytes(
    services: Stores, kind: LookupKind, item: LookupItem, hosts: Hosts
) -> tuple[bytes, dict[str, Any]]:
    """Return an image, and what the server of a URL said of it; raises BadInput, NotFound."""
    if kind is LookupKind.URLS:
        found = hosts.fetch(item.name)
        return found.data, found.said
    if kind in {LookupKind.ARCHIVE, LookupKind.IMAGE}:
        return services.store.incoming(item.batch_id, item.sha256 or ""), {}
    work = UUID(item.name)
    with services.sessions() as session:
        row = queries.artworks_by_id(session, [work], status=ArtworkStatus.INDEXED).get(work)
    if row is None:
        raise NotFound(f"no work {work} can be found: it was never registered, or withdrawn")
    return services.store.original(row.sha256), {}
