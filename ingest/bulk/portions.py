"""A source divided into portions, each of which becomes a shard.

A folder of tars (WebDataset, img2dataset) has a portion a tar, and only its path is sent; so has a
folder of Parquet files of URLs a portion a file. Of a folder with a folder per artist, or of a
table, the rows are read here, and a portion is some of them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from attribution.errors import BadInput
from ingest.listing import Listed, new_item
from ingest.options import Reading
from ingest.sources import GRANTED_BY_DEFAULT, SourceItem, read_source
from ingest.sources.archives import LeftOut, unpack
from ingest.sources.columns import FILE_COLUMNS, KNOWN, fold
from ingest.sources.making import make_item
from ingest.sources.members import UnpackLimits
from ingest.sources.parquet import parquet_headers, parquet_rows
from ingest.sources.raw import Raw
from ingest.sources.tables import is_called_ours, rows_of

FILES = 128  # of a portion whose rows are read here: a batch of `lawful ingest`
DIGITS = 12  # of a hash in the name of a shard
URL = "url"


@dataclass(frozen=True)
class Entry:
    """One file of a portion: where it is, and what is said of it."""

    item: SourceItem
    url: str | None = None  # to be fetched
    shown: str | None = None  # its path, as people may see it; left out: the path itself


@dataclass(frozen=True)
class Portion:
    """What one worker does at a time, and the name of the shard that it makes of that."""

    name: str
    entries: Sequence[Entry] = ()
    packed: Path | None = None  # a tar, or a table of URLs, that is opened by whoever does it


@dataclass(frozen=True)
class Divided:
    """A source in portions."""

    portions: Sequence[Portion]
    remarks: Sequence[str] = ()


def divide(source: Path, reading: Reading, stamp: str) -> Divided:
    """Divide a source; `stamp` is what a shard depends on beside it.

    A shard is called by what it is made of: of a file that has changed another one is made. Raises
    BadInput and NotFound for a source that cannot be read.
    """
    if packed := _packed(source):
        if reading.layout or reading.names_encoding:
            raise BadInput("a folder of shards takes neither --layout nor --names-encoding")
        made = [f"{stamp}{reading.artist}{_stat(path)}" for path in packed]
        named = zip(packed, map(_name, range(len(packed)), made), strict=True)
        return Divided([Portion(name, packed=path) for path, name in named])
    items = read_source(source, artist=reading.artist, level=reading.layout)
    portions: list[Portion] = []
    for few in iter(partial(lambda: list(islice(items, FILES))), []):
        said = [f"{stamp}{vars(new_item(Listed(one, '')))}{_stat(one.path)}" for one in few]
        name = _name(len(portions), json.dumps(said))
        portions.append(Portion(name, [Entry(item) for item in few]))
    return Divided(portions, items.remarks)


def entries_of(
    packed: Path, folder: Path, artist: str | None, limits: UnpackLimits
) -> Iterator[Entry]:
    """Yield the files of a tar, unpacked into a folder, or of a table of URLs.

    One that cannot be read is itself a file that is refused: the others go on.
    """
    try:
        if packed.suffix == ".tar":
            yield from _unpacked(packed, folder, artist, limits)
        else:
            yield from _of_urls(packed, artist)
    except BadInput as error:
        yield Entry(SourceItem(packed, artist or "", packed.stem, refused=str(error)))


def _packed(source: Path) -> list[Path]:
    """Return the tars or tables of URLs of a source; none where it is another kind."""
    if source.suffix == ".tar" and source.is_file():
        return [source]
    if source.suffix == ".parquet" and source.is_file():
        return [source] if _is_of_urls(source) else []
    if not source.is_dir():
        return []
    if tars := sorted(source.glob("*.tar")):
        for path in sorted(source.iterdir()):
            if is_called_ours(path):
                raise BadInput(
                    f"{path} speaks about the pictures in tars, which are read one by one; say it "
                    f"in each tar, or unpack them"
                )
        return tars
    tables = sorted(source.glob("*.parquet"))
    return tables if tables and all(map(_is_of_urls, tables)) else []


def _is_of_urls(table: Path) -> bool:
    headers = parquet_headers(table)
    return URL in headers and not any(KNOWN.get(fold(one)) in FILE_COLUMNS for one in headers)


def _name(number: int, made_of: str) -> str:
    digest = hashlib.sha256(made_of.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{number:06}-{digest[:DIGITS]}.parquet"


def _stat(path: Path) -> str:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return f"{path}"
    return f"{path} {found.st_size} {found.st_mtime_ns}"


def _unpacked(tar: Path, folder: Path, artist: str | None, limits: UnpackLimits) -> Iterator[Entry]:
    beside = [tar.with_suffix(".parquet"), tar.with_name(f"{tar.stem}_stats.json")]
    found = [path for path in beside if path.is_file()]
    files = folder / tar.stem if found else folder  # as img2dataset writes the same shard as files
    files.mkdir(parents=True, exist_ok=True)
    for path in found:
        shutil.copy(path, folder / path.name)
    left_out = unpack(tar, files, limits)
    lost = [(one.name, one.reason) for one in left_out]
    for item in read_source(folder, artist=artist, lost=lost):
        shown = f"{tar.name}/{item.path.relative_to(files).as_posix()}"
        yield Entry(item, shown=shown)
    yield from map(partial(_left_out, tar), left_out)


def _left_out(tar: Path, one: LeftOut) -> Entry:
    path = PurePosixPath(one.name)
    named = path.parts[0] if len(path.parts) > 1 else ""
    item = SourceItem(Path(tar.name) / path, named, path.stem, refused=one.reason)
    return Entry(item, shown=f"{tar.name}/{one.name}")


def _without_scheme(url: str) -> str:
    """Return a URL as a path, which has no two slashes in a row."""
    return url.partition("://")[2] or url


def _of_urls(table: Path, artist: str | None) -> Iterator[Entry]:
    urls: deque[str | None] = deque()

    def raws() -> Iterator[Raw]:
        for number, row in parquet_rows(table, table.name):
            cells: Mapping[str, Any] = row
            url = cells.get(URL)
            urls.append(url if isinstance(url, str) and url.strip() else None)
            rest = {name: value for name, value in cells.items() if name != URL}
            rest["source"] = rest.get("source") or url
            rest[FILE_COLUMNS[0]] = PurePosixPath(urlsplit(str(url)).path).name or str(number)
            yield Raw(f"{table.name}, row {number}", list(rest.items()))

    headers = [name for name in parquet_headers(table) if name != URL]
    headers += [name for name in ("source", FILE_COLUMNS[0]) if name not in headers]
    for row in rows_of(table.name, headers, raws()):
        url = urls.popleft()
        if row is None:
            continue
        refused = None if url else f"{row.where}: it has no url"
        item = make_item(Path(row.name), row, artist, None, refused, GRANTED_BY_DEFAULT)
        yield Entry(item, url=url, shown=_without_scheme(url) if url else row.where)
