"""Reads one spreadsheet in a process of its own, which may die of it.

A spreadsheet of a few kilobytes can name a cell a million rows down, and its reader then makes room
for all of them. So it gets its own memory and processor time, and cannot write files. Run as a
script with the path of a file; prints {"sheets": [[name, rows], …]}, or {"error": reason}.
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from datetime import date, datetime, time, timedelta
from typing import Any

from attribution.confined import confine

MEMORY_BYTES = 2 * 2**30  # of address space
CPU_S = 120
CELL = re.compile(r"<c(?P<head>\s[^>]*?)(?:/>|>(?P<body>.*?)</c>)", re.DOTALL)
VALUE = re.compile(r"<v(?:\s[^>]*)?>[^<]|<is>")
SPANS = re.compile(rb'number-(?:rows|columns)-spanned="(?:[2-9]|\d\d)')


def main() -> None:
    """Read the file that the first argument names."""
    confine(MEMORY_BYTES, CPU_S)
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(sys.argv[1]) as book:
            sheets = [(name, _rows(book.get_sheet_by_name(name))) for name in book.sheet_names]
        if unread := _unread(sys.argv[1]):
            sys.stdout.write(json.dumps({"error": unread}))
        else:
            json.dump({"sheets": sheets}, sys.stdout, default=_as_text)
    except (CalamineError, OSError, ValueError, MemoryError) as error:
        sys.stdout.write(json.dumps({"error": str(error) or type(error).__name__}))


def _rows(sheet: Any) -> list[list[Any]]:
    """Return the cells of a sheet; what stands in merged cells stands in each of them."""
    rows: list[list[Any]] = sheet.to_python(skip_empty_area=False)
    for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
        for row in rows[top : bottom + 1]:
            row[left : right + 1] = [rows[top][left]] * len(row[left : right + 1])
    return rows


def _unread(path: str) -> str | None:
    """Say what of a spreadsheet its reader would take for an empty cell."""
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name):
                cells = CELL.finditer(archive.read(name).decode("utf-8", "replace"))
                if lost := next((one["head"] for one in cells if _is_lost(one)), None):
                    where = re.search(r'r="([A-Z]+\d+)"', lost)
                    return (
                        f"cell {where[1] if where else '?'} holds an error, or a formula whose "
                        f"value was not saved; open it in a spreadsheet program, correct and save"
                    )
            elif name == "content.xml" and SPANS.search(archive.read(name)):
                return "it has merged cells; part them"
    return None


def _is_lost(cell: re.Match[str]) -> bool:
    body = cell["body"] or ""
    return 't="e"' in cell["head"] or ("<f" in body and not VALUE.search(body))


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
