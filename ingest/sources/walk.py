"""What lies in a folder, in a stable order: files, folders, and why some of it is not followed.

Only names are looked at, no file is opened. Links to files of the same folder are followed; links
that lead elsewhere and links to folders are refused, with what would help.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.sources.archives import ARCHIVES
from ingest.sources.company import Company, company

LIBRARIES = {
    ".photoslibrary": "Apple Photos",
    ".aplibrary": "Aperture",
    ".migratedphotolibrary": "iPhoto",
    ".photolibrary": "iPhoto",
}


@dataclass(frozen=True)
class Entry:
    """One file or folder."""

    path: Path  # below the root
    is_folder: bool
    refused: str | None = None  # why it is not followed or cannot be used
    company: Company | None = None  # what it is where it is passed over


def walk(root: Path) -> Iterator[Entry]:
    """Yield what lies in a folder: each folder before what is in it, names in order.

    The root comes first, as the empty path. What is passed over is yielded once, and never entered.
    """
    waiting, real_root = [Path()], root.resolve()
    while waiting:
        path = waiting.pop()
        is_folder = leads_to_folder(root / path)
        if path.parts and (kind := company(path.name, is_folder=is_folder)):
            yield Entry(path, is_folder, company=kind)
            continue
        refused = _refusal_of(root / path, real_root, is_folder) if path.parts else None
        if is_folder and refused is None:
            try:
                names = sorted(one.name for one in (root / path).iterdir())
            except OSError as error:
                refused = f"this folder cannot be read: {error.strerror}"
            else:
                waiting += [path / name for name in reversed(names)]
        yield Entry(path, is_folder, refused)


def link_refusal(path: Path, root: Path) -> str | None:
    """Say why a path is not followed; `root` is without links."""
    try:
        real = Path(os.path.realpath(path))
        if not real.is_relative_to(root):
            return _leads_out(path, real)
        if path.is_symlink() and real.is_dir():
            return (
                f"it is a link to a folder; links to files alone are followed. Put the files of "
                f"{_shown(real)} there, or ingest that folder itself"
            )
        if path.is_symlink() and not real.exists():
            return "it is a link that leads nowhere"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return None


def leads_to_folder(path: Path) -> bool:
    """Tell whether a path is a folder or a link to one; what cannot be looked at is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _refusal_of(path: Path, root: Path, is_folder: bool) -> str | None:  # noqa: FBT001  a fact
    if refused := link_refusal(path, root):
        return refused
    suffix = path.suffix.lower()
    if is_folder and suffix in LIBRARIES:
        return f"it is a library of {LIBRARIES[suffix]}; export its pictures into a folder"
    if not is_folder and suffix in ARCHIVES:
        return "an archive within a folder is not unpacked; unpack it, or ingest it by itself"
    return None


def _leads_out(path: Path, real: Path) -> str:
    said = "it leads out of the folder of its source"
    if not path.is_symlink():
        return f"{said}; put the source above all its files"
    what = "the folder" if leads_to_folder(real) else "the file"
    return (
        f"{said}, to {_shown(real)}; copy {what} to here, or ingest {_shown(real)} itself"
        if what == "the folder"
        else f"{said}, to {_shown(real)}; copy {what} to here, or ingest {_shown(real.parent)}"
    )


def _shown(path: Path) -> str:
    """Return a path as it may be shown and stored."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
