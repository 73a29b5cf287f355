"""Reads one spreadsheet in a process of its own, which may die of it.

A spreadsheet of a few kilobytes can name a cell a million rows down, and its reader then makes room
for all of them. So it gets its own memory and processor time, and cannot write files. Run as a
script with the path of a file; prints {"sheets": [[name, rows], …], "notes": {row: [comment, …]}},
or {"error": reason}.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from defusedxml.ElementTree import iterparse

from attribution.confined import confine

MEMORY_BYTES = 2 * 2**30  # of address space
CPU_S = 120
MOST_UNPACKED_BYTES = 512 * 2**20
MOST_CHARACTERS = 128 * 2**20  # that are handed on; merged cells repeat theirs
LOST = (
    "{} holds an error, or a formula whose value was not saved; open it in a spreadsheet program, "
    "mend and save it"
)
STRUCK = "{} is struck through; remove its row, or the line"


def main() -> None:
    """Read the file that the first argument names."""
    confine(MEMORY_BYTES, CPU_S)
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        merges, notes = 0, dict[int, list[str]]()
        if zipfile.is_zipfile(sys.argv[1]):
            with zipfile.ZipFile(sys.argv[1]) as archive:
                _check_size(archive)
        with CalamineWorkbook.from_path(sys.argv[1]) as book:
            opened = [(name, book.get_sheet_by_name(name)) for name in book.sheet_names]
            sheets = [(name, _rows(sheet)) for name, sheet in opened]
            merges = sum(len(sheet.merged_cell_ranges or ()) for _, sheet in opened)
        if zipfile.is_zipfile(sys.argv[1]):
            with zipfile.ZipFile(sys.argv[1]) as archive:
                notes = _examine(archive, merges)
        sys.stdout.write(_said({"sheets": sheets, "notes": notes}))
    except (CalamineError, OSError, ValueError, SyntaxError) as error:
        sys.stdout.write(json.dumps({"error": str(error) or type(error).__name__}))


def _said(read: dict[str, object]) -> str:
    said = json.dumps(read, default=_as_text)
    if len(said) > MOST_CHARACTERS:
        raise ValueError(f"it holds more than {MOST_CHARACTERS >> 20} MiB of text")
    return said


def _check_size(archive: zipfile.ZipFile) -> None:
    if sum(one.file_size for one in archive.infolist()) > MOST_UNPACKED_BYTES:
        raise ValueError(f"it has more than {MOST_UNPACKED_BYTES >> 20} MiB unpacked")


def _rows(sheet: Any) -> list[list[Any]]:
    """Return the cells of a sheet; what stands in merged cells stands in each of them."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in rows[top : bottom + 1]:
            row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


def _examine(archive: zipfile.ZipFile, merges: int) -> dict[int, list[str]]:
    """Return the comments on cells by row; raises ValueError for what a reader would lose.

    Parts and elements are known by what they are, whatever their files and prefixes are called.
    """
    parts: dict[str, list[str]] = {}
    for name in archive.namelist():
        if name.endswith(".xml"):
            parts.setdefault(_root(archive, name), []).append(name)
    _check_cells(archive, parts, merges)
    _check_open_cells(archive, parts)
    notes: dict[int, list[str]] = {}
    for name in (*parts.get("comments", ()), *parts.get("ThreadedComments", ())):
        for one in _elements(archive, name, {"comment", "threadedComment"}):
            row = re.sub(r"\D", "", one.get("ref") or "")
            notes.setdefault(int(row or 0), []).append("".join(one.itertext()).strip())
    return notes


def _check_cells(archive: zipfile.ZipFile, parts: dict[str, list[str]], merges: int) -> None:
    struck, texts = _struck(archive, parts.get("styleSheet", ())), _struck_texts(archive, parts)
    for name in parts.get("worksheet", ()):
        for cell in _elements(archive, name, {"c", "mergeCell"}):
            if _local(cell.tag) == "c":
                _check_cell(cell, struck, texts)
            else:
                merges -= 1
    if merges < 0:
        raise ValueError("it has merged cells that are not read; part them")


