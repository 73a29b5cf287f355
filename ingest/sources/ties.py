"""Which picture a table means by a name: that one, or the only one that is spelt otherwise."""

from __future__ import annotations

import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from pathlib import Path


class Pictures:
    """The pictures of a source, by their paths below its root with "/" between parts."""

    def __init__(self, paths: Iterable[str]) -> None:
        self.paths = tuple(paths)
        self._exact = frozenset(self.paths)

    def find(self, folder: str, name: str) -> str | None:
        r"""Return the picture that a table in `folder` calls `name`; None for none, or several.

        Tried in turn: the exact name, "\" as "/", without quotation marks, and the only picture
        whose name differs in case, composed or decomposed accents, or spaces.
        """
        for tried in _spellings(name):
            path = below(folder, tried)
            if path is None or not is_encodable(path):
                continue
            if path in self._exact:
                return path
            like = self._alike.get(_fold(path), [])
            if len(like) == 1:
                return like[0]
        return None

    @cached_property
    def _alike(self) -> dict[str, list[str]]:
        alike = defaultdict(list)
        for path in self.paths:
            alike[_fold(path)].append(path)
        return dict(alike)


class Files:
    """Files below a folder, found one by one: a manifest may lie above much else."""

    def __init__(self, root: Path, paths: Iterable[str] = ()) -> None:
        """Look below `root`; `paths` are the files that a manifest has been found to name."""
        self.paths = tuple(paths)
        self._root = root
        self._names: dict[str, dict[str, list[str]]] = {}

    def find(self, folder: str, name: str) -> str | None:
        """Return the file that a table in `folder` calls `name`, as `Pictures.find` does."""
        for tried in _spellings(name):
            path = below(folder, tried)
            if path is None or not is_encodable(path):
                continue
            if (found := self._spelt(path)) is not None:
                return found
        return None

    def _spelt(self, path: str) -> str | None:
        """Return the path of a file as the disk spells it, part by part; None for a folder."""
        found = self._on_disk(path)
        return None if found is None or (self._root / found).is_dir() else found

    def _on_disk(self, path: str) -> str | None:
        try:
            if os.path.lexists(self._root / path):
                return path
        except (OSError, ValueError):
            return None
        found = ""
        for part in path.split("/"):
            like = self._in(found).get(_fold(part), [])
            if part not in like and len(like) != 1:
                return None
            found = f"{found}/{part if part in like else like[0]}".lstrip("/")
        return found

    def _in(self, folder: str) -> dict[str, list[str]]:
        if folder not in self._names:
            alike = defaultdict(list)
            with suppress(OSError):
                for path in (self._root / folder).iterdir():
                    alike[_fold(path.name)].append(path.name)
            self._names[folder] = dict(alike)
        return self._names[folder]


def _spellings(name: str) -> list[str]:
    r"""Return a name as it stands there, with "\" as "/", and without quotation marks around it."""
    return list(
        dict.fromkeys((name, name.replace("\\", "/"), name.replace("\\", "/").strip("\"' ")))
    )


def below(folder: str, name: str) -> str | None:
    """Return the path that a name in the table of a folder means; None where it leads out."""
    path = posixpath.normpath(posixpath.join(folder, name))
    if posixpath.isabs(path) or path.split("/", 1)[0] == "..":
        return None
    return path if not folder or path.startswith(f"{folder}/") else None


def is_encodable(name: str) -> bool:
    """Tell whether a file can have this name."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False


def _fold(path: str) -> str:
    text = os.fsencode(path).decode("utf-8", "surrogateescape")
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).replace("/ ", "/")
