"""Unpacking of zip, tar and tar.gz archives from people nobody knows. No HTTP, no catalogue.

What other archives are is said by name. The encoding of names is decided for an archive as a whole.

Sizes are counted while bytes arrive, never believed from a header. A limit that is passed, or an
archive that is damaged as a whole, is an error; a single member that cannot be used is left out
and recorded with its reason. Nothing is ever written outside the target folder: only plain files
are made, each new, under names that were checked part by part.
"""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from attribution.catalogue.encodings import shown_bytes
from attribution.errors import BadInput, TooLarge
from ingest.sources.encodings import is_wide
from ingest.sources.members import DAMAGED, Content, Member, UnpackLimits
from ingest.sources.tar_members import is_tar, tar_members
from ingest.sources.zip_members import zip_members

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}
SPREADSHEETS = {".xlsx", ".xlsm", ".ods"}
CHUNK = 64 * 1024
ANY_BYTES = "cp437"  # every name can be read in it, which is enough where it is only shown
LONGEST_NAME = 255  # bytes of one part: what file systems take
DEEPEST = 16  # folders within folders
OTHERS = {  # by their first bytes
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\xfd7zXZ\0": "packed with xz (.xz, .tar.xz)",
    b"BZh": "packed with bzip2 (.bz2, .tar.bz2)",
    b"\x28\xb5\x2f\xfd": "packed with Zstandard (.zst, .tar.zst)",
    b"\x04\x22\x4d\x18": "packed with LZ4",
    b"LZIP": "packed with lzip",
    b"\x1f\x9d": "packed with compress (.Z)",
    b"MSCF": "a cabinet file",
    b"PK\x07\x08": "one part of a split zip archive",
}


@dataclass(frozen=True)
class LeftOut:
    """A member that was not unpacked, and why."""

    name: str
    reason: str


def is_archive(file: IO[bytes]) -> bool:
    """Tell by content whether a file, at its beginning, is a zip or tar archive, gzipped or not.

    Raises BadInput for an archive of another kind.
    """
    head = file.read(tarfile.BLOCKSIZE)
    file.seek(0)
    for start, kind in OTHERS.items():
        if head.startswith(start):
            raise BadInput(
                f"it is {kind}, which is not read; unpack it and pack the folder as zip or tar.gz"
            )
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or head[:2] == b"\x1f\x8b" or is_tar(head)


def is_archive_file(path: Path) -> bool:
    """Tell whether a path is a file to unpack; spreadsheets are tables, though zipped.

    Raises BadInput for an archive of a kind that is not read.
    """
    if path.suffix.lower() in SPREADSHEETS or not path.is_file():
        return False
    with path.open("rb") as file:
        return is_archive(file)


def unpack(
    archive: Path, folder: Path, limits: UnpackLimits, *, names_encoding: str | None = None
) -> list[LeftOut]:
    """Unpack the usable members under `folder`, keeping their folders; return the others.

    Raises TooLarge when a limit on the whole archive is passed, BadInput when it is damaged,
    NamesUnclear when the encoding of its names is not certain and `names_encoding` does not say it.
    """
    left_out: list[LeftOut] = []
    budget = limits.max_total_bytes
    with archive.open("rb") as file, _opened(file, limits, names_encoding) as members:
        for number, member in enumerate(members, 1):
            if number > limits.max_files:
                raise limits.too_many()
            if member.is_folder:
                continue
            try:
                budget -= _write(member, folder, min(limits.max_member_bytes, budget))
            except BadInput as refusal:
                if isinstance(refusal, TooLarge) and budget <= limits.max_member_bytes:
                    raise limits.too_large() from None
                left_out.append(LeftOut(_printable(member.name), str(refusal)))
                # What was read of a member before its refusal has cost as much as one that is kept.
                budget -= limits.max_member_bytes if isinstance(refusal, TooLarge) else 0
    return left_out


def count_works(file: IO[bytes], limits: UnpackLimits, *, most: int) -> int:
    """Count the files of an archive, the rows of a table, or one for an image; `most` at most.

    What cannot be read counts as one: whoever unpacks it says why. The file is at its beginning
    before and after.
    """
    counted = 1
    if is_archive(file):
        with suppress(BadInput), _opened(file, limits, ANY_BYTES) as members:
            counted = sum(1 for _ in islice((one for one in members if not one.is_folder), most))
    else:
        head = file.read(CHUNK)
        if b"\0" not in head or is_wide(head):
            counted, chunk, ends = 0, head, [0, 0]
            while chunk and counted < most:
                ends = [ends[0] + chunk.count(b"\n"), ends[1] + chunk.count(b"\r")]
                counted = max(ends) - 1
                chunk = file.read(CHUNK)
    file.seek(0)
    return min(max(counted, 1), most)


def _write(member: Member, folder: Path, limit: int) -> int:
    """Write one member as a new file; returns its size."""
    if member.refusal or member.content is None:
        raise BadInput(member.refusal or "not a file")
    path = folder.joinpath(*_checked_parts(member.name))
    if path.suffix.lower() in ARCHIVES:
        raise BadInput("an archive inside an archive is not unpacked; send it by itself")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("xb")
    except (FileExistsError, NotADirectoryError):
        raise BadInput("another member has the same name; the first one was taken") from None
    try:
        with file:
            return _copy(member.content, file, limit)
    except (BadInput, *DAMAGED) as error:
        path.unlink()
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"this member is damaged: {error}") from None


def _copy(source: Content, target: IO[bytes], limit: int) -> int:
    size = 0
    while chunk := source.read(CHUNK):
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"unpacks to more than {limit / 2**20:.1f} MiB")
        target.write(chunk)
    return size


def _checked_parts(name: str) -> list[str]:
    """Split a member's name into parts that stay below the folder; raises BadInput."""
    parts = name.replace("\\", "/").split("/")
    while "." in parts:
        parts.remove(".")
    if not all(parts) or ".." in parts or ":" in parts[0]:
        raise BadInput("its name leads out of the archive")
    if not name.isprintable() or any(len(part.encode()) > LONGEST_NAME for part in parts):
        raise BadInput("its name holds characters that are not text, or is too long")
    if len(parts) > DEEPEST:
        raise BadInput(f"it lies more than {DEEPEST} folders deep")
    return parts


@contextmanager
def _opened(
    archive: IO[bytes], limits: UnpackLimits, names_encoding: str | None
) -> Iterator[Iterator[Member]]:
    """Open an archive of either kind; raises BadInput for what is neither or damaged."""
    members = zip_members if zipfile.is_zipfile(archive) else tar_members
    archive.seek(0)
    try:
        with members(archive, limits, names_encoding) as opened:
            yield opened
    except (tarfile.TarError, gzip.BadGzipFile, *DAMAGED) as error:
        raise BadInput(
            f"the archive cannot be read: {error}; send a zip, tar or tar.gz file"
        ) from error


def _printable(name: str) -> str:
    """Return a member's name as it may be shown and stored."""
    return shown_bytes(name)[:LONGEST_NAME]
