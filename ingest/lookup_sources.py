"""What a lookup batch is about: the files of an archive, the URLs of a table, ids of works.

Whatever cannot be looked up stands among the others, with its reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from itertools import islice
from pathlib import Path
from uuid import UUID

from attribution.catalogue.models import LookupBatch, LookupKind
from attribution.catalogue.queries import NewLookup
from attribution.collection import Stores
from attribution.errors import BadImage, BadInput, NotFetched, NotFound, TooLarge
from attribution.images import read_file
from attribution.temporary import temporary_folder
from ingest.fetching import checked_url
from ingest.sources.archives import ANY_BYTES, LeftOut, unpack
from ingest.sources.columns import fold
from ingest.sources.company import Company
from ingest.sources.delimited import Columns, read_delimited, read_lines
from ingest.sources.raw import Raw, Unreadable, Unrelated
from ingest.sources.tables import check_size
from ingest.sources.walk import walk
from ingest.sources.zip_names import NamesUnclear
from ingest.uploads import UPLOAD, unpack_limits

MOST_ITEMS = 10_000  # what they say together is worked out at once, when it is asked for
OF_URLS = Columns({fold(name) for name in ("url", "link", "href", "image_url")}, "url")
SENT = {Company.DOCUMENTS, Company.PERMISSIONS}  # by somebody, unlike what programs leave behind
LONGEST_SHOWN = 100


def listed(stores: Stores, batch: LookupBatch) -> list[NewLookup]:
    """Return the images of an upload, their bytes in the store; raises BadInput, TooLarge."""
    with temporary_folder(stores.settings.home) as folder:
        packed = folder / "packed"
        stores.store.fetch_incoming(batch.id, UPLOAD, packed)
        is_archive = batch.kind is LookupKind.ARCHIVE
        found = _members(stores, batch.id, packed, folder) if is_archive else _urls(batch, packed)
        items = list(islice(found, MOST_ITEMS + 1))
    if len(items) > MOST_ITEMS:
        raise TooLarge(f"{batch.name} has more than {MOST_ITEMS:,} images; split it")
    if not items:
        raise BadInput(f"{batch.name} has nothing to look up; send images, or a CSV of their URLs")
    return items


def works(ids: Sequence[str]) -> list[NewLookup]:
    """Return works by their ids, as the sender has written them; raises BadInput, TooLarge."""
    if not ids:
        raise BadInput("no work is named; give a list of their ids")
    if len(ids) > MOST_ITEMS:
        raise TooLarge(f"{len(ids):,} works are more than {MOST_ITEMS:,}; split the list")
    return [_work(one) for one in ids]


def _work(given: str) -> NewLookup:
    try:
        return NewLookup(str(UUID(given)))
    except ValueError:
        shown = given[:LONGEST_SHOWN]
        return NewLookup(shown, refused=f"{shown!r} is not the id of a work")


def _members(stores: Stores, batch_id: UUID, packed: Path, folder: Path) -> Iterator[NewLookup]:
    """Yield the files of an archive, but for what programs and servers leave next to pictures."""
    left_out, files = _unpacked(stores, packed, folder)
    for entry in walk(files):
        name = entry.path.as_posix()
        if entry.refused is not None:
            yield NewLookup(name, refused=entry.refused)
        elif not entry.is_folder and (entry.company is None or entry.company in SENT):
            yield _staged(stores, batch_id, files / entry.path, name)
    for one in left_out:
        yield NewLookup(one.name, refused=one.reason)


def _unpacked(stores: Stores, packed: Path, folder: Path) -> tuple[list[LeftOut], Path]:
    files = folder / "files"
    files.mkdir()
    limits = unpack_limits(stores)
    try:
        return unpack(packed, files, limits), files
    except NamesUnclear:
        return unpack(packed, files, limits, names_encoding=ANY_BYTES), files


def _staged(stores: Stores, batch_id: UUID, path: Path, name: str) -> NewLookup:
    try:
        data = read_file(path, stores.limits)
    except (BadImage, NotFound) as error:
        return NewLookup(name, refused=str(error).replace(str(path), name))
    sha256 = hashlib.sha256(data).hexdigest()
    stores.store.put_incoming(batch_id, sha256, BytesIO(data))
    return NewLookup(name, sha256)


def _urls(batch: LookupBatch, table: Path) -> Iterator[NewLookup]:
    """Yield the URLs of a table; a row without one that can be asked is refused, by its place.

    Such a cell may hold anything, a password as well.
    """
    for row in _rows(table, batch.name):
        given = (str(cell).strip() for head, cell in row.cells if fold(head) in OF_URLS.known)
        url = next(filter(None, given), "")
        fault = row.fault or (_fault(url) if url else "it has no URL")
        yield NewLookup(row.where.removeprefix(f"{batch.name}, ") if fault else url, refused=fault)


def _fault(url: str) -> str | None:
    try:
        checked_url(url)
    except NotFetched as error:
        return str(error)
    return None


def _rows(table: Path, shown: str) -> Iterable[Raw]:
    """Return the rows of a table; of one that is broken somewhere, its lines."""
    check_size(table, shown)
    try:
        _, rows = read_delimited(table, shown, OF_URLS)
        return list(islice(rows, MOST_ITEMS + 1))
    except Unrelated:
        raise
    except Unreadable:
        return read_lines(table, shown, OF_URLS)
