"""Parquet files, tried in a process of its own (`parquet_process`) before they are read here."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from attribution.confined import output_of
from ingest.sources import cells
from ingest.sources.columns import FILE_COLUMNS, KNOWN, fold, understand
from ingest.sources.parquet_process import PORTION
from ingest.sources.raw import Raw, Raws, Unreadable, Unrelated, check_rows

PROCESS = Path(__file__).with_name("parquet_process.py")
PATIENCE_S = 300
LONGEST_BYTES = 1_000  # of a cell, on average, that may be a text
MOST_CHARACTERS = 256 * 2**20  # of all cells: a few bytes of Parquet may stand for many
CHARACTERS_EACH = 8  # that anything within a list counts for

Row = Mapping[str, Any]


def read_parquet(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a Parquet file; pictures in it stay where they are."""
    _try(path, shown)
    from pyarrow.parquet import ParquetFile

    with ParquetFile(path) as file:
        schema = file.schema_arrow
        headers = [str(name) for name in schema.names]
        understand(headers, shown)  # one column twice is found before any of it is read
        check_rows(file.metadata.num_rows, shown)
        readable = [one for one in range(len(file.schema)) if _is_readable(file, one)]
        columns = [file.schema.column(one).path for one in readable]
    rows = _rows(path, shown, columns)
    raws = (Raw(f"{shown}, row {number}", list(row.items())) for number, row in rows)
    if any(map(_holds_pictures, schema)) and not any(
        KNOWN.get(fold(header)) in FILE_COLUMNS for header in headers
    ):
        raise Unrelated(
            f"{shown} holds its pictures within the table; write them as a folder first, with "
            f"`lawful export-dataset`",
            chain(headers, (text for raw in raws for text in cells.texts_within(raw.cells))),
        )
    return headers, raws


def parquet_headers(path: Path) -> list[str]:
    """Return the names of the columns of a Parquet file; raises Unreadable."""
    import pyarrow as pa
    from pyarrow.parquet import read_schema

    try:
        return [str(name) for name in read_schema(path).names]
    except (OSError, pa.ArrowException) as error:
        raise Unreadable(f"{path.name} is not a Parquet file: {error}") from None


def parquet_rows(path: Path, shown: str) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a Parquet file as they stand there, with their numbers."""
    _try(path, shown)
    return _rows(path, shown)


def _rows(path: Path, shown: str, columns: list[str] | None = None) -> Iterator[tuple[int, Row]]:
    """Yield the rows of a file that was tried; raises Unreadable for too many texts."""
    from pyarrow.parquet import ParquetFile

    number, left = 0, MOST_CHARACTERS
    with ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=PORTION, columns=columns, use_threads=False):
            for row in batch.to_pylist():
                number += 1
                left -= sum(map(_weight, row.values()))
                if left < 0:
                    raise Unreadable(f"{shown} unpacks to more than a table may; split it")
                yield number, row


def _try(path: Path, shown: str) -> None:
    try:
        wrong = output_of(PROCESS, path.resolve(), patience_s=PATIENCE_S).decode()
    except subprocess.SubprocessError:
        raise Unreadable(
            f"{shown} takes more memory or time than a table may; split it, or save it as CSV"
        ) from None
    if wrong:
        raise Unreadable(f"{shown}{wrong}")


def _weight(cell: object) -> int:
    """Return about how many characters of memory a cell takes."""
    if isinstance(cell, str | bytes):
        return len(cell)
    if isinstance(cell, Mapping):
        cell = [*cell, *cell.values()]
    if isinstance(cell, list | tuple):
        return sum(CHARACTERS_EACH + _weight(part) for part in cell)
    return 0


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
