"""Where works come from: folders, tables, manifests. The one reader of what people bring.

Two forms, told apart by what is given:

- a folder with one folder per artist, files below it at any depth. A table called `metadata` in any
  folder says more about the files in it and below; the nearer one counts, and every no of all;
- a manifest: a table by any name; only the files that it names, relative to itself.

`tables` reads .csv, .tsv, .jsonl, .json, .parquet and spreadsheets, `columns` says what a column
means, `cells` what a cell means, `ties` which file a name means, `folder` and `manifest` what
follows for each file, `walk` what lies in a folder. No pixel is read here.

Nothing is lost in silence: what cannot be used, be it a file, a folder, a row or a table, comes out
as an item with a refusal or as a remark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from attribution.catalogue.names import tidy
from attribution.catalogue.nobody import is_nobody
from attribution.consents import GRANTED_BY_DEFAULT
from attribution.errors import BadInput, Hint, NotFound, Way
from ingest.sources.company import Company, counted
from ingest.sources.folder import FolderTables, folder_items
from ingest.sources.item import SourceItem
from ingest.sources.layout import Level, is_generic, is_series
from ingest.sources.making import NAMELESS
from ingest.sources.manifest import manifest_items
from ingest.sources.shards import check_readable
from ingest.sources.tables import TABLES, is_called_ours, is_table, read_table
from ingest.sources.ties import Pictures
from ingest.sources.walk import Entry, walk

NAMED = 5  # names in a remark

__all__ = ["GRANTED_BY_DEFAULT", "Level", "NoArtist", "Source", "SourceItem", "read_source"]


class NoArtist(BadInput):
    """A source in which nothing has an artist; whoever reads it says how to name one for all."""

    def __init__(self, said: str, may_be: str | None = None) -> None:
        super().__init__(said)
        self.may_be = may_be  # the artist whom the name of the folder may mean


class Source(Iterator[SourceItem]):
    """The works of a source, one after another, and what is to be said about the whole."""

    def __init__(self, items: Iterable[SourceItem], remarks: Sequence[str] = ()) -> None:
        self._items = iter(items)
        self._remarks = remarks
        self._nobodys: Counter[str] = Counter()  # works by names that mean nobody

    def __next__(self) -> SourceItem:
        """Return the next work, a refused one among them."""
        item = next(self._items)
        if item.artist and item.refused is None and is_nobody(item.artist):
            self._nobodys[item.artist] += 1
        return item

    @property
    def remarks(self) -> list[str]:
        """What is to be said about the works so far, a sentence each."""
        return [*self._remarks, *_of_nobody(self._nobodys)]


def read_source(
    path: Path,
    *,
    artist: str | None = None,
    granted: Sequence[str] = GRANTED_BY_DEFAULT,
    level: Level | None = None,
    lost: Sequence[tuple[str, str]] = (),
) -> Source:
    """Return the works of a folder or manifest, in a stable order, refused ones among them.

    `artist` names the artist of every work, `granted` the purposes that a work which says nothing
    about them grants; `level` says what the outermost folders are where nobody could tell; `lost`
    are files that could not be unpacked, with the reason: a table may be among them. Raises
    NotFound for a path that does not exist, NoArtist where nothing has an artist, BadInput for a
    source without works, or a manifest that cannot be read.
    """
    if _is_folder(path):
        items, remarks = _folder(path, artist, granted, level, lost)
    elif path.is_file() and is_table(path):
        table = read_table(path, path.name)
        unused = f"{path.name}: not used: {', '.join(table.unused)}"
        items, remarks = manifest_items(path, table, artist, granted), [unused][: len(table.unused)]
    else:
        raise BadInput(
            f"{path} is neither a folder nor a manifest ({', '.join(sorted(TABLES))})",
            hint=Hint(Way.ADD),
        )
    nameless: list[SourceItem] = []
    for item in items:
        if item.artist:
            return Source(chain(nameless, [item], items), remarks)
        nameless.append(item)
    if nameless:
        said = f"{nameless[0].path}: {nameless[0].refused}"
        raise NoArtist(said, _may_be(path)) if nameless[0].refused == NAMELESS else BadInput(said)
    raise BadInput(f"{path} has no works; put image files into one folder per artist")


def _is_folder(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} does not exist; give a folder or a manifest") from None
    except OSError as error:
        raise BadInput(f"{str(path)[:200]} cannot be read: {error.strerror}") from None
    return path.is_dir()


def _may_be(path: Path) -> str | None:
    """Return the artist whom a folder is called as; None for a manifest, and for no name."""
    name = path.resolve().name
    if not path.is_dir() or is_generic(name) or is_series(name) or is_nobody(name):
        return None
    try:
        return tidy(name)
    except BadInput:
        return None


def _folder(
    root: Path,
    artist: str | None,
    granted: Sequence[str],
    level: Level | None,
    lost: Sequence[tuple[str, str]],
) -> tuple[Iterator[SourceItem], Sequence[str]]:
    check_readable(root)
    passed: list[tuple[Company, Path]] = []
    tables = [
        Entry(path, is_folder=False, refused=f"it could not be unpacked: {reason}")
        for name, reason in lost
        if _is_no_work(path := _within(name))
    ]
    pictures: list[Entry] = []
    for entry in walk(root):
        if entry.company is not None:
            passed.append((entry.company, entry.path))
        elif entry.is_folder:
            pictures += [entry] if entry.refused else []
        else:
            (tables if _is_no_work(entry.path) else pictures).append(entry)
    known = Pictures(entry.path.as_posix() for entry in pictures if not entry.is_folder)
    said = FolderTables(root, tables, known, [path for _, path in passed])
    items, unwrapped = folder_items(root, pictures, said, artist, granted, level)
    return items, [*unwrapped, *said.remarks, *(f"skipped: {one}" for one in counted(passed))]


def _of_nobody(names: Counter[str]) -> Iterator[str]:
    """Say how many works are by nobody in particular, and under which names."""
    if works := names.total():
        more = ", …" if len(names) > NAMED else ""
        few = "1 work" if works == 1 else f"{works:,} works"
        named = f"{', '.join(list(names)[:NAMED])}{more}"
        yield f"{few} by nobody in particular ({named}): found as copies, never ranked"


def _within(name: str) -> Path:
    """Return where a file that could not be unpacked belongs: one that leads out, at the root."""
    parts = [
        part
        for part in re.split(r"[\\/]", name)
        if part not in {"", ".", ".."} and not part.endswith(":")
    ]
    return Path(*parts) if parts else Path("unnamed")


def _is_no_work(path: Path) -> bool:
    """Tell whether a file is a table, or is called as one."""
    return is_table(path) or is_called_ours(path)
