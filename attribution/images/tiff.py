"""The directories of a TIFF: which pictures a file holds, and which of them is the picture.

Camera raw files and pyramids begin with a small preview. Pillow reads the chain of directories
alone, in quadratic time; here chain and sub-directories are followed by their offsets. Camera raw
is refused: only a raw developer makes a picture of it.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from attribution.errors import BadImage

MOST_DIRECTORIES = 100  # looked at to find the picture: real files have a few
MOST_ENTRIES = 4_096  # of one directory: real ones have less than 200
MOST_VALUES = 32  # sub-directories of one directory
THUMBNAIL_PX = 512  # no longer: a first picture that is soon taken for a preview
SAME_ASPECT = 0.02  # part by which the sides of a preview and its picture may differ in proportion
EXPORT = "export it as TIFF or JPEG from a raw developer or an image editor"

SUBFILE, OLD_SUBFILE, WIDTH, HEIGHT, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 259, 262
SUB_DIRECTORIES, DNG_VERSION = 330, 50_706
EXIF, MAKER_NOTE = 34_665, 37_500
WANTED = (
    SUBFILE,
    OLD_SUBFILE,
    WIDTH,
    HEIGHT,
    COMPRESSION,
    PHOTOMETRIC,
    SUB_DIRECTORIES,
    DNG_VERSION,
)
REDUCED, MASK = 1, 4  # bits of SUBFILE
OLD_REDUCED = 2  # of OLD_SUBFILE
FROM_SENSOR = {32_803, 34_892}  # PHOTOMETRIC: a colour filter array, linear raw
OF_CAMERAS = {32_767, 32_770, 34_713, 65_000, 65_535}  # COMPRESSION: Sony, Samsung, Nikon, Kodak, …
VALUES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 18: "Q"}  # kind of entry -> one value
# kind of entry -> bytes of one value
WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}


@dataclass(frozen=True)
class Directory:
    """One picture of a file, by those of its tags that say what it is."""

    at: int
    tags: dict[int, Sequence[int]]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height; 0 where a tag is missing."""
        return self._first(WIDTH), self._first(HEIGHT)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.size[0] * self.size[1]

    @property
    def is_reduced(self) -> bool:
        """Whether it says that it is a smaller version of another picture of the file."""
        return bool(self._first(SUBFILE) & REDUCED) or self._first(OLD_SUBFILE) == OLD_REDUCED

    @property
    def is_mask(self) -> bool:
        """Whether it only says where another picture is transparent."""
        return bool(self._first(SUBFILE) & MASK)

    @property
    def is_raw(self) -> bool:
        """Whether it is, or accompanies, what a camera's sensor has seen."""
        return (
            DNG_VERSION in self.tags
            or self._first(PHOTOMETRIC) in FROM_SENSOR
            or self._first(COMPRESSION) in OF_CAMERAS
        )

    def looks_like_preview_of(self, other: Directory) -> bool:
        """Whether another picture has its shape, perhaps turned, and is much larger.

        At least twice its sides where it is small, else thrice.
        """
        (width, height), (theirs, their_height) = self.size, other.size
        times = 4 if max(width, height) <= THUMBNAIL_PX else 9
        upright = width * their_height / (height * theirs or 1)
        turned = width * theirs / (height * their_height or 1)
        return (
            0 < times * self.pixels <= other.pixels
            and min(abs(upright - 1), abs(turned - 1)) <= SAME_ASPECT
        )

    def _first(self, tag: int) -> int:
        return next(iter(self.tags.get(tag, ())), 0)


