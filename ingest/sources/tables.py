"""Tables as people make them become rows of known columns. What cannot be read is an error.

`Unreadable` is about a whole table: nothing of it can be believed. A row that cannot be understood
has `refused` set, with its line; the others stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from attribution.catalog.models import PURPOSES
from ingest.sources import cells
from ingest.sources.columns import (
    CONSENTS,
    FILE_COLUMNS,
    PURPOSE,
    fold,
    permits,
    permits_in_name,
    understand,
    words_of,
)
from ingest.sources.delimited import read_delimited
from ingest.sources.pictures import is_picture
from ingest.sources.raw import Raw, Unreadable
from ingest.sources.records import (
    read_json,
    read_json_lines,
    read_parquet,
    read_spreadsheet,
)
from ingest.sources.spreadsheets import SPREADSHEETS
from ingest.sources.ties import is_encodable
from ingest.sources.unforeseen import unforeseen

METADATA = "metadata"
TABLES = {".csv", ".tsv", ".jsonl", ".json", ".parquet", *SPREADSHEETS}
MOST_BYTES = 256 * 2**20
SPLITS = {"split", "subset", "partition", "fold", "set", "phase"}  # "train" is a part of a dataset
USES = {*PURPOSE, "generation", "aitrain", *map(fold, CONSENTS)}  # folded, and without "-ing"
PATHS = {"pathseen"}  # of our own exports: names of folders are no words about their works


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    where: str  # table and line, for people
    values: cells.Values  # by known column, empty cells left out
    name: str = ""  # of the file that it is about, as it stands there
    refused: str | None = None  # why it cannot be understood
    spare: Sequence[str] = ()  # cells of a refused row: any of them may name a file
    forbids: bool = False  # some cell holds words against training


@dataclass(frozen=True)
class Table:
    """What one table says."""

    shown: str
    rows: Sequence[Row]
    unused: Sequence[str]  # headers that nobody reads
    columns: frozenset[str]  # the known ones
    against: int = 0  # rows with words against training in them


def is_table(path: PurePath) -> bool:
    """Tell whether a file is of a kind that this program reads as a table."""
    return path.suffix.lower() in TABLES


def is_called_ours(path: PurePath) -> bool:
    """Tell whether a file may be meant as the table of its folder.

    It is called metadata, whatever its format; or it is a table, perhaps a hidden one, that is
    called so or by a word about permission.
    """
    name = path.name.casefold()
    if name.startswith(METADATA):
        return not is_picture(path)
    return is_table(path) and (name.startswith(f".{METADATA}") or permits_in_name(path.stem))


def read_table(path: Path, shown: str) -> Table:
    """Read a table, whole; `shown` is how people call it. Raises Unreadable."""
    try:
        _check_size(path, shown)
        match path.suffix.lower():
            case ".csv" | ".tsv":
                headers, raws = read_delimited(path, shown)
            case ".jsonl":
                headers, raws = read_json_lines(path, shown)
            case ".json":
                headers, raws = read_json(path, shown)
            case ".parquet":
                headers, raws = read_parquet(path, shown)
            case _:
                headers, raws = read_spreadsheet(path, shown)
        return table_of(shown, headers, raws)
    except OSError as error:
        raise Unreadable(f"{shown} cannot be read: {error.strerror or error}") from None


def table_of(shown: str, headers: Sequence[str], raws: Iterable[Raw]) -> Table:
    """Understand rows as they stand there; raises Unreadable."""
    known, unused = understand(headers, shown)
    purposes = _Purposes(header for header in headers if header not in known)
    rows = [row for raw in purposes.seen(raws) if (row := _row(raw, known)) is not None]
    if purposes.columns:
        raise Unreadable(
            f"{shown}: {purposes.columns[0]!r} names purposes, a row for each; this program reads "
            f"one row for each picture, with the columns {', '.join(CONSENTS)}"
        )
    against = sum(row.forbids for row in rows)
    return Table(shown, rows, unused, frozenset(known.values()), against)


class _Purposes:
    """Columns that hold names of purposes, most of them: a table with a row for each purpose."""

    def __init__(self, headers: Iterable[str]) -> None:
        self._headers = {one for one in headers if not SPLITS & set(words_of(one).split("_"))}
        self._found = Counter[str]()  # names of purposes less other cells

    def seen(self, raws: Iterable[Raw]) -> Iterator[Raw]:
        """Pass rows on and look at them."""
        for raw in raws:
            for header, value in raw.cells if self._headers else ():
                if header in self._headers and not cells.is_empty(value):
                    is_purpose = isinstance(value, str) and fold(value).removesuffix("ing") in USES
                    self._found[header] += 1 if is_purpose else -1
            yield raw

    @property
    def columns(self) -> list[str]:
        """The headers of these columns, of the rows so far."""
        return [header for header, more in self._found.items() if more > 0]


def row_of(where: str, values: Mapping[str, Any]) -> Row:
    """Understand one row that stands by itself; raises Unreadable."""
    table = table_of(where, list(values), [Raw(where, list(values.items()))])
    return table.rows[0] if table.rows else Row(where, {})


def _check_size(path: Path, shown: str) -> None:
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"{shown} has more than {MOST_BYTES >> 20} MiB; split it")


def _row(raw: Raw, known: Mapping[str, str]) -> Row | None:
    """Understand one row; None for one in which nothing stands. Raises Unreadable."""
    try:
        return _understood(raw, known)
    except Unreadable:
        raise
    except Exception as error:  # noqa: BLE001  whatever it is, it is about this row
        raise Unreadable(unforeseen(raw.where, error)) from None


def _understood(raw: Raw, known: Mapping[str, str]) -> Row | None:
    values: dict[str, Any] = {}
    fault, forbids = raw.fault, False
    for header, value in raw.cells:
        column = known.get(header)
        forbids |= _speaks_against(header, column, value)
        if column is None:
            _check_unused(raw, header, value)
        elif column not in values or cells.is_empty(values[column]):
            if value != "":
                values[column] = value
        elif not cells.is_empty(value) and value != values[column]:
            fault = fault or f"its {column} is given twice: {values[column]!r}, {value!r}"
    if fault is None and not any(not cells.is_empty(value) for value in values.values()):
        return None
    if fault is None:
        fault = _moved(values)
    if forbids:
        values["consent_train"] = False
    row = replace(_named(raw.where, values, fault), forbids=forbids)
    if row.refused is None:
        return row
    return replace(row, spare=[value for _, value in raw.cells if isinstance(value, str)])


def _speaks_against(header: str, column: str | None, value: object) -> bool:
    is_path = column in FILE_COLUMNS or fold(header) in PATHS
    return not is_path and cells.forbids_training(value)


def _moved(values: Mapping[str, Any]) -> str | None:
    """Say which cell holds a yes or no that belongs under another head."""
    for column in ("artist", "licence", "year", "source"):
        value = values.get(column)
        if isinstance(value, bool) or (
            isinstance(value, str)
            and value.strip().casefold() in (cells.YES | cells.NO) - {"0", "1"}
        ):
            return f"its {column} is {value!r}: have its cells moved?"
    return None


def _check_unused(raw: Raw, header: str, value: object) -> None:
    """Raise Unreadable for a yes or no in a column that this program does not read."""
    folded = fold(header)
    is_other = folded and folded not in PURPOSE
    if isinstance(value, Mapping) and any(
        fold(str(key)) in PURPOSE or permits(str(key)) for key in value
    ):
        raise Unreadable(
            f"{raw.where}: {header[:60]!r} speaks about permission; use columns for it"
        )
    if is_other or raw.fault is not None or not isinstance(value, str | bool):
        return
    if cells.is_answer(value):
        name = f"column {header.strip()!r}" if folded else "a column without a name"
        raise Unreadable(
            f"{raw.where}: {name} says {value!r}; this program reads "
            f"{', '.join(f'consent_{purpose}' for purpose in PURPOSES)}: rename it, or remove it"
        )


def _named(where: str, values: dict[str, Any], fault: str | None) -> Row:
    """Make a row of its cells and the file that it names."""
    name = next((values[one] for one in FILE_COLUMNS if not cells.is_empty(values.get(one))), None)
    if name is None:
        found = ", ".join(values) or "nothing"
        return Row(
            where, values, "", fault or f"it names no file (file_name, path); found: {found}"
        )
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if isinstance(name, int | float) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not is_encodable(name):
        return Row(where, values, "", fault or f"{str(name)[:60]!r} cannot be the name of a file")
    return Row(where, values, name, fault)