def _check_open_cells(archive: zipfile.ZipFile, parts: dict[str, list[str]]) -> None:
    contents = parts.get("document-content", ())
    struck = {
        _value(one, "name")
        for part in (*parts.get("document-styles", ()), *contents)
        for one in _elements(archive, part, {"style"})
        if any(_value(of, "text-line-through-style") not in {None, "none"} for of in one.iter())
    }
    for name in contents:
        for cell in _elements(archive, name, {"table-cell", "covered-table-cell"}):
            _check_open_cell(cell, struck)


def _check_cell(cell: Any, struck: set[int], texts: set[str]) -> None:
    children = {_local(one.tag): one for one in cell}
    value = "".join(children["v"].itertext()) if "v" in children else ""
    where = f"cell {cell.get('r') or '?'}"
    if cell.get("t") == "e" or ("f" in children and not value and "is" not in children):
        raise ValueError(LOST.format(where))
    is_struck = int(cell.get("s") or 0) in struck or (cell.get("t") == "s" and value in texts)
    if ("".join(cell.itertext()).strip() and is_struck) or any(map(_is_strike, cell.iter())):
        raise ValueError(STRUCK.format(where))


def _check_open_cell(cell: Any, struck: set[str | None]) -> None:
    said = "".join(cell.itertext()).strip()
    spans = (_value(cell, f"number-{one}-spanned") for one in ("rows", "columns"))
    if _local(cell.tag) == "covered-table-cell" or any(int(one or 1) > 1 for one in spans):
        raise ValueError("it has merged cells; part them")
    if "error" in _values(cell, "value-type") or (
        _value(cell, "formula") is not None
        and (not _values(cell, "value-type") or said.startswith(("#", "Err:")))
    ):
        raise ValueError(LOST.format(f"a cell ({said[:40]!r})"))
    if said and _value(cell, "style-name") in struck - {None}:
        raise ValueError(STRUCK.format(f"a cell ({said[:40]!r})"))
    if any(_local(one.tag) == "annotation" for one in cell):
        raise ValueError("it has comments on cells; write them into cells")


def _struck(archive: zipfile.ZipFile, styles: Iterable[str]) -> set[int]:
    """Return the styles of cells whose text is struck through."""
    found: set[int] = set()
    for name in styles:
        tables = {"fonts": list[Any](), "cellXfs": list[Any]()}
        for one in _elements(archive, name, set(tables)):
            tables[_local(one.tag)] = [(of.get("fontId"), any(map(_is_strike, of))) for of in one]
        fonts = {str(n) for n, (_, is_struck) in enumerate(tables["fonts"]) if is_struck}
        found |= {n for n, (font, _) in enumerate(tables["cellXfs"]) if font in fonts}
    return found


def _struck_texts(archive: zipfile.ZipFile, parts: dict[str, list[str]]) -> set[str]:
    return {
        str(number)
        for name in parts.get("sst", ())
        for number, text in enumerate(_elements(archive, name, {"si"}))
        if any(map(_is_strike, text.iter()))
    }


def _is_strike(element: Any) -> bool:
    is_off = (_value(element, "val") or "1").casefold() in {"0", "false"}
    return _local(element.tag) in {"strike", "dstrike"} and not is_off


def _root(archive: zipfile.ZipFile, name: str) -> str:
    with archive.open(name) as file:
        for _, element in iterparse(file, ("start",)):
            return _local(element.tag)
    return ""


def _elements(archive: zipfile.ZipFile, name: str, wanted: set[str]) -> Iterator[Any]:
    """Yield the elements of some names; what is in them lasts until the next one."""
    with archive.open(name) as file:
        depth = 0
        for event, element in iterparse(file, ("start", "end")):
            is_wanted = _local(element.tag) in wanted
            depth += is_wanted if event == "start" else 0
            if event == "end" and is_wanted:
                depth -= 1
                yield element
            if event == "end" and not depth:
                element.clear()


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def _value(element: Any, name: str) -> str | None:
    return next(iter(_values(element, name)), None)


def _values(element: Any, name: str) -> list[str]:
    return [value for key, value in element.items() if _local(key) == name]


def _as_text(value: object) -> str:
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    raise TypeError(type(value).__name__)


if __name__ == "__main__":
    main()
