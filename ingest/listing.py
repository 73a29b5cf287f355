"""From a source to a job: a row a file, and the batches that workers take.

In one process the files stay where they are. Where workers run elsewhere their bytes are put into
the store first; a file that cannot even be read is recorded as refused and the others go on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes
from uuid import UUID

from sqlalchemy.orm import Session

from attribution.catalogue import queries
from attribution.catalogue.models import IngestItem, Outcome
from attribution.catalogue.queries import ItemOutcome, NewItem
from attribution.collection import Stores
from attribution.errors import BackendUnavailable, BadImage, LawfulError, NotFound
from attribution.images import read_file
from attribution.threads import Threads
from ingest.denials import Denials
from ingest.options import BY_RULE, Options
from ingest.patience import Patience
from ingest.sources import Source, SourceItem

FILE = "file://"
CHUNK = 500  # files in memory at a time
STAGERS = 4  # threads that carry bytes into the store


@dataclass(frozen=True)
class Listed:
    """A file with the place of its bytes, or the reason why it cannot be had."""

    item: SourceItem
    shown: str  # its path, as people may see it
    sha256: str | None = None
    refused: str | None = None


def plan(
    stores: Stores,
    source: str,
    items: Source,
    *,
    staged: bool,
    options: Options = BY_RULE,
) -> UUID:
    """List a source as a job with a row a file, ready to be run; returns the job's id.

    `staged` puts the bytes into the store for workers elsewhere. A source that turns out to be
    unreadable midway fails the job as a whole, and its error is raised.
    """
    with stores.sessions.begin() as session:
        job_id = queries.create_job(session, source=source, **options.of_job(stores.settings)).id
    patiently = Patience()
    try:
        files, denials = 0, Denials(stores.limits)
        rest = denials.noting(items)
        for chunk in listed(stores, job_id, rest, staged=staged, patiently=patiently):
            patiently(partial(_record_chunk, stores, job_id, chunk, start=files))
            files += len(chunk)
        denied = denials.by_hash()
        patiently(partial(_conclude, stores, job_id, items.remarks, denied, files=files))
    except BaseException as error:
        said = str(error) if isinstance(error, LawfulError) else type(error).__name__
        with suppress(BackendUnavailable):  # what matters is what stopped it
            with stores.sessions.begin() as session:
                queries.fail_job(session, job_id, f"its files could not be listed: {said}")
            stores.store.clear_incoming(job_id)
        raise
    return job_id


def _record_chunk(stores: Stores, job_id: UUID, chunk: Sequence[Listed], *, start: int) -> None:
    with stores.sessions.begin() as session:
        record(session, job_id, chunk, start=start)


def _conclude(
    stores: Stores,
    job_id: UUID,
    remarks: Sequence[str],
    denied: Mapping[str, Collection[str]],
    *,
    files: int,
) -> None:
    with stores.sessions.begin() as session:
        conclude(session, job_id, remarks, denied, files=files)


def listed(
    stores: Stores,
    job_id: UUID,
    items: Iterable[SourceItem],
    *,
    staged: bool,
    patiently: Patience,
    shown: Callable[[Path], str] = lambda path: str(path.absolute()),
) -> Iterator[list[Listed]]:
    """Yield the files of a source in chunks, their bytes in the store where they are `staged`."""

    def stage(item: SourceItem) -> Listed:
        if item.is_lost:
            return Listed(item, shown(item.path), refused=item.refused)
        return _stage(stores, job_id, item, shown(item.path), patiently)

    rest = iter(items)
    with Threads(STAGERS) as stagers:
        while chunk := list(islice(rest, CHUNK)):
            if not staged:
                yield [
                    Listed(item, shown(item.path), refused=item.refused if item.is_lost else None)
                    for item in chunk
                ]
                continue
            try:
                yield list(stagers.map(stage, chunk))
            except BaseException:
                patiently.ending.set()  # or the threads would wait on
                raise


def record(session: Session, job_id: UUID, files: Sequence[Listed], *, start: int) -> None:
    """Write rows for files at positions from `start`."""
    queries.add_items(session, job_id, [new_item(one) for one in files], start=start)
    refused = [
        ItemOutcome(position, Outcome.REFUSED, one.refused)
        for position, one in enumerate(files, start)
        if one.refused is not None
    ]
    queries.record_outcomes(session, job_id, refused)


def conclude(
    session: Session,
    job_id: UUID,
    remarks: Sequence[str],
    denied: Mapping[str, Collection[str]],
    *,
    files: int,
) -> None:
    """Note what is said of a source as a whole, and make the batches of its files.

    `denied` are the purposes that it denies, by the hashes of files.
    """
    queries.add_remarks(session, job_id, remarks)
    queries.add_denied_files(session, job_id, denied)
    queries.add_batches(session, job_id, files)


def source_item(row: IngestItem | NewItem) -> SourceItem:
    """Return a file as its source gave it."""
    known: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in row.details.items()
    }
    return SourceItem(path_of(row.path), row.artist, **known)


def _kept(path: str) -> str:
    """Return a path as a database can hold it; bytes that are no text make it a file: URI."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return FILE + quote_from_bytes(os.fsencode(path))
    return path


def path_of(kept: str) -> Path:
    """Return the path that a row keeps."""
    if kept.startswith(FILE):
        return Path(os.fsdecode(unquote_to_bytes(kept.removeprefix(FILE))))
    return Path(kept)


def _stage(
    stores: Stores, job_id: UUID, item: SourceItem, shown: str, patiently: Patience
) -> Listed:
    try:
        data = read_file(item.path, stores.limits)
    except (BadImage, NotFound) as error:
        return Listed(item, shown, refused=str(error).replace(str(item.path), shown))
    sha256 = hashlib.sha256(data).hexdigest()
    patiently(lambda: stores.store.put_incoming(job_id, sha256, BytesIO(data)))
    return Listed(item, shown, sha256)


def new_item(one: Listed) -> NewItem:
    """Return the row of a file, with what its source says of it."""
    details: dict[str, Any] = {
        name: value
        for name, value in vars(one.item).items()
        if name not in {"path", "artist"} and value is not None
    }
    return NewItem(
        path=_kept(one.shown), artist=one.item.artist, details=details, sha256=one.sha256
    )
