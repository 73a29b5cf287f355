"""A file next to a picture that speaks of it: `boat.json` or `boat.png.json`, `boat.xmp`.

What a .json says is read where it speaks about permission, the rest belongs to the tool that left
it there. What an .xmp forbids counts as if it stood in the picture itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from attribution.images import read_sidecar
from ingest.sources import cells
from ingest.sources.columns import FILE_COLUMNS, KNOWN, fold, permits
from ingest.sources.raw import Unreadable
from ingest.sources.records import parsed
from ingest.sources.tables import Row, row_of

LARGEST = 1 << 20  # bytes about one picture
DEEPEST = 32  # objects within objects that are looked into


def sidecars_of(files: Iterable[Path], pictures: Iterable[str]) -> dict[Path, list[str]]:
    """Return which of some files are sidecars, and of which pictures; all paths below the root.

    `boat.json`, `BOAT.PNG.json` and `boat.png.supplemental-metadata.json` are about `boat.png`.
    """
    by_name: dict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        path = PurePath(picture)
        for spelt in {path.as_posix(), path.with_suffix("").as_posix()}:
            by_name[spelt.casefold()].append(picture)
    found: dict[Path, list[str]] = {}
    for file in files:
        if may_be_sidecar(file):
            name = file.with_suffix("")
            while name.as_posix().casefold() not in by_name and name.suffix:
                name = name.with_suffix("")
            if described := by_name.get(name.as_posix().casefold()):
                found[file] = described
    return found


def sidecar_row(root: Path, path: Path, picture: str, refused: str | None) -> Row | None:
    """Return what a sidecar says of a picture; None where that is nothing about permission."""
    shown = path.as_posix()
    if refused is not None:
        return Row(shown, {}, picture, refused)
    return READ[path.suffix.lower()](root / path, shown, picture)


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
        said = parsed(path.read_text("utf-8-sig"), shown)
    except (OSError, ValueError, Unreadable) as error:
        return Row(shown, {}, picture, f"it cannot be read as JSON ({error})")
    words = {"consent_train": False} if cells.forbids_training(said) else {}
    top = said if isinstance(said, dict) else {}
    answers = {key: value for key, value in top.items() if permits(key)}
    if any(map(permits, _keys_within(said))):
        return Row(shown, words, picture, "it speaks about permission deeper than its first level")
    if not answers:
        return Row(shown, words, picture) if words else None
    known = {key: top[key] for key in top if KNOWN.get(fold(key)) not in {None, *FILE_COLUMNS}}
    try:
        row = row_of(shown, {**known, **answers, "file_name": picture})
    except Unreadable as error:
        return Row(shown, words, picture, str(error).removeprefix(f"{shown}, "))
    return replace(row, values={**row.values, **words})


def _keys_within(said: Any, depth: int = 0) -> Iterator[str]:
    """Yield the names of all members but those of the first level."""
    if depth > DEEPEST:
        return
    if isinstance(said, dict):
        if depth:
            yield from said
        for value in said.values():
            yield from _keys_within(value, depth + 1)
    elif isinstance(said, list):
        for value in said:
            yield from _keys_within(value, depth + 1)


READ = {".json": _of_json, ".xmp": _of_xmp}


def may_be_sidecar(path: Path) -> bool:
    """Tell whether a file is one that is read next to a picture of its name."""
    return path.suffix.lower() in READ
