"""Where the file of a work is, as a table names it: relative to the folder of that table."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Protocol

from attribution.catalogue.models import Artwork
from attribution.catalogue.queries import Seen
from attribution.collection import Stores
from attribution.errors import BadImage, BadInput, NotFound
from attribution.images import read_file
from attribution.whole import written_whole
from ingest.listing import path_of

UPLOAD = "upload:"  # how the source of a job from an upload begins
COPIES = "files"
ENDINGS = {"jpeg": "jpg"}  # format -> how such files are called


class Files(Protocol):
    """Names the file of a work."""

    def name(self, work: Artwork, seen: Seen | None) -> str | None:
        """Return a relative path with slashes, or None where no file is known."""
        ...


class AsSent:
    """As the source called it: below the folder that was ingested, or within the upload."""

    def name(self, work: Artwork, seen: Seen | None) -> str | None:
        """Return the name in the source that brought the work last; no file is looked at."""
        del work
        if seen is None:
            return None
        path, source = path_of(seen.path), Path(seen.source)
        if seen.source.startswith(UPLOAD):
            return _text(path)
        for folder in (source, source.parent):  # a manifest or one image is a file in its folder
            if path != folder and path.is_relative_to(folder):
                return _text(path.relative_to(folder))
        return None


class InFolder:
    """Files that lie in a folder or below it, where the works came from."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(os.path.realpath(folder))

    def name(self, work: Artwork, seen: Seen | None) -> str | None:
        """Return the path below the folder, if a file of the right size is still there."""
        path = path_of(seen.path) if seen else Path()
        if not path.is_absolute():
            return None
        real = Path(os.path.realpath(path.parent)) / path.name
        if not real.is_relative_to(self._folder) or not _is_there(real, work):
            return None
        return _text(real.relative_to(self._folder))


class Copied:
    """Files in a folder, and copies in it of those that lie elsewhere or were kept."""

    def __init__(self, folder: Path, stores: Stores) -> None:
        self._folder, self._stores = folder, stores
        self._present = InFolder(folder)

    def name(self, work: Artwork, seen: Seen | None) -> str | None:
        """Return the path below the folder; raises BadInput where it cannot be written."""
        if there := self._present.name(work, seen):
            return there
        kind = str(work.facts.get("format", "")).lower()
        ending = ENDINGS.get(kind, kind) or "image"
        name = PurePosixPath(COPIES, work.artist.slug, f"{work.sha256}.{ending}")
        path = self._folder / name
        if _is_there(path, work):
            return str(name)
        data = self._bytes(work, seen)
        if data is None:
            return None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(path) as new:
                new.write_bytes(data)
        except OSError as error:
            raise BadInput(f"--files: {path} cannot be written: {error.strerror}") from None
        return str(name)

    def _bytes(self, work: Artwork, seen: Seen | None) -> bytes | None:
        """Return the bytes that were ingested, from the store or where they came from."""
        if self._stores.store.has_original(work.sha256):
            return self._stores.store.original(work.sha256)
        path = path_of(seen.path) if seen else Path()
        if not path.is_absolute():
            return None
        try:
            data = read_file(path, self._stores.limits)
        except (BadImage, NotFound):
            return None
        return data if hashlib.sha256(data).hexdigest() == work.sha256 else None


def _is_there(path: Path, work: Artwork) -> bool:
    """Tell whether a path is a file of the size that the work has."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == work.facts.get("bytes", found.st_size)


def _text(path: Path) -> str | None:
    """Return a path as a table can hold it; None for bytes that are no text."""
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        return None
    return path.as_posix()
