"""Where works come from: folders, Hugging Face metadata, manifests. Lazy; no pixel is read here.

Three forms, told apart by what is given:

- a folder with one folder per artist, files below it at any depth;
- such a folder, or a flat one, with `metadata.jsonl` or `metadata.csv` at its root (HF
  imagefolder): a row for a file says more about it, files without a row follow the folder rule;
- a manifest, `.csv`, `.jsonl` or `.parquet`: only the files that it names (`path` or `file_name`,
  relative to the manifest).

A row may say artist, title (or text), tags, year, licence (or license), source, and for a purpose
`consent_index`, `consent_display`, `consent_train`, `consent_generate`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from attribution.catalog.models import PURPOSES
from attribution.catalog.names import tidy
from attribution.errors import BadInput, NotFound

METADATA = ("metadata.jsonl", "metadata.csv")
MANIFESTS = (".csv", ".jsonl", ".parquet")
GRANTED_BY_DEFAULT = ("index", "display")  # who brings a work to be found wants it found
NOT_WORKS = {".csv", ".jsonl", ".json", ".parquet", ".md", ".txt", ".pdf", ".html", ".xml", ".yml"}
TRUE, FALSE = {"true", "yes", "1", "y"}, {"false", "no", "0", "n"}


@dataclass(frozen=True)
class SourceItem:
    """One file with what the source says about it."""

    path: Path
    artist: str
    title: str  # the file's name where the source says nothing
    tags: tuple[str, ...] = ()
    year: int | None = None
    licence: str | None = None
    source: str | None = None
    consent: tuple[str, ...] = GRANTED_BY_DEFAULT


def read_source(path: Path, *, artist: str | None = None) -> Iterator[SourceItem]:
    """Return the works of a folder or manifest, in a stable order.

    `artist` names the artist of every work. Raises NotFound for a path that does not exist,
    BadInput for a source without works, a work without an artist, or a row that cannot be read.
    """
    if not path.exists():
        raise NotFound(f"{path} does not exist; give a folder or a manifest")
    if path.is_dir():
        items = _folder(path, artist)
    elif path.suffix.lower() in MANIFESTS:
        items = _manifest(path, artist)
    else:
        raise BadInput(
            f"{path} is neither a folder nor a manifest ({', '.join(MANIFESTS)}); "
            f"for a single image give its folder and --artist"
        )
    first = next(items, None)
    if first is None:
        raise BadInput(f"{path} has no works; put image files into one folder per artist")
    return _chain(first, items)


def _chain(first: SourceItem, rest: Iterator[SourceItem]) -> Iterator[SourceItem]:
    yield first
    yield from rest


def _folder(root: Path, artist: str | None) -> Iterator[SourceItem]:
    described = {}
    for name in METADATA:
        if (root / name).is_file():
            for where, row in _rows(root / name):
                described[str(PurePosixPath(_file_name(row, where)))] = row
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts) or not _may_be_a_work(path):
            continue
        row = described.get(relative.as_posix(), {})
        yield _item(
            path, row, artist, fallback=relative.parts[0] if relative.parent.parts else None
        )


def _may_be_a_work(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() not in NOT_WORKS and path.name != "Thumbs.db"


def _manifest(manifest: Path, artist: str | None) -> Iterator[SourceItem]:
    root = manifest.parent.resolve()
    for where, row in _rows(manifest):
        path = (root / _file_name(row, where)).resolve()
        if not path.is_relative_to(root):
            raise BadInput(
                f"{where}: {_file_name(row, where)!r} leads out of the manifest's folder; "
                f"put the manifest beside or above its files"
            )
        yield _item(path, row, artist, fallback=None)


def _item(
    path: Path, row: Mapping[str, Any], artist: str | None, *, fallback: str | None
) -> SourceItem:
    name = artist or _text(row.get("artist")) or fallback
    if not name:
        raise BadInput(
            f"{path} has no artist; give --artist NAME, one folder per artist, or an artist column"
        )
    return SourceItem(
        path=path,
        artist=tidy(name),
        title=_text(row.get("title") or row.get("text")) or path.stem,
        tags=_tags(row.get("tags")),
        year=_year(row.get("year")),
        licence=_text(row.get("licence") or row.get("license")),
        source=_text(row.get("source")),
        consent=_consent(path, row),
    )


def _rows(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (where, row) of a table in any of the three formats."""
    try:
        match path.suffix.lower():
            case ".jsonl":
                yield from _json_lines(path)
            case ".csv":
                with path.open(encoding="utf-8-sig", newline="") as file:
                    for row in (reader := csv.DictReader(file)):
                        yield f"{path}, line {reader.line_num}", row
            case _:
                yield from _parquet(path)
    except UnicodeDecodeError as error:
        raise BadInput(f"{path} is not UTF-8 ({error}); save it as UTF-8") from None
    except csv.Error as error:
        raise BadInput(f"{path} is no CSV that can be read: {error}") from None


def _json_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            where = f"{path}, line {number}"
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise BadInput(f"{where}: not JSON ({error})") from None
            if not isinstance(row, dict):
                raise BadInput(f"{where}: expected an object, got {line.strip()[:40]!r}")
            yield where, row


def _parquet(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    yield str(path), row
    except pa.ArrowInvalid as error:
        raise BadInput(f"{path} is no Parquet file: {error}") from None


def _file_name(row: Mapping[str, Any], where: str) -> str:
    name = _text(row.get("file_name") or row.get("path"))
    if name is None:
        raise BadInput(f"{where}: no column file_name or path; found: {', '.join(map(str, row))}")
    return name


def _text(value: object) -> str | None:
    text = str(value).strip() if value is not None else ""
    return text or None


def _tags(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else str(value or "").split(",")
    return tuple(text for part in parts if (text := _text(part)))


def _year(value: object) -> int | None:
    text = _text(value)
    if text is None:
        return None
    try:
        return int(float(text))
    except (ValueError, OverflowError):
        return None  # "c. 1890" is no year that a filter could use


def _consent(path: Path, row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the purposes granted: what the row says, else the default; nothing is guessed."""
    granted = []
    for purpose in PURPOSES:
        said = (_text(row.get(f"consent_{purpose}")) or "").lower()
        if said and said not in TRUE | FALSE:
            raise BadInput(f"{path}: consent_{purpose} is {said!r}; say yes or no")
        if said in TRUE or (said not in FALSE and purpose in GRANTED_BY_DEFAULT):
            granted.append(purpose)
    return tuple(granted)
