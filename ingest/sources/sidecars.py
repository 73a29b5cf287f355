"""A .json next to a picture, as download tools leave it: `boat.json` or `boat.png.json`.

What it says of the picture is read where it speaks about permission; the rest belongs to the tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from ingest.sources.columns import COLUMNS, PERMISSION, fold, words_of
from ingest.sources.raw import Unreadable
from ingest.sources.tables import Row, row_of

LARGEST = 1 << 20  # bytes about one picture


def sidecar_rows(
    root: Path, files: Sequence[PurePath], pictures: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Yield what the .json among `files` say, with the picture, both paths below `root`."""
    jsons = {path.as_posix() for path in files if path.suffix.lower() == ".json"}
    if not jsons:
        return
    for picture in pictures:
        stem = picture[: -len(PurePath(picture).suffix) or None]
        for sidecar in (f"{picture}.json", f"{stem}.json"):
            if sidecar in jsons and (row := _row(root / sidecar, sidecar, picture)) is not None:
                yield picture, row


def _row(path: Path, shown: str, picture: str) -> Row | None:
    try:
        if path.stat().st_size > LARGEST:
            return Row(shown, {}, picture, f"it has more than {LARGEST >> 20} MiB")
        said = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        return Row(shown, {}, picture, f"it cannot be read as JSON ({error})")
    if not isinstance(said, dict):
        return None
    permits = {str(key): value for key, value in said.items() if PERMISSION.search(words_of(key))}
    if not permits:
        return None
    known: dict[str, Any] = {key: said[key] for key in said if fold(str(key)) in map(fold, COLUMNS)}
    try:
        return row_of(shown, {**known, **permits, "file_name": picture})
    except Unreadable as error:
        return Row(shown, {}, picture, str(error).removeprefix(f"{shown}, "))
