"""What lies with pictures and is no work: folders of storage servers and programs, sidecars, notes.

It is passed over and counted by kind. Tables are not among it: they may say "no" and belong to the
reader of tables, whatever their format; so does anything that is called `metadata`. Hidden tables
are tables.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import PurePath

from ingest.sources.columns import permits_in_name
from ingest.sources.pictures import NOTES, SIDECARS
from ingest.sources.tables import is_called_ours, is_table


class Company(StrEnum):
    """A kind of thing that is passed over; the value is how it is counted, for people."""

    PREVIEWS = "previews of a program or a storage server"
    DELETED = "recycle bins"
    SNAPSHOTS = "snapshots and backups of a storage server"
    SYSTEM = "files of the operating system"
    SIDECARS = "sidecars of picture programs"
    PERMISSIONS = "documents that may say no, which are not read"
    DOCUMENTS = "documents and notes"
    HIDDEN = "hidden files and folders"


FOLDERS = {  # patterns of names in lower case; the first kind that fits decides
    Company.PREVIEWS: (
        "@eadir .@__thumb .thumbnails .picasaoriginals .bridgecache captureone "
        "*.lrdata *.lrcat-data *.cocatalogdb"
    ),
    Company.DELETED: "#recycle @recycle $recycle.bin .trash* .dtrash",
    Company.SNAPSHOTS: "#snapshot @snapshot .snapshot ~snapshot .snapshots @recently-snapshot .zfs",
    Company.SYSTEM: "system?volume?information __macosx lost+found found.0?? .appledouble @tmp",
    Company.HIDDEN: ".*",
}
FILES = {
    Company.SYSTEM: (
        "._* .ds_store .localized .directory .nomedia .apdisk thumbs.db thumbs.db:* ehthumbs.db "
        "ehthumbs_vista.db desktop.ini icon\r *@synoeastream ~$* .~lock.*#"
    ),
    Company.SIDECARS: (
        "picasa.ini .picasa.ini zbthumbnail.info pspbrwse.jbf "
        + " ".join(f"*{one}" for one in sorted(SIDECARS))
    ),
    Company.DOCUMENTS: " ".join(f"*{one}" for one in sorted(NOTES)),
    Company.HIDDEN: ".*",
}


def company(name: str, *, is_folder: bool) -> Company | None:
    """Return what kind of company a file or folder of this name is; None for what may be works."""
    folded, path = name.lower(), PurePath(name)
    for kind, patterns in (FOLDERS if is_folder else FILES).items():
        if not any(fnmatchcase(folded, pattern) for pattern in patterns.split(" ")):
            continue
        if is_folder or kind is Company.SYSTEM:
            return kind
        if is_called_ours(path) or (kind is Company.HIDDEN and is_table(path)):
            return None
        is_warning = kind is Company.DOCUMENTS and permits_in_name(path.stem)
        return Company.PERMISSIONS if is_warning else kind
    return None


def counted(passed: Iterable[tuple[Company, PurePath]]) -> list[str]:
    """Say what was passed over: a line a kind, with the number and the first name."""
    first: dict[Company, str] = {}
    counts: dict[Company, int] = {}
    for kind, path in passed:
        first.setdefault(kind, path.as_posix())
        counts[kind] = counts.get(kind, 0) + 1
    return [
        f"{kind.value}: {counts[kind]} (such as {first[kind]})"
        for kind in Company
        if kind in counts
    ]
