"""Unpacking of zip, tar and tar.gz archives from people nobody knows. No HTTP, no catalogue.

What other archives are is said by name. The encoding of names is decided for an archive as a whole.

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

from attribution.catalogue.encodings import shown_bytes
from attribution.errors import BadInput, TooLarge
from ingest.sources.zip_names import asked_for, zip_names

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst"}
SPREADSHEETS = {".xlsx", ".xlsm", ".ods"}
CHUNK = 64 * 1024
HEADER_BYTES = 1 << 20  # a tar header (long names, pax) that needs more is no honest one
LONGEST_NAME = 255  # bytes of one part: what file systems take
DEEPEST = 16  # folders within folders
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    UnicodeDecodeError,
)
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
METHODS = {  # of zip, which are not read
    1: "Shrink",
    6: "Implode",
    9: "Deflate64, as Windows Explorer does with large files",
    20: "Zstandard",
    93: "Zstandard",
    95: "xz",
    96: "JPEG recompression",
    97: "WavPack",
    98: "PPMd",
}
READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


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
    return head[:4] in (b"PK\x03\x04", b"PK\x05\x06") or head[:2] == b"\x1f\x8b" or _is_tar(head)


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

    Raises TooLarge when a limit on the whole archive is passed, BadInput when it is damaged, or
    when the encoding of its names is not certain and `names_encoding` does not say it.
    """
    left_out: list[LeftOut] = []
    budget = limits.max_total_bytes
    with _opened(archive, limits, names_encoding) as members:
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
        raise BadInput("its name holds characters that are not text, or is too long")
    if len(parts) > DEEPEST:
        raise BadInput(f"it lies more than {DEEPEST} folders deep")
    return parts


@contextmanager
def _opened(
    archive: Path, limits: UnpackLimits, names_encoding: str | None
) -> Iterator[Iterator[Member]]:
    """Open an archive of either kind; raises BadInput for what is neither or damaged."""
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as file:
                yield _zip_members(file, names_encoding)
        else:
            # Room for headers beside the members: 2 KiB each, and once the largest member, so that
            # one which is too large can be skipped.
            room = limits.max_total_bytes + limits.max_member_bytes + limits.max_files * 2048
            with _tar_stream(archive) as raw:
                yield _tar_members(_Bounded(raw, room, limits), names_encoding)
    except (tarfile.TarError, gzip.BadGzipFile, RecursionError, *DAMAGED) as error:
        raise BadInput(
            f"the archive cannot be read: {error}; send a zip, tar or tar.gz file"
        ) from error


def _zip_members(file: zipfile.ZipFile, names_encoding: str | None) -> Iterator[Member]:
    infos = file.infolist()
    for info, name in zip(infos, zip_names(infos, names_encoding), strict=True):
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.endswith(("/", "\\")):
            continue
        if info.flag_bits & 1:
            yield Member(name, None, "it is encrypted; pack it without a password")
        elif kind not in (0, stat.S_IFREG):
            yield Member(name, None, "links and devices are not unpacked")
        elif info.compress_type not in READ_METHODS:
            method = METHODS.get(info.compress_type, f"method {info.compress_type}")
            yield Member(
                name,
                None,
                f"it is packed with {method}, which is not read; pack it again with 7-Zip (format "
                f"zip, method Deflate) or as tar.gz",
            )
        else:
            yield _opened_member(file, info, name)


def _opened_member(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Member:
    try:
        return Member(name, file.open(info))
    except (*DAMAGED, RuntimeError) as error:
        return Member(name, None, f"this member is damaged: {error}")


def _tar_members(stream: _Bounded, names_encoding: str | None) -> Iterator[Member]:
    """Yield the members of a tar, whose names are UTF-8 or in the encoding that was said."""
    raw: IO[bytes] = stream  # type: ignore[assignment]  # RawIOBase is one in all but its stub
    encoding, errors = names_encoding or "utf-8", "strict" if names_encoding else "surrogateescape"
    with tarfile.open(fileobj=raw, mode="r:", encoding=encoding, errors=errors) as file:
        while info := _next(file, stream):
            name = info.name.encode("utf-8", "surrogateescape")
            if not _is_utf8(name):
                yield Member(info.name, None, f"its name is not text: {asked_for(name)}")
            elif info.isfile():
                yield Member(info.name, file.extractfile(info))
            elif not info.isdir():
                yield Member(info.name, None, "links and devices are not unpacked")


def _next(file: tarfile.TarFile, stream: _Bounded) -> tarfile.TarInfo | None:
    """Return the next entry. What tarfile keeps of the earlier ones would grow without end."""
    stream.begin_header()
    info = file.next()
    stream.end_header()
    file.members.clear()  # type: ignore[attr-defined]  # the stubs leave it out
    file.pax_headers = {}
    return info


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
        self._of_header: int | None = 0  # bytes read; None between headers

    def begin_header(self) -> None:
        self._of_header = self._of_header or 0  # the first one is read on opening

    def end_header(self) -> None:
        self._of_header = None

    def read(self, size: int = -1, /) -> bytes:
        if self._of_header is not None:
            self._of_header += max(size, 0)
        if not 0 <= size <= HEADER_BYTES or (self._of_header or 0) > HEADER_BYTES:
            raise TooLarge("the archive has a header of more than 1 MiB; pack it again")
        return self._raw.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        if whence == io.SEEK_SET and offset > self._room:
            raise _bomb(self._limits)
        return self._raw.seek(offset, whence)

    def tell(self) -> int:
        return self._raw.tell()


def _is_tar(head: bytes) -> bool:
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")  # tars of old have no magic
    except tarfile.HeaderError:
        return False
    return True


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _bomb(limits: UnpackLimits) -> TooLarge:
    return TooLarge(
        f"the archive unpacks to more than {limits.max_total_bytes / 2**20:.0f} MiB; split it, "
        f"or raise LAWFUL_MAX_ARCHIVE_MB"
    )


def _printable(name: str) -> str:
    """Return a member's name as it may be shown and stored."""
    return shown_bytes(name)[:LONGEST_NAME]
