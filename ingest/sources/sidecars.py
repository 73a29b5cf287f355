"""A file next to a picture that speaks of it: `boat.json`, `boat.png.json`, `boat.xmp`, `boat.txt`.

What a .json says is read where it speaks about permission, the rest belongs to the tool that left
it there. What an .xmp forbids counts as if it stood in the picture itself. In notes, words against
training and showing are heard.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from attribution.consents import ConsentSource
from attribution.images import against_training, read_sidecar
from ingest.sources import cells
from ingest.sources.columns import FILE_COLUMNS, KNOWN, PURPOSE, fold, permits
from ingest.sources.raw import Unreadable
from ingest.sources.records import parsed
from ingest.sources.showing import against_showing
from ingest.sources.tables import Row, row_of

LARGEST = 1 << 20  # bytes about one picture
TEXTS = (".txt", ".md", ".yaml", ".yml", ".xml", ".ini")
HALF = PURPOSE | {"show", "online", "web"}  # names that say no with a no
SETTING = re.compile(
    r"([A-Za-z][\w.-]{0,40})[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([^\s\"',;<>]{0,40})"
)
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
    row = READ[path.suffix.lower()](root / path, shown, picture)
    return row and replace(row, source=ConsentSource.SIDECAR)


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
    words = _denied(cells.texts_within(said))
    top = said if isinstance(said, dict) else {}
    answers = {key: value for key, value in top.items() if _answers(key, value)}
    if any(_answers(key, value) for key, value in _within(said)):
        return Row(shown, words, picture, "it speaks about permission deeper than its first level")
    if not answers:
        return Row(shown, words, picture) if words else None
    known = {key: top[key] for key in top if KNOWN.get(fold(key)) not in {None, *FILE_COLUMNS}}
    try:
        row = row_of(shown, {**known, **answers, "file_name": picture})
    except Unreadable as error:
        return Row(shown, words, picture, str(error).removeprefix(f"{shown}, "))
    return replace(row, values={**row.values, **words})


def _within(said: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield all members but those of the first level."""
    if depth > DEEPEST:
        return
    if isinstance(said, dict):
        if depth:
            yield from said.items()
        for value in said.values():
            yield from _within(value, depth + 1)
    elif isinstance(said, list):
        for value in said:
            yield from _within(value, depth + 1)


def _answers(key: str, value: Any) -> bool:
    """Tell whether a member speaks about permission, by its name or by a no under half a name."""
    is_half = fold(key) in HALF and (cells.answer(value) is False or isinstance(value, dict))
    return is_half or permits(key)


def _denied(texts: Iterable[str]) -> dict[str, bool]:
    """Return a no for every purpose that words in some texts speak against."""
    said = list(texts)
    found = {purpose for text in said for purpose in against_showing(text)}
    found |= {"train"} if any(map(against_training, said)) else set()
    return {f"consent_{purpose}": False for purpose in found}


def _of_text(path: Path, shown: str, picture: str) -> Row | None:
    """Return what the words of a note say: captions are such notes, and say nothing mostly."""
    try:
        if path.stat().st_size > LARGEST:
            return Row(shown, {}, picture, f"it has more than {LARGEST >> 20} MiB")
        said = path.read_bytes().decode("utf-8-sig", "replace")
    except OSError as error:
        return Row(shown, {}, picture, f"it cannot be read: {error.strerror or error}")
    words = _denied([said, *said.splitlines()])
    for key, value in SETTING.findall(said):
        if _answers(key, value):
            reason = f"it speaks about permission ({key.strip()!r}): say it in a .json or a table"
            return Row(shown, words, picture, reason)
    return Row(shown, words, picture) if words else None


READ = {".json": _of_json, ".xmp": _of_xmp} | dict.fromkeys(TEXTS, _of_text)


def may_be_sidecar(path: Path) -> bool:
    """Tell whether a file is one that is read next to a picture of its name."""
    return path.suffix.lower() in READ