class Tiff:
    """The bytes of a TIFF or BigTIFF, with what its header says of byte order and offsets."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._order = "<" if data.startswith(b"II") else ">"
        self._is_big = data[2:4] in {b"\x2b\0", b"\0\x2b"}
        wide = "u8" if self._is_big else "u4"
        self._entry = np.dtype(
            [
                ("tag", f"{self._order}u2"),
                ("kind", f"{self._order}u2"),
                ("count", self._order + wide),
                ("value", "V8" if self._is_big else "V4"),
            ]
        )
        self._count, self._offset, self._first = ("Q", "Q", 8) if self._is_big else ("H", "I", 4)

    def chain(self) -> Iterator[Directory]:
        """Yield the directories; a chain that leads out of the file or back ends."""
        seen: set[int] = set()
        try:
            at = self._unpack(self._offset, self._first)
            while at and at not in seen:
                seen.add(at)
                entries = self._unpack(self._count, at)
                following = at + struct.calcsize(self._count) + entries * self._entry.itemsize
                behind = self._unpack(self._offset, following)
                yield self._directory(at)
                at = behind
        except (struct.error, OverflowError):
            return

    def within(self, directories: Collection[Directory]) -> list[Directory]:
        """Return the sub-directories of directories, in their order."""
        offsets = dict.fromkeys(
            at for one in directories for at in one.tags.get(SUB_DIRECTORIES, ())
        )
        found = []
        for at in islice(offsets, MOST_DIRECTORIES):
            try:
                found.append(self._directory(at))
            except (struct.error, OverflowError):
                continue
        return found

    def beginning_with(self, directory: Directory) -> bytes:
        """Return the file as if this directory were its first one."""
        at = struct.pack(self._order + self._offset, directory.at)
        return self._data[: self._first] + at + self._data[self._first + len(at) :]

    def check_values(self) -> None:
        """Raise ValueError where the first directory, or the EXIF it names, is not all there."""
        if not is_tiff(self._data):
            raise ValueError("no header")
        try:
            at = self._unpack(self._offset, self._first)
            for where in (at, *self._check_directory(at)):
                self._check_directory(where)
        except struct.error as error:
            raise ValueError("it is cut off") from error

    def _check_directory(self, at: int) -> Sequence[int]:
        """Raise ValueError where a value lies outside; returns where the EXIF is."""
        start, count = at + struct.calcsize(self._count), self._unpack(self._count, at)
        if count > MOST_ENTRIES:
            raise ValueError(f"{count} entries")
        if start + count * self._entry.itemsize > len(self._data):
            raise ValueError("a directory is cut off")
        if not count:
            return ()
        entries = np.frombuffer(self._data, self._entry, count, start)
        exif = []
        for tag, kind, many, value in entries[entries["tag"] != MAKER_NOTE].tolist():
            size = many * WIDTHS.get(kind, 0)
            inline = struct.calcsize(self._offset)
            (where,) = struct.unpack(self._order + self._offset, value)
            if size > inline and where + size > len(self._data):
                raise ValueError(f"the value of tag {tag} is cut off")
            if tag == EXIF:
                exif.append(where)
        return exif

    def _directory(self, at: int) -> Directory:
        start = at + struct.calcsize(self._count)
        count = min(self._unpack(self._count, at), MOST_ENTRIES)
        count = min(count, max(0, len(self._data) - start) // self._entry.itemsize)
        if not count:
            return Directory(at, {})
        entries = np.frombuffer(self._data, self._entry, count, start)
        inline = self._entry["value"].itemsize
        tags: dict[int, Sequence[int]] = {}
        for number in np.flatnonzero(np.isin(entries["tag"], WANTED)).tolist():
            tag, kind, many, _ = entries[number].item()
            where = start + (number + 1) * self._entry.itemsize - inline
            tags.setdefault(tag, self._values(kind, many, where))
        return Directory(at, tags)

    def _values(self, kind: int, count: int, where: int) -> Sequence[int]:
        """Return the numbers of an entry whose value, or the offset of it, stands `where`."""
        if kind not in VALUES:
            return ()
        width = struct.calcsize(VALUES[kind])
        if count * width > struct.calcsize(self._offset):
            where = self._unpack(self._offset, where)
        shown = min(count, MOST_VALUES, max(0, len(self._data) - where) // width)
        return struct.unpack_from(f"{self._order}{shown}{VALUES[kind]}", self._data, where)

    def _unpack(self, what: str, at: int) -> int:
        value: int = struct.unpack_from(self._order + what, self._data, at)[0]
        return value


def is_tiff(data: bytes) -> bool:
    """Whether bytes begin as those of a TIFF do."""
    return data[:4] in {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


def picture_of(tiff: Tiff) -> Directory | None:
    """Return the directory of the picture where the first one is only a preview of it, else None.

    Raises BadImage for camera raw, and for a preview without its picture.
    """
    chain = list(islice(tiff.chain(), MOST_DIRECTORIES))
    if not chain:
        return None
    first, own, others = chain[0], tiff.within(chain[:1]), tiff.within(chain[1:])
    if any(one.is_raw for one in (*chain, *own, *others)):
        raise raw()
    further = [one for one in (*chain[1:], *own, *others) if not one.is_mask]
    larger = [one for one in further if one.pixels > first.pixels]
    if first.is_reduced or first.is_mask:
        if not larger and SUB_DIRECTORIES in first.tags:
            raise BadImage("preview_only", f"only a preview in it can be read; {EXPORT}")
        whole = [one for one in larger if not one.is_reduced]
        return whole[0] if whole else max(larger, key=lambda one: one.pixels, default=None)
    is_preview = [
        one for one in larger if one in own or (one in chain and first.looks_like_preview_of(one))
    ]
    return max(is_preview, key=lambda one: one.pixels, default=None)


def raw(of: str = "a camera raw file") -> BadImage:
    """Return the refusal of what a camera's sensor has seen."""
    return BadImage("camera_raw", f"{of} has to be developed before it is a picture; {EXPORT}")
