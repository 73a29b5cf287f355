"""Where works come from: folders, Hugging Face metadata, manifests. Lazy; no pixel is read here.

Two forms, told apart by what is given:

- a folder with one folder per artist, files below it at any depth. A `metadata.jsonl` or
  `metadata.csv` (HF imagefolder) in any folder says more about files in it and below, a nearer one
  in place of a farther one; files without a row follow the folder rule;
- a manifest, `.csv`, `.jsonl` or `.parquet`: only the files that it names, relative to itself.

A row may say file_name (or path), artist, title (or text), caption, tags, year, licence (or
license), source, and for a purpose `consent_index`, `consent_display`, `consent_train`,
`consent_generate`.

Nothing is lost in silence: what cannot be used, be it a file, a folder or a row, comes out as an
item with a refusal. A link to a file of the same source is followed; links that lead elsewhere,
and links to folders, are refused. A table that cannot be read fails the source.
"""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from numbers import Number
from pathlib import Path
from typing import Any

from attribution.catalog.models import PURPOSES
from attribution.catalog.names import tidy
from attribution.errors import BadInput, NotFound
from ingest.sources.formulas import unquote

METADATA = ("metadata.jsonl", "metadata.csv")
MANIFESTS = (".csv", ".jsonl", ".parquet")
GRANTED_BY_DEFAULT = ("index", "display")  # who brings a work to be found wants it found
NOT_WORKS = {".csv", ".jsonl", ".json", ".parquet", ".md", ".txt", ".pdf", ".html", ".xml", ".yml"}
TRUE, FALSE = {"true", "yes", "1", "y"}, {"false", "no", "0", "n"}
LEADS_OUT = "leads out of the folder of its source; put the source above all its files"
LAST_YEAR = 10_000  # and as many before our era
UNSEEN = {"Cc", "Cf"}  # Unicode categories of what controls, hides or turns the text around it


@dataclass(frozen=True)
class SourceItem:
    """One file with what the source says about it."""

    path: Path
    artist: str  # empty where a refused item has none
    title: str  # the file's name where the source says nothing
    caption: str | None = None
    tags: tuple[str, ...] = ()
    year: int | None = None
    dated: str | None = None  # the source's own words where they are more than a year
    licence: str | None = None
    source: str | None = None
    consent: tuple[str, ...] = GRANTED_BY_DEFAULT
    said: tuple[str, ...] = ()  # fields above and purposes that the source itself names
    refused: str | None = None  # why it cannot even be read

    @property
    def corrections(self) -> dict[str, Any]:
        """What the source itself says about the work, by column of the catalogue."""
        values = vars(self) | {"tags": list(self.tags)}
        granted = {f"consent_{purpose}": purpose in self.consent for purpose in PURPOSES}
        return {name: (values | granted)[name] for name in self.said}


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    where: str  # table and line, for people
    values: Mapping[str, Any]
    name: str = ""  # of the file that it is about, as it stands there
    refused: str | None = None  # why it is about none


NO_ROW = Row("", {})


def read_source(
    path: Path, *, artist: str | None = None, granted: Sequence[str] = GRANTED_BY_DEFAULT
) -> Iterator[SourceItem]:
    """Return the works of a folder or manifest, in a stable order, refused ones among them.

    `artist` names the artist of every work, `granted` the purposes that a work which says nothing
    about them grants. Raises NotFound for a path that does not exist,
    BadInput for a source without works, one in which nothing has an artist, or a table that cannot
    be read; a table deep in a folder when it is reached.
    """
    if _is_folder(path):
        items = _folder(path, artist, granted)
    elif path.is_file() and path.suffix.lower() in MANIFESTS:
        items = _manifest(path, artist, granted)
    else:
        raise BadInput(
            f"{path} is neither a folder nor a manifest ({', '.join(MANIFESTS)}); "
            f"a single image is added with `lawful add`"
        )
    nameless: list[SourceItem] = []
    for item in items:
        if item.artist:
            return chain(nameless, [item], items)
        nameless.append(item)
    if nameless:
        raise BadInput(f"{nameless[0].path}: {nameless[0].refused}")
    raise BadInput(f"{path} has no works; put image files into one folder per artist")


def one_line(text: str) -> str:
    """Return text in one line, without characters that control, hide or turn what is around."""
    known = text.encode("utf-8", "replace").decode("utf-8")
    seen = (one for one in known if one.isspace() or unicodedata.category(one) not in UNSEEN)
    return " ".join("".join(seen).split())


