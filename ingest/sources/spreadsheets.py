"""The sheets of a spreadsheet, read in a process of its own (`spreadsheet_process`)."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

from ingest.sources.raw import Unreadable

SPREADSHEETS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"}
PROCESS = Path(__file__).with_name("spreadsheet_process.py")
PATIENCE_S = 300
MOST_BYTES = 64 * 2**20
MOST_UNPACKED_BYTES = 512 * 2**20
AT_ONCE = BoundedSemaphore(1)  # it may take as much memory as it is allowed


Sheets = list[tuple[str, Sequence[Sequence[Any]]]]


def read_sheets(path: Path, shown: str) -> tuple[Sheets, dict[int, list[str]]]:
    """Return the sheets by name, and the comments on cells by the number of their row.

    A sheet is rows of cells, an empty cell is "". Raises Unreadable.
    """
    _check_size(path, shown)
    try:
        with AT_ONCE:
            done = subprocess.run(  # noqa: S603  this program's own interpreter and file
                [sys.executable, "-s", "-P", PROCESS, path.resolve()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=PATIENCE_S,
                check=True,
            )
        read: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.SubprocessError, ValueError):
        raise Unreadable(
            f"{shown} takes more memory or time than a spreadsheet may; save it as CSV"
        ) from None
    if "error" in read:
        raise Unreadable(f"{shown} is not read as a spreadsheet: {read['error']}; save it as CSV")
    notes = {int(row): texts for row, texts in read["notes"].items()}
    return [(str(name), rows) for name, rows in read["sheets"]], notes


def _check_size(path: Path, shown: str) -> None:
    """Refuse what is large, packed or unpacked, before its reader sees it."""
    size = path.stat().st_size
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            size = max(size, sum(one.file_size for one in archive.infolist()) // 8)
    if size > MOST_BYTES:
        raise Unreadable(
            f"{shown} has more than {MOST_BYTES >> 20} MiB, or {MOST_UNPACKED_BYTES >> 20} MiB "
            f"unpacked; save it as CSV"
        )
