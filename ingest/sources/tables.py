"""Tables as people make them become rows of known columns. What cannot be read is an error.

`Unreadable` is about a whole table: nothing of it can be believed. A row that cannot be understood
has `refused` set, with its line; the others stand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

from attribution.catalogue.names import visible
from attribution.consents import ConsentSource
from ingest.sources import cells
from ingest.sources.columns import (
    CONSENTS,
    FILE_COLUMNS,
    KNOWN,
    MOST_NAMED,
    fold,
    permits_in_name,
    understand,
)
from ingest.sources.delimited import read_delimited
from ingest.sources.parquet import read_parquet
from ingest.sources.pictures import NOTES, SIDECARS, is_picture
from ingest.sources.raw import Raw, Unreadable, Unrelated
from ingest.sources.records import (
    read_json,
    read_json_lines,
    read_spreadsheet,
)
from ingest.sources.showing import against_showing
from ingest.sources.spreadsheets import SPREADSHEETS
from ingest.sources.ties import is_encodable
from ingest.sources.unforeseen import unforeseen
from ingest.sources.unused import Unused

METADATA = "metadata"
TABLES = {".csv", ".tsv", ".jsonl", ".json", ".parquet", *SPREADSHEETS}
MOST_BYTES = 256 * 2**20
NAMES = {"artist", "title", "text"}
PATHS = {"pathseen"}  # of our own exports: names of folders are no words about their works


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    where: str  # table and line, for people
    values: cells.Values  # by known column, empty cells left out
    name: str = ""  # of the file that it is about, as it stands there
    refused: str | None = None  # why it cannot be understood
    spare: Sequence[str] = ()  # cells of a refused row: any of them may name a file
    forbids: frozenset[str] = frozenset()  # purposes that words in some cell speak against
    source: ConsentSource = ConsentSource.TABLE
    heard: Mapping[str, str] = field(
        default_factory=dict
    )  # purpose -> `ConsentSource` of the joined row


@dataclass(frozen=True)
class Table:
    """What one table says."""

    shown: str
    rows: Sequence[Row]
    unused: Sequence[str]  # headers that nobody reads
    columns: frozenset[str]  # the known ones
    words: Mapping[str, int] = field(default_factory=dict)  # rows with words against a purpose


def is_table(path: PurePath) -> bool:
    """Tell whether a file is of a kind that this program reads as a table."""
    return path.suffix.lower() in TABLES


def is_called_ours(path: PurePath) -> bool:
    """Tell whether a file may be meant as the table of its folder.

    It is called metadata, or by a word about permission, whatever its format, perhaps hidden. A
    picture never is; nor is a note of people by such a word.
    """
    name = path.name.casefold()
    if name.startswith(METADATA):
        return not is_picture(path)
    if is_table(path) and name.startswith(f".{METADATA}"):
        return True
    is_other = is_picture(path) or path.suffix.lower() in NOTES | SIDECARS
    stem = path.name.lstrip(".").partition(".")[0]  # of "consents.csv.gz" as well
    return not is_other and (permits_in_name(stem) or permits_in_name(path.stem))


def read_table(path: Path, shown: str) -> Table:
    """Read a table, whole; `shown` is how people call it. Raises Unreadable."""
    try:
        check_size(path, shown)
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
        _check_known(headers, raws, shown)
        return table_of(shown, headers, raws)
    except OSError as error:
        raise Unreadable(f"{shown} cannot be read: {error.strerror or error}") from None


def _check_known(headers: Sequence[str], raws: Iterable[Raw], shown: str) -> None:
    known, unused = understand(headers, shown)
    if unused and not known:
        said = (text for raw in raws for _, cell in raw.cells for text in cells.texts_within(cell))
        raise Unrelated(
            f"{shown}: no column is known in {', '.join(unused[:MOST_NAMED])}; name them "
            f"file_name, artist, title …",
            chain(headers, said),
        )


def table_of(shown: str, headers: Sequence[str], raws: Iterable[Raw]) -> Table:
    """Understand rows as they stand there; raises Unreadable."""
    known, unused = understand(headers, shown)
    rows = [row for row in rows_of(shown, headers, raws) if row is not None]
    words = Counter(purpose for row in rows for purpose in row.forbids)
    return Table(shown, rows, unused, frozenset(known.values()), words)


def rows_of(shown: str, headers: Sequence[str], raws: Iterable[Raw]) -> Iterator[Row | None]:
    """Understand rows one by one, None for one in which nothing stands; raises Unreadable.

    At the end as well: a table is only believed once all of it was seen.
    """
    known, _ = understand(headers, shown)
    passed = Unused(header for header in headers if header not in known)
    for raw in passed.seen(raws):
        yield _row(raw, known)
    passed.check(shown)


def row_of(where: str, values: Mapping[str, Any]) -> Row:
    """Understand one row that stands by itself; raises Unreadable."""
    table = table_of(where, list(values), [Raw(where, list(values.items()))])
    return table.rows[0] if table.rows else Row(where, {})


def check_size(path: Path, shown: str) -> None:
    """Raise Unreadable for a table that is too large to be held in memory."""
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
    fault, forbids = raw.fault, set[str]()
    if _is_head(raw):
        return None
    for header, value in raw.cells:
        column = known.get(header)
        forbids |= _speaks_against(header, column, value)
        if column is None:
            continue
        if column not in values or cells.is_empty(values[column]):
            if value != "":
                values[column] = value
        elif not cells.is_empty(value) and value != values[column]:
            fault = fault or f"its {column} is given twice: {values[column]!r}, {value!r}"
    if not (fault or forbids) and all(map(cells.is_empty, values.values())):
        return None
    if fault is None:
        fault = _moved(values)
    values |= {f"consent_{purpose}": False for purpose in forbids}
    row = replace(_named(raw, known, values, fault), forbids=frozenset(forbids))
    if row.refused is None:
        return row
    return replace(row, spare=[value for _, value in raw.cells if isinstance(value, str)])


def _is_head(raw: Raw) -> bool:
    """Tell whether a row is the head once more; raises Unreadable where it is another one."""
    heads = {header: fold(str(value)) for header, value in raw.cells if isinstance(value, str)}
    named = [header for header, said in heads.items() if said in KNOWN]
    if len(named) < 2 or not any(KNOWN[heads[one]] in FILE_COLUMNS for one in named):
        return False
    if all(KNOWN.get(fold(header)) == KNOWN[heads[header]] for header in named):
        return True
    raise Unreadable(
        f"{raw.where}: another head stands within the rows; make it a table of its own"
    )


def _speaks_against(header: str, column: str | None, value: object) -> set[str]:
    """Return the purposes that words in a cell speak against; a title may be any word."""
    is_path = column in FILE_COLUMNS and bool(PurePath(str(value)).suffix)
    if is_path or column in CONSENTS or fold(header) in PATHS:
        return set()
    found = {"train"} if cells.forbids_training(value) else set()
    for text in cells.texts_within(value):
        against = against_showing(text)
        if "index" not in against or column not in NAMES:
            found.update(against)
    return found


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


def _nameless(raw: Raw, known: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """Say that a row names no file, and which of its columns may be meant."""
    says = "it names no file in a column file_name or path"
    for header, value in raw.cells:
        if header not in known and isinstance(value, str) and is_picture(PurePath(value)):
            return f"{says}; if {visible(header)[:60]!r} names it, call that column file_name"
    return f"{says}; found: {', '.join(values) or 'nothing'}"


def _named(raw: Raw, known: Mapping[str, str], values: dict[str, Any], fault: str | None) -> Row:
    """Make a row of its cells and the file that it names."""
    where = raw.where
    name = next((values[one] for one in FILE_COLUMNS if not cells.is_empty(values.get(one))), None)
    if name is None:
        return Row(where, values, "", fault or _nameless(raw, known, values))
    if isinstance(name, bytes):
        name = name.decode("utf-8", "surrogateescape")
    if isinstance(name, float) and name.is_integer():
        name = int(name)
    if isinstance(name, int | float) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str) or not is_encodable(name):
        return Row(where, values, "", fault or f"{str(name)[:60]!r} cannot be the name of a file")
    return Row(where, values, name, fault)
