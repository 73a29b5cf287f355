"""The members of a tar archive, read in one pass in which nothing is kept of what came before.

The module tarfile believes what it reads: it copies global headers into every entry, calls itself
for a chain of headers, and may search one for hours. Of it only a block of 512 bytes is understood
here. Sparse files are not read, and global headers, which programs use for comments, say nothing.
"""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from tarfile import BLOCKSIZE, TarInfo
from typing import IO

from attribution.errors import TooLarge
from ingest.sources.members import Content, Member, UnpackLimits
from ingest.sources.zip_names import asked_for

CHUNK = 64 * 1024
HEADER_BYTES = 1 << 20  # of all that is said about one entry: names, extended attributes
MOST_HEADERS = 8  # in front of one entry: two long names, a pax header, perhaps a global one
ROOM_PER_ENTRY = 2048  # bytes of headers beside the members
PAX = {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}
HEADERS = {*PAX, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}
SPARSE = "it is packed as a sparse file, which is not read; pack it without --sparse"
Said = dict[bytes, bytes]  # by keyword of pax


@contextmanager
def tar_members(
    archive: IO[bytes], limits: UnpackLimits, names_encoding: str | None
) -> Iterator[Iterator[Member]]:
    """Open a tar, gzipped or not; its names are UTF-8 or in the encoding that was said."""
    packed = archive.read(2) == b"\x1f\x8b"
    archive.seek(0)
    raw: Content = gzip.GzipFile(fileobj=archive) if packed else archive
    yield _members(_Tar(raw, limits), names_encoding)


def is_tar(head: bytes) -> bool:
    """Tell whether a file that begins with these bytes is a tar."""
    try:
        TarInfo.frombuf(head, "utf-8", "surrogateescape")  # tars of old have no magic
    except tarfile.HeaderError:
        return False
    return True


class _Tar:
    """A tar that is read forwards, to its end or until it has cost too much."""

    def __init__(self, raw: Content, limits: UnpackLimits) -> None:
        self._raw, self._limits = raw, limits
        # Once more the largest member, so that one which is too large can be skipped.
        self._room = (
            limits.max_total_bytes + limits.max_member_bytes + limits.max_files * ROOM_PER_ENTRY
        )

    def read(self, size: int) -> bytes:
        """Return so many bytes; raises EOFError where the archive ends before, TooLarge."""
        self._room -= size
        if self._room < 0:
            raise self._limits.too_large()
        data = b""
        while missing := size - len(data):
            piece = self._raw.read(missing)
            if not piece:
                raise EOFError("it ends in the middle of a member")
            data += piece
        return data

    def block(self) -> bytes:
        """Return the next block; nothing where the archive ends, with or without its mark."""
        head = self._raw.read(BLOCKSIZE)
        if not head.strip(b"\0"):
            return b""
        self._room -= len(head)
        return head

    def skip(self, size: int) -> None:
        """Pass so many bytes over."""
        while size > 0:
            size -= len(self.read(min(size, CHUNK)))


class _File:
    """The bytes of one member."""

    def __init__(self, tar: _Tar, size: int) -> None:
        self._tar, self.left = tar, size

    def read(self, size: int, /) -> bytes:
        data = self._tar.read(min(size, self.left))
        self.left -= len(data)
        return data


def _members(tar: _Tar, names_encoding: str | None) -> Iterator[Member]:
    encoding, errors = names_encoding or "utf-8", "strict" if names_encoding else "surrogateescape"
    while entry := _entry(tar, encoding, errors):
        info, said = entry
        content = _File(tar, _size_behind(info, said))
        padding = -content.left % BLOCKSIZE
        yield _member(info, said, content)
        tar.skip(content.left + padding)


def _member(info: TarInfo, said: Said, content: Content) -> Member:
    name = info.name.encode("utf-8", "surrogateescape")
    if not _is_utf8(name):
        return Member(info.name, None, f"its name is not text: {asked_for(name)}")
    if info.isdir():
        return Member(info.name, None, is_folder=True)
    if info.type == tarfile.GNUTYPE_SPARSE or any(one.startswith(b"GNU.sparse") for one in said):
        return Member(info.name, None, SPARSE)
    if not info.isreg():
        return Member(info.name, None, "links and devices are not unpacked")
    return Member(info.name, content)


def _entry(tar: _Tar, encoding: str, errors: str) -> tuple[TarInfo, Said] | None:
    """Return the next entry with what the headers in front of it say; None at the end."""
    said, name, left = Said(), None, HEADER_BYTES
    for number in range(MOST_HEADERS + 1):
        head = tar.block()
        if not head and not number:
            return None
        info = TarInfo.frombuf(head, encoding, errors)
        if info.type not in HEADERS:
            is_continued = info.type == tarfile.GNUTYPE_SPARSE and head[482]
            while is_continued:  # in blocks of its own
                is_continued = tar.read(BLOCKSIZE)[504]
            info.name = info.name if name is None else name.rstrip("/")
            return info, said
        data = tar.read(_checked(info.size, left))
        tar.skip(-info.size % BLOCKSIZE)
        left -= info.size
        if info.type in PAX:
            said |= _pax(data)
            path = said.get(b"path")
            name = name if path is None else _text(path, encoding, errors)
        elif info.type == tarfile.GNUTYPE_LONGNAME:
            name = data.partition(b"\0")[0].decode(encoding, errors)
    raise TooLarge(
        f"the archive has more than {MOST_HEADERS} headers in front of one member; pack it again"
    )


def _checked(size: int, left: int) -> int:
    """Return the size of a header; raises TooLarge."""
    if size > left:
        raise TooLarge("the archive has a header of more than 1 MiB; pack it again")
    if size < 0:
        raise tarfile.ReadError(f"a header says that its size is {size}")
    return size


def _pax(data: bytes) -> Said:
    """Return the records of a pax header, each `LENGTH KEYWORD=VALUE` and a line's end."""
    said: Said = {}
    start = 0
    while start < len(data):
        number = data[start : start + 8].partition(b" ")[0]
        end = start + int(number) if number.isdigit() else start
        keyword, is_said, value = data[start + len(number) + 1 : end].partition(b"=")
        if not (is_said and value.endswith(b"\n")):
            raise tarfile.ReadError("a pax header is damaged")
        said[keyword] = value[:-1]
        start = end
    return said


def _size_behind(info: TarInfo, said: Said) -> int:
    """Return how many bytes lie between the head of an entry and the next one."""
    if not info.isreg() and info.type in tarfile.SUPPORTED_TYPES:
        return 0
    size = said.get(b"size", b"%d" % info.size)
    if not (size.isdigit() and len(size) < 20):
        raise tarfile.ReadError(f"a member says that its size is {size[:20]!r}")
    return int(size)


def _text(raw: bytes, encoding: str, errors: str) -> str:
    """Return a name, which pax writes in UTF-8 and old programs in their own encoding."""
    return raw.decode() if _is_utf8(raw) else raw.decode(encoding, errors)


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True
