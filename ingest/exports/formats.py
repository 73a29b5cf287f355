"""How a table is written: CSV, JSON, JSON Lines, Parquet. Pages of rows in, pieces of bytes out."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ingest.exports.rows import COLUMNS, CONSENTS, Row
from ingest.sources.formulas import quote

BOM = "\ufeff"  # without it Excel takes UTF-8 for the code page of its country
SEPARATORS = ",;"  # of tags in a cell


@dataclass(frozen=True)
class Format:
    """A kind of table."""

    media_type: str
    write: Callable[[Iterable[list[Row]]], Iterator[bytes]]


def _csv(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    yield lines([COLUMNS], BOM)
    for page in pages:
        yield lines([row[column] for column in COLUMNS] for row in page)


def lines(rows: Iterable[Iterable[object]], begin: str = "") -> bytes:
    """Return lines of CSV; no spreadsheet runs what is in a cell."""
    text = io.StringIO()
    csv.writer(text).writerows([_cell(value) for value in row] for row in rows)
    return (begin + text.getvalue()).encode()


def _cell(value: object) -> str:
    """Return a value as it stands in a cell; a text that looks like a formula is quoted."""
    match value:
        case None | []:
            return ""
        case bool():
            return "yes" if value else "no"
        case list():
            are_texts = all(isinstance(one, str) for one in value)
            is_plain = are_texts and not any(one in tag for tag in value for one in SEPARATORS)
            return quote(", ".join(value) if is_plain else _json(value))
        case dict():
            return _json(value) if value else ""
        case str():
            return quote(value)
        case _:
            return str(value)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _json_lines(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    for page in pages:
        yield "".join(f"{_json(row)}\n" for row in page).encode()


def _json_array(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    """Write one array, a work a line."""
    between = "[\n"
    for page in pages:
        yield (between + ",\n".join(map(_json, page))).encode()
        between = ",\n"
    yield b"[]\n" if between == "[\n" else b"\n]\n"


def _parquet(pages: Iterable[list[Row]]) -> Iterator[bytes]:
    """Write a row group a page; the rights, which differ in shape, are JSON in a text."""
    import pyarrow as pa
    from pyarrow import parquet

    columns = dict.fromkeys(COLUMNS, pa.string())
    columns |= {"tags": pa.list_(pa.string()), "year": pa.int64()}
    columns |= dict.fromkeys(CONSENTS, pa.bool_())
    schema, sink = pa.schema(list(columns.items())), _Sink()
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for page in pages:
            rows = [row | {"rights": _json(row["rights"])} for row in page]
            writer.write_table(pa.Table.from_pylist(rows, schema))
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that hands on what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self._waiting += data
        return len(data)

    def taken(self) -> bytes:
        """Return what was written since."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


FORMATS: Mapping[str, Format] = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "json": Format("application/json", _json_array),
    "jsonl": Format("application/jsonl", _json_lines),
    "parquet": Format("application/vnd.apache.parquet", _parquet),
}
