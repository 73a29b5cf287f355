"""Many images looked up by workers: listed by the first task of a batch, then asked a few a task.

The answer to each image is recorded like any other, and the image's line says which it is. What
cannot be asked about is refused with its reason, and the batch goes on. An image that has an
outcome is never asked again; one whose process ended between answer and line is asked twice.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from attribution.catalogue import queries
from attribution.catalogue.models import ArtworkStatus, LookupBatch, LookupItem, LookupKind
from attribution.catalogue.queries import NewLookup, TaskKey
from attribution.collection import Stores
from attribution.errors import (
    BackendUnavailable,
    BadImage,
    BadInput,
    LawfulError,
    NotFound,
    TooLarge,
)
from attribution.images import read_file, read_image
from attribution.services import Services
from attribution.temporary import temporary_folder
from ingest.fetching import Fetcher
from ingest.lease import Lease, holding
from ingest.reading import DEADLY, unprocessable
from ingest.sources.archives import is_archive, unpack
from ingest.sources.columns import fold
from ingest.sources.delimited import read_delimited
from ingest.sources.walk import walk
from ingest.uploads import UPLOAD, shown_name, unpack_limits

log = logging.getLogger(__name__)

MOST_ITEMS = 10_000  # what they say together is worked out at once, when it is asked for
URL_COLUMNS = ("url", "link", "href", "image_url")


def accept(stores: Stores, file: IO[bytes], name: str | None) -> UUID:
    """Store an archive of images, or a CSV of URLs, as a batch whose first task lists it.

    Raises BadInput for an archive of a kind that is not read.
    """
    kind = LookupKind.ARCHIVE if is_archive(file) else LookupKind.URLS
    with stores.sessions.begin() as session:
        batch_id = queries.add_lookup_batch(session, kind, shown_name(name)).id
    try:
        stores.store.put_incoming(batch_id, UPLOAD, file)
        with stores.sessions.begin() as session:
            queries.add_lookup_listing(session, batch_id)
    except BaseException:
        with suppress(BackendUnavailable):  # what went wrong is to be said, not this
            stores.store.clear_incoming(batch_id)
        with stores.sessions.begin() as session:
            queries.interrupt(session, batch_id, "the upload could not be stored; send it again")
        raise
    return batch_id


def accept_works(stores: Stores, works: Sequence[UUID]) -> UUID:
    """Open a batch that asks about registered works, whose originals were kept."""
    with stores.sessions.begin() as session:
        row = queries.add_lookup_batch(session, LookupKind.WORKS, f"{len(works)} works")
        queries.add_lookup_items(session, row.id, [NewLookup(str(one)) for one in works])
        return row.id


def run_lookups(
    services: Services,
    key: TaskKey,
    *,
    stopping: Callable[[], bool],
    fetcher: Fetcher | None = None,
) -> None:
    """List the images of a batch, or ask about those of one task.

    Does nothing when the task is done, another worker has it, or its batch was cancelled. Ends
    early once `stopping()` is true. Raises BackendUnavailable: worth another try.
    """
    with holding(services, key) as lease:
        if lease is None:
            return
        with services.sessions() as session:
            batch = queries.lookup_batch_by_id(session, key.subject)
        if key.number == 0:
            items = _listed(services, batch)
            lease.finish(lambda session: queries.add_lookup_items(session, batch.id, items))
            return
        started, asked = time.monotonic(), 0
        fetcher = fetcher or Fetcher(services.limits.max_bytes)
        for item in _in_hand(services, lease):
            _ask(services, batch.kind, item, fetcher)
            asked += 1
            if stopping() or lease.is_lost:
                return
        lease.finish()
        seconds = time.monotonic() - started
        log.info("task %s of lookups %s: %d in %.1f s", key.number, batch.id, asked, seconds)


def _listed(stores: Stores, batch: LookupBatch) -> list[NewLookup]:
    """Return the images of an upload, their bytes in the store; raises BadInput, TooLarge."""
    with temporary_folder(stores.settings.home) as folder:
        packed = folder / "packed"
        stores.store.fetch_incoming(batch.id, UPLOAD, packed)
        if batch.kind is LookupKind.ARCHIVE:
            found = _members(stores, batch.id, packed, folder / "files")
        else:
            found = _urls(packed, batch.name)
        items: list[NewLookup] = []
        for one in found:
            items.append(one)
            if len(items) > MOST_ITEMS:
                raise TooLarge(f"{batch.name} has more than {MOST_ITEMS:,} images; split it")
    if not items:
        raise BadInput(f"{batch.name} has nothing to look up; send images, or a CSV of their URLs")
    return items


def _members(stores: Stores, batch_id: UUID, packed: Path, files: Path) -> Iterator[NewLookup]:
    """Yield the files of an archive; what works and their tables would be passed over is here."""
    files.mkdir()
    left_out = unpack(packed, files, unpack_limits(stores))
    for entry in walk(files):
        name = entry.path.as_posix()
        if entry.refused is not None:
            yield NewLookup(name, refused=entry.refused)
        elif not entry.is_folder and entry.company is None:
            yield _staged(stores, batch_id, files / entry.path, name)
    for one in left_out:
        yield NewLookup(one.name, refused=one.reason)


def _staged(stores: Stores, batch_id: UUID, path: Path, name: str) -> NewLookup:
    try:
        data = read_file(path, stores.limits)
    except (BadImage, NotFound) as error:
        return NewLookup(name, refused=str(error).replace(str(path), name))
    sha256 = hashlib.sha256(data).hexdigest()
    stores.store.put_incoming(batch_id, sha256, BytesIO(data))
    return NewLookup(name, sha256)


def _urls(table: Path, shown: str) -> Iterator[NewLookup]:
    """Yield the URLs of a table; a row that cannot be understood is refused."""
    _, rows = read_delimited(table, shown, known=URL_COLUMNS)
    for row in rows:
        given = [str(cell).strip() for head, cell in row.cells if fold(head) in URL_COLUMNS]
        url = next(filter(None, given), "")
        if row.fault or not url:
            yield NewLookup(
                url or row.where, refused=f"{row.where}: {row.fault or 'it has no URL'}"
            )
        else:
            yield NewLookup(url)


def _in_hand(services: Services, lease: Lease) -> Iterator[LookupItem]:
    """Yield the images of a task that have no outcome, each noted before it is read.

    One that was in hand when two processes ended without a word is refused.
    """
    with services.sessions() as session:
        task = queries.task_by_key(session, lease.key)
        first, stop = task.first, task.stop
        items = queries.pending_lookups(session, lease.key.subject, first=first, stop=stop)
    for item in items:
        if item.position == task.alone:
            with services.sessions.begin() as session:
                queries.note_refusal(session, item, DEADLY)
            continue
        is_suspect = item.position < task.begun
        lease.hold(
            begun=task.begun if is_suspect else item.position + 1,
            alone=item.position if is_suspect else None,
        )
        yield item


def _ask(services: Services, kind: LookupKind, item: LookupItem, fetcher: Fetcher) -> None:
    """Answer one image, or refuse it."""
    try:
        data, fetched = _bytes(services, kind, item, fetcher)
        answer = services.attributor.attribute(read_image(data, services.limits))
    except (BadInput, NotFound) as error:
        reason = str(error)
    except LawfulError:  # no image is to blame for that
        raise
    except Exception as error:
        log.exception("image %d of lookups %s", item.position, item.batch_id)
        reason = unprocessable(error)
    else:
        with services.sessions.begin() as session:
            queries.note_answer(session, item, answer.id, fetched)
        return
    with services.sessions.begin() as session:
        queries.note_refusal(session, item, reason)


def _bytes(
    services: Stores, kind: LookupKind, item: LookupItem, fetcher: Fetcher
) -> tuple[bytes, dict[str, Any]]:
    """Return an image, and what the server of a URL said of it; raises BadInput, NotFound."""
    if kind is LookupKind.URLS:
        found = fetcher.fetch(item.name)
        said = {"url": found.url, "at": found.at.isoformat(), "headers": found.headers}
        return found.data, said
    if kind is LookupKind.ARCHIVE:
        return services.store.incoming(item.batch_id, item.sha256 or ""), {}
    work = UUID(item.name)
    with services.sessions() as session:
        row = queries.artworks_by_id(session, [work], status=ArtworkStatus.INDEXED).get(work)
    if row is None:
        raise NotFound(f"no work {work} can be found; GET /v1/artworks lists those there are")
    return services.store.original(row.sha256), {}