def _is_folder(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} does not exist; give a folder or a manifest") from None
    except OSError as error:
        raise BadInput(f"{str(path)[:200]} cannot be read: {error.strerror}") from None
    return path.is_dir()


def _folder(root: Path, artist: str | None, granted: Sequence[str]) -> Iterator[SourceItem]:
    rows: dict[Path, Row] = {}  # those whose files are still to come, by path below the root
    for path, is_folder, refused in _walk(root):
        if is_folder and refused is None:
            rows |= _rows_about(root, path)
        elif path.suffix.lower() not in NOT_WORKS and path.name != "Thumbs.db":
            folders = path.parts if is_folder else path.parent.parts
            row = rows.pop(path, NO_ROW)
            yield _item(root / path, row, artist, folders[:1], refused, granted)
    for path, row in rows.items():
        refused = f"{row.where}: there is no such picture"
        yield _item(root / path, row, artist, path.parent.parts[:1], refused, granted)


def _walk(root: Path) -> Iterator[tuple[Path, bool, str | None]]:
    """Yield what lies in a folder: path below it, whether it is a folder, why it is not entered.

    A folder comes before what is in it; hidden files and folders are passed over.
    """
    waiting, real_root = [Path()], root.resolve()
    while waiting:
        path = waiting.pop()
        refused = _refusal(root / path, real_root) if path.parts else None
        is_folder = _leads_to_folder(root / path)
        if is_folder and refused is None:
            try:
                names = sorted(one.name for one in (root / path).iterdir())
            except OSError as error:
                refused = f"this folder cannot be read: {error.strerror}"
            else:
                waiting += [path / name for name in reversed(names) if not name.startswith(".")]
        yield path, is_folder, refused


def _rows_about(root: Path, folder: Path) -> dict[Path, Row]:
    """Return what the metadata files of one folder say, by path below the root."""
    rows = {}
    for table in (folder / name for name in METADATA):
        if not (root / table).is_file():
            continue
        if refused := _refusal(root / table, root.resolve()):
            raise BadInput(f"{table.as_posix()}: {refused}")
        for row in _rows(root / table, table.as_posix()):
            path = Path(os.path.normpath(folder / row.name))
            if ".." in path.parts or not path.is_relative_to(folder):
                rows[Path(row.where)] = replace(row, refused=f"{row.name!r} {LEADS_OUT}")
            else:
                rows[path] = row
    return rows


def _manifest(manifest: Path, artist: str | None, granted: Sequence[str]) -> Iterator[SourceItem]:
    folder, real_folder = manifest.parent, manifest.parent.resolve()
    for row in _rows(manifest, manifest.name):
        path = folder / row.name
        yield _item(path, row, artist, (), _refusal(path, real_folder), granted)


def _refusal(path: Path, root: Path) -> str | None:
    """Say why a path is not followed; `root` is without links."""
    try:
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(root):
            return f"it {LEADS_OUT}"
        if path.is_symlink() and real.is_dir():
            return "it is a link to a folder; links to files alone are followed"
        if path.is_symlink() and not real.exists():
            return "it is a link that leads nowhere"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None


def _leads_to_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _item(
    path: Path,
    row: Row,
    artist: str | None,
    folders: Sequence[str],
    refused: str | None,
    granted: Sequence[str],
) -> SourceItem:
    """Make an item; what is wrong with its row alone is its refusal."""
    values, name, title = row.values, "", one_line(path.stem) or "untitled"
    if row.refused:
        return SourceItem(path, name, title, refused=row.refused)
    try:
        name = _artist(artist or _text(values, "artist") or "".join(folders))
        return SourceItem(
            path=path,
            artist=name,
            title=_text(values, "title", "text") or title,
            caption=_text(values, "caption"),
            tags=_tags(values),
            year=_year(values),
            dated=_text(values, "dated"),
            licence=_text(values, "licence", "license"),
            source=_text(values, "source"),
            consent=_consent(values, granted),
            said=_said_of(values),
            refused=refused,
        )
    except BadInput as error:
        return SourceItem(path, name, title, refused=refused or str(error))


def _artist(name: str) -> str:
    line = one_line(name)
    if not line:
        raise BadInput(
            "it has no artist; name one for all files, or put them into one folder per artist, "
            "or give an artist column"
        )
    return tidy(line)


