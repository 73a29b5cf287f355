"""A file next to a picture that speaks of it: `boat.json` or `boat.png.json`, `boat.xmp`.

What a .json says is read where it speaks about permission, the rest belongs to the tool that left
it there. What an .xmp forbids counts as if it stood in the picture itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any

from attribution.images import read_sidecar
from ingest.sources.columns import COLUMNS, PERMISSION, fold, words_of
from ingest.sources.raw import Unreadable
from ingest.sources.tables import Row, row_of

LARGEST = 1 << 20  # bytes about one picture


def sidecar_rows(
    root: Path, files: Sequence[PurePath], pictures: Sequence[str]
) -> Iterator[tuple[str, Row]]:
    """Yield what the sidecars among `files` say, with the picture, both paths below `root`."""
    read = {".json": _of_json, ".xmp": _of_xmp}
    sidecars = {path.as_posix().casefold(): path for path in files if path.suffix.lower() in read}
    for picture in pictures if sidecars else ():
        stem = picture[: -len(PurePath(picture).suffix) or None]
        for name in (f"{whole}{suffix}" for whole in (picture, stem) for suffix in read):
            if (path := sidecars.get(name.casefold())) is not None:
                shown = path.as_posix()
                if row := read[path.suffix.lower()](root / path, shown, picture):
                    yield picture, row


def _of_xmp(path: Path, shown: str, picture: str) -> Row | None:
    """Return a row that forbids training where the sidecar does, or cannot be read."""
    try:
        packet = path.read_bytes() if path.stat().st_size <= LARGEST else b""
    except OSError:
        packet = b""
    if packet and not read_sidecar(packet).forbids:
        return None
    return Row(shown, {"consent_train": False}, picture)


def _of_json(path: Path, shown: str, picture: str) -> Row | None:
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
