"""Tables of text with a delimiter, as spreadsheets and people write them: .csv and .tsv."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Container, Iterator
from pathlib import Path
from typing import NamedTuple

from ingest.sources.columns import FOLDED_CONSENTS, KNOWN, fold, permits
from ingest.sources.encodings import decode
from ingest.sources.formulas import unquote
from ingest.sources.pictures import NAMES_PICTURE
from ingest.sources.raw import Raw, Raws, Unreadable, Unrelated, check_rows

DELIMITERS = ",;\t|"
LONGEST_ROW = 2**24  # characters; the module's own limit is a caption of 128 KiB


class Columns(NamedTuple):
    """The columns of which a table has to have one, as `fold` leaves them, and how to name them."""

    known: Container[str]
    named: str


OF_WORKS = Columns(KNOWN, "file_name, artist, title, year, licence …")


def read_delimited(path: Path, shown: str, columns: Columns = OF_WORKS) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a file; raises Unreadable."""
    text, lines_cut, delimiter = _opened(path, shown, columns)
    records = _records(text, delimiter, shown, lines_cut)
    headers = next(records, (0, []))[1]
    return headers, _csv_rows(records, headers, delimiter, shown)


def read_lines(path: Path, shown: str, columns: Columns) -> Raws:
    """Yield the rows of a file that is broken as a whole: every line is one, and has its own fault.

    For tables that forbid nothing. Raises Unreadable for a head that cannot be read.
    """
    text, lines_cut, delimiter = _opened(path, shown, columns)
    headers: list[str] = []
    for number, line in enumerate(io.StringIO(text, newline=""), 1 + lines_cut):
        if line.isspace():
            continue
        try:
            record = next(_records(line, delimiter, shown, number - 1), (0, []))[1]
        except Unreadable as error:
            if not headers:
                raise
            where = f"{shown}, line {number}"
            yield Raw(where, [], str(error).removeprefix(f"{where}: "))
            continue
        if headers:
            yield from _csv_rows(iter([(number, record)]), headers, delimiter, shown)
        headers = headers or record


def _opened(path: Path, shown: str, columns: Columns) -> tuple[str, int, str]:
    """Return a file's text, how many lines of it were cut off, and its delimiter."""
    text = decode(path.read_bytes(), shown)
    first, _, rest = text.partition("\n")
    lines_cut = 0
    if first.strip().casefold().startswith("sep=") and len(first.strip()) <= 5:  # Excel's own line
        text, lines_cut = rest, 1
    return text, lines_cut, _delimiter(text, shown, columns)


def _records(
    text: str, delimiter: str, shown: str, lines_cut: int = 0
) -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a text with the line in which each begins; blank ones are left out."""
    csv.field_size_limit(LONGEST_ROW)
    begins, length = 1 + lines_cut, 0

    def lines() -> Iterator[str]:
        nonlocal length
        for line in io.StringIO(text, newline=""):
            length += len(line)
            _check_length(length, shown, begins)
            yield line

    reader = csv.reader(lines(), delimiter=delimiter, strict=True)
    try:
        for record in reader:
            if any(cell.strip() for cell in record):
                yield begins, record
            begins, length = reader.line_num + 1 + lines_cut, 0
    except csv.Error as error:
        said = str(error)
        if said == "unexpected end of data":
            said = "a quotation mark that begins here is never closed"
        elif "expected after" in said:
            said = 'a quotation mark within a cell; a cell with one is written in two: "5"" disk"'
        raise Unreadable(f"{shown}, line {begins}: {said}") from None


def _check_length(length: int, shown: str, line: int) -> None:
    """Raise Unreadable for a row of which every few characters may become a cell."""
    if length > LONGEST_ROW:
        raise Unreadable(
            f"{shown}, line {line}: a row of more than {LONGEST_ROW} characters; is a quotation "
            f"mark or the end of a line missing?"
        )


def _delimiter(text: str, shown: str, columns: Columns) -> str:
    """Choose the delimiter by which the first line has the most columns that are known."""
    head = re.match(r"[^\r\n]*", text)
    _check_length(head.end() if head else 0, shown, 1)
    counted: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        try:
            _, headers = next(_records(text, delimiter, shown), (0, []))
        except Unreadable:
            continue
        known = sum(fold(header) in columns.known for header in headers)
        counted[delimiter] = (known, len(headers))
    best = max(counted, key=lambda one: counted[one], default=",")
    if counted.get(best, (0, 0))[0] == 0:
        first = " ".join(text.lstrip().partition("\n")[0].split())[:120]
        raise Unrelated(
            f"{shown}, line 1: no column is known in {first!r}; name them {columns.named}, "
            f"separated by comma, semicolon or tab",
            (cell[0].strip(" \"'") for cell in re.finditer(r"[^,;\t|^\r\n]+", text)),
        )
    return best


def _csv_rows(
    records: Iterator[tuple[int, list[str]]], headers: list[str], delimiter: str, shown: str
) -> Raws:
    """Yield rows; one with another number of cells than the head is not understood."""
    last_consent = max(
        (n for n, header in enumerate(headers) if fold(header) in FOLDED_CONSENTS), default=-1
    )
    asked = [n for n, header in enumerate(headers) if permits(header)]
    for number, (line, record) in enumerate(records):
        check_rows(number, shown)
        where = f"{shown}, line {line}"
        fault = None
        if any(cell.strip() for cell in record[len(headers) :]):
            fault = (
                f"it has {len(record)} cells, the head has {len(headers)}; put a cell that holds "
                f"{delimiter!r} into quotation marks"
            )
        elif len(record) > len(headers) and (
            empty := next((headers[n] for n in asked if not record[n].strip()), None)
        ):
            fault = (
                f"it has {len(record)} cells, the head has {len(headers)}, and {empty!r} is empty: "
                f"one {delimiter!r} too many may have moved what stands behind it"
            )
        elif len(record) <= last_consent:
            missing = headers[last_consent]
            fault = f"it has {len(record)} cells of {len(headers)}: {missing!r} is missing"
        elif swallowed := next(filter(_swallows_rows, record), None):
            raise Unreadable(
                f"{where}: a cell goes over several lines and holds what looks like other rows "
                f"({swallowed.splitlines()[1][:60]!r}); is a quotation mark missing?"
            )
        width = len(record) if fault else len(headers)
        heads = headers + [""] * (width - len(headers))
        yield Raw(where, list(zip(heads, map(unquote, record), strict=False)), fault)


def _swallows_rows(cell: str) -> bool:
    """Tell whether a cell holds lines, behind its first, that name files."""
    return any(NAMES_PICTURE.search(line) for line in cell.splitlines()[1:])
