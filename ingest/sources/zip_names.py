"""The names in a zip archive: UTF-8, or whatever a program of old wrote without saying so.

A name is UTF-8 where its flag says so, and where Info-ZIP's Unicode path (extra field 0x7075) gives
it with the right checksum. All other names of an archive are decided together: ASCII, UTF-8 without
the flag, the only encoding that makes words of them; otherwise a person is asked.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from zipfile import ZipInfo

from attribution.catalogue import encodings
from attribution.errors import BadInput

IS_UTF8 = 1 << 11  # of the general purpose flags
UNICODE_PATH = 0x7075
DOS, NTFS, VFAT = 0, 10, 14  # who made it, where a Windows program did
MAC_ALONE = frozenset({"mac_roman"})


class NamesUnclear(BadInput):
    """Names in an archive whose encoding has to be said."""


def zip_names(members: Sequence[ZipInfo], encoding: str | None) -> list[str]:
    """Return the name of every member; `encoding` is of those that say nothing themselves.

    Raises NamesUnclear where the encoding has to be asked for, or is not that of the names.
    """
    raw = [_raw(member) for member in members]
    unsaid = {name for name in raw if isinstance(name, bytes) and not name.isascii()}
    if unsaid:
        encoding = encoding or _encoding_of(sorted(unsaid), members)
    names = []
    for name in raw:
        if isinstance(name, str):
            names.append(name)
            continue
        try:
            names.append(name.decode(encoding or "ascii"))
        except UnicodeDecodeError:
            raise asked_for(name, wrong=encoding) from None
    return names


def asked_for(*names: bytes, wrong: str | None = None) -> NamesUnclear:
    """Return the error that asks for the encoding of some names; `wrong` was said before."""
    said = f"not {wrong}" if wrong else "not UTF-8, and it does not say what they are"
    return NamesUnclear(
        f"names in this archive are {said}; say their encoding with --names-encoding (field "
        f"names_encoding). The likeliest: {encodings.choices(names)}"
    )


def _raw(member: ZipInfo) -> str | bytes:
    """Return the name of a member where it is said what it is, else its bytes."""
    if member.flag_bits & IS_UTF8:
        return member.orig_filename
    name = member.orig_filename.encode("cp437")  # how zipfile has read it
    return _unicode_path(member.extra, name) or name


def _unicode_path(extra: bytes, name: bytes) -> str | None:
    """Return the name in UTF-8 that an extra field gives for exactly this name."""
    while len(extra) >= 4:
        kind, size = struct.unpack("<HH", extra[:4])
        field, extra = extra[4 : 4 + size], extra[4 + size :]
        if kind == UNICODE_PATH and field[:1] == b"\x01" and len(field) > 5:
            (checksum,) = struct.unpack("<I", field[1:5])
            try:
                return field[5:].decode() if checksum == zlib.crc32(name) else None
            except UnicodeDecodeError:
                return None
    return None


def _encoding_of(names: Sequence[bytes], members: Sequence[ZipInfo]) -> str:
    try:
        b"\0".join(names).decode()
    except UnicodeDecodeError:
        parts = {part for name in names for part in name.split(b"/") if not part.isascii()}
        is_windows = all(member.create_system in {DOS, NTFS, VFAT} for member in members)
        without = MAC_ALONE if is_windows else frozenset[str]()
        if reading := encodings.certain(sorted(parts), without=without):
            return reading.encoding
        raise asked_for(*names) from None
    return "utf-8"