def _rows(table: Path, shown: str) -> Iterator[Row]:
    """Yield the rows of a table in any of the three formats; raises BadInput for no table."""
    try:
        match table.suffix.lower():
            case ".jsonl":
                rows = _json_lines(table, shown)
            case ".csv":
                rows = _csv(table, shown)
            case _:
                rows = _parquet(table, shown)
        for where, values in rows:
            yield _named(where, values)
    except UnicodeDecodeError as error:
        raise BadInput(f"{shown} is not UTF-8 ({error}); save it as UTF-8") from None
    except csv.Error as error:
        raise BadInput(f"{shown} is no CSV that can be read: {error}") from None
    except OSError as error:
        raise BadInput(f"{shown} cannot be read: {error.strerror or error}") from None


def _named(where: str, values: Mapping[str, Any]) -> Row:
    """Make a row; one that names no file is called after itself."""
    name = values.get("file_name") or values.get("path")
    if name is None or name == "":
        found = ", ".join(map(str, values))
        refused = f"no column file_name or path, or nothing in it; found: {found}"
    elif not isinstance(name, str) or "\0" in name or not _is_encodable(name):
        refused = f"{str(name)[:60]!r} cannot be the name of a file"
    else:
        return Row(where, values, name)
    return Row(where, values, where, refused)


def _is_encodable(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return False
    return True


def _csv(table: Path, shown: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with table.open(encoding="utf-8-sig", newline="") as file:
        for row in (reader := csv.DictReader(file)):
            cells = {
                name: unquote(cell) if isinstance(cell, str) else cell for name, cell in row.items()
            }
            yield f"{shown}, line {reader.line_num}", cells


def _json_lines(table: Path, shown: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with table.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            where = f"{shown}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except RecursionError:
                raise BadInput(f"{where}: nested too deeply to be read") from None
            except ValueError as error:
                raise BadInput(f"{where}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise BadInput(f"{where}: expected an object, got {line.strip()[:40]!r}")
            yield where, row


def _parquet(table: Path, shown: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(table) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{shown}, row {number}", row
    except pa.ArrowException as error:
        raise BadInput(f"{shown} is no Parquet file: {error}") from None


def _text(values: Mapping[str, Any], *names: str) -> str | None:
    """Return what the first of some columns says that says anything."""
    for name in names:
        if text := _said(name, values.get(name)):
            return text
    return None


def _said(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str | Number):
        raise BadInput(f"its {name} is a {type(value).__name__}; give a text or a number")
    return one_line(str(value)) or None


def _said_of(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what a row says something about; an empty cell says nothing."""
    found = {
        "title": _text(values, "title", "text"),
        "caption": _text(values, "caption"),
        "tags": _tags(values),
        "year": _year(values) is not None,
        "dated": _text(values, "dated"),
        "licence": _text(values, "licence", "license"),
        "source": _text(values, "source"),
    } | {f"consent_{purpose}": _text(values, f"consent_{purpose}") for purpose in PURPOSES}
    return tuple(name for name, value in found.items() if value)


def _tags(values: Mapping[str, Any]) -> tuple[str, ...]:
    value = values.get("tags")
    if isinstance(value, str) and value.startswith("["):
        with suppress(ValueError):  # a list in a cell, where a tag holds a comma
            value = json.loads(value)
    parts = value if isinstance(value, list) else (_said("tags", value) or "").split(",")
    return tuple(text for part in parts if (text := _said("tags", part)))


def _year(values: Mapping[str, Any]) -> int | None:
    try:
        year = int(float(_text(values, "year") or "nan"))
    except (ValueError, OverflowError):
        return None  # "c. 1890" is no year that a filter could use
    return year if abs(year) <= LAST_YEAR else None


def _consent(values: Mapping[str, Any], default: Sequence[str]) -> tuple[str, ...]:
    """Return the purposes granted: what the row says, else the default; nothing is guessed."""
    granted = []
    for purpose in PURPOSES:
        said = (_text(values, f"consent_{purpose}") or "").lower()
        if said and said not in TRUE | FALSE:
            raise BadInput(f"its consent_{purpose} is {said!r}; say yes or no")
        if said in TRUE or (said not in FALSE and purpose in default):
            granted.append(purpose)
    return tuple(granted)
