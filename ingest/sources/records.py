"""Tables that name their cells themselves: .json, .jsonl, .parquet, spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path, PurePath
from typing import Any

from ingest.sources import cells
from ingest.sources.columns import FILE_COLUMNS, KNOWN, fold, permits, understand, words_of
from ingest.sources.concerning import concerning
from ingest.sources.encodings import decode
from ingest.sources.pictures import NAMES_PICTURE
from ingest.sources.raw import MOST_ROWS, Raw, Raws, Unreadable, Unrelated, check_rows
from ingest.sources.spreadsheets import read_sheets

MOST_JSON_BYTES = 32 * 2**20  # it is parsed in one piece
LONGEST_BYTES = 1_000  # of a cell, on average, that may be a text
MOST_CHARACTERS = 256 * 2**20  # of all cells: a few bytes of Parquet may stand for many


Cells = Sequence[tuple[str, Any]]  # by header


def read_json_lines(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a file with an object in each line."""
    return _with_headers(_json_lines(path, shown))


def _json_lines(path: Path, shown: str) -> Iterator[tuple[str, Cells]]:
    text = decode(path.read_bytes(), shown)
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            check_rows(number, shown)
            where = f"{shown}, line {number}"
            yield where, _object(parsed(line, where), where)


def read_json(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a file with a list of objects, or objects by picture."""
    return _with_headers(_json(path, shown))


def _json(path: Path, shown: str) -> Iterator[tuple[str, Cells]]:
    if path.stat().st_size > MOST_JSON_BYTES:
        raise Unreadable(f"{shown} has more than {MOST_JSON_BYTES >> 20} MiB; write a .jsonl")
    text = decode(path.read_bytes(), shown)
    value = parsed(text, shown)
    if isinstance(value, dict) and any(map(NAMES_PICTURE.search, value)):
        for name, said in value.items():
            where = f"{shown}, {name[:60]!r}"
            yield where, [("file_name", name), *_object(said, where)]
        return
    if isinstance(value, dict):
        lists = {key: one for key, one in value.items() if isinstance(one, list)}
        for key, said in value.items():
            if key not in lists and _is_about_all(key, said):
                raise Unreadable(f"{shown}: {key!r} stands outside the rows; say it in each row")
        if len(lists) == 1:
            (value,) = lists.values()
    if not isinstance(value, list):
        texts = cells.texts_within(value)
        raise Unrelated(f"{shown}: expected a list of objects, one for each picture", texts)
    for number, row in enumerate(value, 1):
        check_rows(number, shown)
        where = f"{shown}, entry {number}"
        yield where, _object(row, where)


def _is_about_all(key: str, said: Any) -> bool:
    """Tell whether what stands next to the rows may be meant for all of them."""
    return fold(key) in KNOWN or permits(key) or cells.forbids_training([key, said])


def parsed(text: str, where: str) -> Any:
    """Return the value of a JSON text in which no name stands twice; raises Unreadable."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise Unreadable(f"{where}: nested too deeply to be read") from None
    except ValueError as error:
        raise Unreadable(f"{where}: not JSON ({error})") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found and found[key] != value:
            raise ValueError(f"{key[:60]!r} is given twice")
        found[key] = value
    return found


def _object(row: Any, where: str) -> Cells:
    if not isinstance(row, dict):
        raise Unreadable(f"{where}: expected an object, got {str(row).strip()[:40]!r}")
    return list(row.items())


def _with_headers(rows: Iterable[tuple[str, Cells]]) -> tuple[list[str], Raws]:
    found = list(rows)
    headers = list(dict.fromkeys(header for _, row in found for header, _ in row))
    return headers, (Raw(where, row) for where, row in found)


def read_parquet(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a Parquet file; pictures in it stay where they are."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"{shown} is not a Parquet file: {error}") from None
    headers = [str(name) for name in schema.names]
    understand(headers, shown)  # one column twice is found before any of it is read
    if file.metadata.num_rows > MOST_ROWS:
        check_rows(file.metadata.num_rows, shown)
    readable = [one for one in range(len(file.schema)) if _is_readable(file, one)]
    paths = [file.schema.column(one).path for one in readable]

    def rows() -> Raws:
        number, left = 0, MOST_CHARACTERS
        try:
            with file:
                for batch in file.iter_batches(batch_size=100, columns=paths):
                    for row in batch.to_pylist():
                        number += 1
                        left -= sum(map(len, cells.texts_within(list(row.values()))))
                        if left < 0:
                            raise Unreadable(f"{shown} unpacks to more than a table may; split it")
                        yield Raw(f"{shown}, row {number}", list(row.items()))
        except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
            raise Unreadable(f"{shown}, row {number + 1}: {error}") from None

    if any(map(_holds_pictures, schema)) and not any(
        KNOWN.get(fold(header)) in FILE_COLUMNS for header in headers
    ):
        raise Unrelated(
            f"{shown} holds its pictures within the table; write them as a folder first, with "
            f"`lawful export-dataset`",
            chain(headers, (text for raw in rows() for text in cells.texts_within(raw.cells))),
        )
    return headers, rows()


def _holds_pictures(field: Any) -> bool:
    """Tell whether a column is one of pictures, as data sets of Hugging Face have it."""
    import pyarrow as pa

    kind = field.type
    return pa.types.is_struct(kind) and {"bytes", "path"} <= {one.name for one in kind}


def _is_readable(file: Any, number: int) -> bool:
    """Tell whether a column, or a part of one, is no pictures: bytes that are long are these."""
    column, meta = file.schema.column(number), file.metadata
    is_bytes = column.physical_type.endswith("BYTE_ARRAY") and column.logical_type.type == "NONE"
    if not is_bytes or fold(column.path) in KNOWN:
        return True
    chunks = [meta.row_group(group).column(number) for group in range(meta.num_row_groups)]
    length = sum(chunk.total_uncompressed_size for chunk in chunks)
    return bool(length <= LONGEST_BYTES * max(1, sum(chunk.num_values for chunk in chunks)))


def read_spreadsheet(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of the only sheet that has headers."""
    found, notes = read_sheets(path, shown)
    sheets = [
        (name, rows)
        for name, rows in found
        if any(str(cell).strip() for row in rows for cell in row)
    ]
    tables = [(name, rows) for name, rows in sheets if _has_head(rows)]
    if len(tables) != 1:
        names = ", ".join(repr(name) for name, _ in tables or sheets) or "none"
        expected = (
            f"{shown}: one sheet whose first row names columns (file_name, artist, title …) was "
            f"expected; found: {names}"
        )
        if tables:
            raise Unreadable(expected)
        texts = [name for name, _ in sheets]
        raise Unrelated(
            expected, texts + [str(cell) for _, rows in sheets for row in rows for cell in row]
        )
    ((used, rows),) = tables
    named = [cell for row in rows for cell in row if isinstance(cell, str)]
    stems = {words_of(PurePath(one).stem) for one in named if NAMES_PICTURE.search(one)}
    for name, others in sheets:
        if name != used and _speaks(name, others, stems):
            raise Unreadable(
                f"{shown}: the sheet {name!r} speaks about pictures or permission as well; one "
                f"sheet is read: bring them together"
            )
    begins = next(n for n, row in enumerate(rows) if any(str(cell).strip() for cell in row))
    headers = [str(cell) for cell in rows[begins]]
    return headers, _sheet_rows(rows[begins + 1 :], headers, begins + 2, shown, notes)


def _sheet_rows(
    rows: Sequence[Sequence[Any]],
    headers: list[str],
    begins: int,
    shown: str,
    notes: Mapping[int, Sequence[str]],
) -> Raws:
    for number, row in enumerate(rows, begins):
        check_rows(number, shown)
        comments = [("", said) for said in notes.get(number, ())]
        yield Raw(f"{shown}, row {number}", [*zip(headers, row, strict=False), *comments])


def _speaks(name: str, rows: Sequence[Sequence[Any]], stems: Collection[str]) -> bool:
    """Tell whether another sheet is more than a note; `stems` are names of pictures."""
    texts = [name, *(cell for row in rows for cell in row if isinstance(cell, str))]
    return any(permits(text[:200]) for text in texts) or concerning(texts, stems) is not None


def _has_head(rows: Sequence[Sequence[Any]]) -> bool:
    first = next((row for row in rows if any(str(cell).strip() for cell in row)), ())
    return any(fold(str(cell)) in KNOWN for cell in first)
