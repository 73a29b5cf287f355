"""The sheets of a spreadsheet, read in a process of its own (`spreadsheet_process`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from attribution.confined import output_of
from ingest.sources.raw import Unreadable

SPREADSHEETS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
PROCESS = Path(__file__).with_name("spreadsheet_process.py")
PATIENCE_S = 300
MOST_BYTES = 64 * 2**20
AT_ONCE = BoundedSemaphore(1)  # it may take as much memory as it is allowed


Sheets = list[tuple[str, Sequence[Sequence[Any]]]]


def read_sheets(path: Path, shown: str) -> tuple[Sheets, dict[int, list[str]]]:
    """Return the sheets by name, and the comments on cells by the number of their row.

    A sheet is rows of cells, an empty cell is "". Raises Unreadable.
    """
    if path.stat().st_size > MOST_BYTES:
        raise Unreadable(f"{shown} has more than {MOST_BYTES >> 20} MiB; save it as CSV")
    try:
        with AT_ONCE:
            read: dict[str, Any] = json.loads(
                output_of(PROCESS, path.resolve(), patience_s=PATIENCE_S)
            )
    except (subprocess.SubprocessError, ValueError):
        raise Unreadable(
            f"{shown} takes more memory or time than a spreadsheet may; save it as CSV"
        ) from None
    if "error" in read:
        raise Unreadable(f"{shown} is not read as a spreadsheet: {read['error']}; save it as CSV")
    notes = {int(row): texts for row, texts in read["notes"].items()}
    return [(str(name), rows) for name, rows in read["sheets"]], notes
