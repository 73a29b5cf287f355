"""Unpacking of zip, tar and tar.gz archives from people nobody knows. No HTTP, no catalogue.

Sizes are counted while bytes arrive, never believed from a header. A limit that is passed, or an
archive that is damaged as a whole, is an error; a single member that cannot be used is left out
and recorded with its reason. Nothing is ever written outside the target folder: only plain files
are made, each new, under names that were checked part by part.
"""

from __future__ import annotations

import gzip
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from attribution.errors import BadInput, TooLarge

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}
CHUNK = 64 * 1024
HEADER_BYTES = 1 << 20  # a tar header (long names, pax) that needs more is no honest one
LONGEST_NAME = 255  # bytes of one part: what file systems take
DEEPEST = 16  # folders within folders
DAMAGED = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


@dataclass(frozen=True)
class UnpackLimits:
    """What one archive may cost."""

    max_files: int
    max_member_bytes: int
    max_total_bytes: int  # unpacked, of all members


@dataclass(frozen=True)
class LeftOut:
    """A member that was not unpacked, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Member:
    """One entry of an archive; `refusal` says why it is not to be read."""

    name: str
    content: IO[bytes] | None
    refusal: str | None = None


def is_archive(file: IO[bytes]) -> bool:
    """Tell by content whether a file, at its beginning, is a zip or tar archive, gzipped or not."""
    head = file.read(512)
    file.seek(0)
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or head[:2] == b"\x1f\x8b" or _is_tar(head)


def unpack(archive: Path, folder: Path, limits: UnpackLimits) -> list[LeftOut]:
    """Unpack the usable members under `folder`, keeping their folders; return the others.

    Raises TooLarge when a limit on the whole archive is passed, BadInput when it is damaged.
    """
    left_out: list[LeftOut] = []
    budget = limits.max_total_bytes
    with _opened(archive, limits) as members:
        for number, member in enumerate(members, 1):
            if number > limits.max_files:
                raise TooLarge(
                    f"the archive has more than {limits.max_files} files; split it, "
                    f"or raise LAWFUL_MAX_ARCHIVE_FILES"
                )
            try:
                budget -= _write(member, folder, min(limits.max_member_bytes, budget))
            except BadInput as refusal:
                if isinstance(refusal, TooLarge) and budget <= limits.max_member_bytes:
                    raise _bomb(limits) from None
                left_out.append(LeftOut(_printable(member.name), str(refusal)))
                # What was read of a member before its refusal has cost as much as one that is kept.
                budget -= limits.max_member_bytes if isinstance(refusal, TooLarge) else 0
    return left_out


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


def _copy(source: IO[bytes], target: IO[bytes], limit: int) -> int:
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
        raise BadInput("its name holds characters that are no text, or is too long")
    if len(parts) > DEEPEST:
        raise BadInput(f"it lies more than {DEEPEST} folders deep")
    return parts


@contextmanager
def _opened(archive: Path, limits: UnpackLimits) -> Iterator[Iterator[Member]]:
    """Open an archive of either kind; raises BadInput for what is neither or damaged."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield _zip_members(file)
        else:
            # Room for headers beside the members: 2 KiB each, and once the largest member, so that
            # one which is too large can be skipped.
            room = limits.max_total_bytes + limits.max_member_bytes + limits.max_files * 2048
            with _tar_stream(archive) as raw:
                bounded: IO[bytes] = _Bounded(raw, room, limits)  # type: ignore[assignment]  # RawIO
                with tarfile.open(fileobj=bounded, mode="r:") as tar:
                    yield _tar_members(tar)
    except (tarfile.TarError, gzip.BadGzipFile, *DAMAGED) as error:
        raise BadInput(
            f"the archive cannot be read: {error}; send a zip, tar or tar.gz file"
        ) from error


def _zip_members(file: zipfile.ZipFile) -> Iterator[Member]:
    for info in file.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if info.flag_bits & 1:
            yield Member(info.filename, None, "it is encrypted; pack it without a password")
        elif kind not in (0, stat.S_IFREG):
            yield Member(info.filename, None, "links and devices are not unpacked")
        else:
            yield _opened_member(file, info)


def _opened_member(file: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    try:
        return Member(info.filename, file.open(info))
    except (*DAMAGED, RuntimeError) as error:
        return Member(info.filename, None, f"this member is damaged: {error}")


def _tar_members(file: tarfile.TarFile) -> Iterator[Member]:
    for info in file:
        if info.isfile():
            yield Member(info.name, file.extractfile(info))
        elif not info.isdir():
            yield Member(info.name, None, "links and devices are not unpacked")


@contextmanager
def _tar_stream(archive: Path) -> Iterator[IO[bytes]]:
    with archive.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=file) as unpacked:
                yield unpacked  # type: ignore[misc]  # GzipFile is IO[bytes] in all but its stub
        else:
            yield file


class _Bounded(io.RawIOBase):
    """A stream that ends in TooLarge: tarfile reads a header in one piece, however large."""

    def __init__(self, raw: IO[bytes], room: int, limits: UnpackLimits) -> None:
        super().__init__()
        self._raw, self._room, self._limits = raw, room, limits

    def read(self, size: int = -1, /) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise TooLarge("the archive has a header of more than 1 MiB; pack it anew")
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET and offset > self._room:
            raise _bomb(self._limits)
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()


def _is_tar(head: bytes) -> bool:
    return head[257:262] == b"ustar"


def _bomb(limits: UnpackLimits) -> TooLarge:
    return TooLarge(
        f"the archive unpacks to more than {limits.max_total_bytes / 2**20:.0f} MiB; split it, "
        f"or raise LAWFUL_MAX_ARCHIVE_MB"
    )


def _printable(name: str) -> str:
    """Return a member's name as it may be shown and stored."""
    return name.encode(errors="replace").decode()[:LONGEST_NAME]
