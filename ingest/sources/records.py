"""Tables that name their cells themselves: .json, .jsonl, spreadsheets."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from ingest.sources import cells
from ingest.sources.columns import KNOWN, fold, permits, words_of
from ingest.sources.concerning import concerning
from ingest.sources.encodings import decode
from ingest.sources.pictures import NAMES_PICTURE
from ingest.sources.raw import Raw, Raws, Unreadable, Unrelated, check_rows
from ingest.sources.spreadsheets import read_sheets

MOST_JSON_BYTES = 32 * 2**20  # it is parsed in one piece
MOST_PARTS = (
    32 * 2**20
)  # of all lines: three characters can be a list, which takes twenty times that


Cells = Sequence[tuple[str, Any]]  # by header


def read_json_lines(path: Path, shown: str) -> tuple[list[str], Raws]:
    """Return the headers and the rows of a file with an object in each line."""
    return _with_headers(_json_lines(path, shown))


def _json_lines(path: Path, shown: str) -> Iterator[tuple[str, Cells]]:
    text = decode(path.read_bytes(), shown)
    if sum(map(text.count, ",[{")) > MOST_PARTS:
        raise Unreadable(f"{shown} holds more than {MOST_PARTS >> 20} million values; split it")
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
