"""Reads one spreadsheet in a process of its own, which may die of it.

A spreadsheet of a few kilobytes can name a cell a million rows down, and its reader then makes room
for all of them. So it gets its own memory and processor time, and cannot write files. Run as a
script with the path of a file; prints {"sheets": [[name, rows], …]}, or {"error": reason}.
"""

from __future__ import annotations

import json
import sys
from datetime import date, datetime, time, timedelta

MEMORY_BYTES = 2 * 2**30  # of address space
CPU_S = 120


def main() -> None:
    """Read the file that the first argument names."""
    _limit()
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with CalamineWorkbook.from_path(sys.argv[1]) as book:
            sheets = [
                (name, book.get_sheet_by_name(name).to_python(skip_empty_area=False))
                for name in book.sheet_names
            ]
        json.dump({"sheets": sheets}, sys.stdout, default=_as_text)
    except (CalamineError, OSError, ValueError, MemoryError) as error:
        sys.stdout.write(json.dumps({"error": str(error) or type(error).__name__}))


def _as_text(value: object) -> str:
    if isinstance(value, datetime) and value.time() == time():
        value = value.date()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return str(value)
    raise TypeError(type(value).__name__)


def _limit() -> None:
    """Take rights away; where the system does not know such limits, time alone is limited."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        resource.RLIMIT_AS: MEMORY_BYTES,
        resource.RLIMIT_CPU: CPU_S,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
    }
    for limit, value in wanted.items():
        try:
            resource.setrlimit(limit, (value, value))
        except (OSError, ValueError):
            continue  # macOS refuses some


if __name__ == "__main__":
    main()
