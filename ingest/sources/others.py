"""Pictures that tables give to another artist than their folder does.

A row counts in place of the folder. Both may be meant; it is said because a table may have slipped.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from attribution.catalogue.encodings import shown_bytes
from attribution.catalogue.names import fold, tidy
from attribution.catalogue.nobody import is_nobody
from attribution.errors import BadInput
from ingest.sources.layout import Level, layout_of

NAMED = 3  # examples in a sentence


def by_others(
    pictures: Iterable[Path], artists: Mapping[Path, str], level: Level | None
) -> Iterator[str]:
    """Say which of the pictures of a folder are by another artist than their own folder names.

    `artists` are those whom rows name, by picture. Folders name whom they would name without rows.
    """
    try:
        layout = layout_of(pictures, level=level)
    except BadInput:  # nobody could tell
        return
    are_two = cache(_are_two)  # a source has few artists and many works
    others = [
        f"{shown_bytes(path.as_posix())} by {artist}"
        for path, artist in artists.items()
        if (folder := layout.artist(path)) and are_two(artist, folder)
    ]
    if others:
        works = "1 work has" if len(others) == 1 else f"{len(others):,} works have"
        their = "its folder says" if len(others) == 1 else "their folder says"
        more = ", …" if len(others) > NAMED else ""
        yield f"{works} another artist than {their}: {', '.join(others[:NAMED])}{more}"


def _are_two(artist: str, folder: str) -> bool:
    """Tell whether a folder has the name of somebody else."""
    try:
        name = tidy(folder)
    except BadInput:
        return False
    return fold(name) != fold(artist) and not is_nobody(name) and not is_nobody(artist)
