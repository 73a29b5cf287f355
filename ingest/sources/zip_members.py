"""The members of a zip archive, whose list is counted before it is taken apart."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

from attribution.errors import TooLarge
from ingest.sources.members import DAMAGED, MOST_FILES, Member, UnpackLimits
from ingest.sources.zip_names import zip_names

ENTRY = b"PK\1\2"  # how each entry of the list begins
ENTRY_BYTES = 256  # of the list, on average: twice what names of 60 letters take
LIST_BYTES = 1 << 20  # of a short list, whose names may all be long
# Others unpack in one piece, whatever is asked for: two kilobytes of bzip2 become gigabytes.
READ_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
METHODS = {  # which are not read
    1: "Shrink",
    6: "Implode",
    9: "Deflate64, as Windows Explorer does with large files",
    12: "bzip2",
    14: "LZMA",
    20: "Zstandard",
    93: "Zstandard",
    95: "xz",
    96: "JPEG recompression",
    97: "WavPack",
    98: "PPMd",
}


@contextmanager
def zip_members(
    archive: IO[bytes], limits: UnpackLimits, names_encoding: str | None
) -> Iterator[Iterator[Member]]:
    """Open a zip; raises TooLarge before the memory for a list that is too long is taken."""
    counted = _Counted(archive, limits)
    with zipfile.ZipFile(cast("IO[bytes]", counted)) as file:
        counted.is_listed = True
        yield _members(file, names_encoding)


class _Counted:
    """A zip whose list is measured as zipfile reads it: no number in it has to be believed."""

    def __init__(self, archive: IO[bytes], limits: UnpackLimits) -> None:
        self._archive = archive
        self.seek, self.tell, self.seekable = archive.seek, archive.tell, archive.seekable
        self.is_listed = False  # whether the list has been read: members come next
        self._limits = limits

    def read(self, size: int = -1, /) -> bytes:
        """Read; raises TooLarge for a list of too many bytes or entries."""
        most = LIST_BYTES + ENTRY_BYTES * self._limits.max_files
        if size > most:
            raise TooLarge(
                f"the archive has a list of members of more than {most / 2**20:.1f} MiB; split it, "
                f"or raise {MOST_FILES}"
            )
        data = self._archive.read(size)
        if not self.is_listed and data.count(ENTRY) > self._limits.max_files:  # in one piece
            raise self._limits.too_many()
        return data


def _members(file: zipfile.ZipFile, names_encoding: str | None) -> Iterator[Member]:
    infos = file.infolist()
    for info, name in zip(infos, zip_names(infos, names_encoding), strict=True):
        kind = stat.S_IFMT(info.external_attr >> 16)
        if name.endswith(("/", "\\")):
            yield Member(name, None, is_folder=True)
        elif info.flag_bits & 1:
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
            yield _opened(file, info, name)


def _opened(file: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> Member:
    try:
        if not 0 <= info.header_offset < file.start_dir:
            raise zipfile.BadZipFile("it lies outside of the archive")
        return Member(name, file.open(info))
    except (*DAMAGED, RuntimeError) as error:
        return Member(name, None, f"this member is damaged: {error}")
