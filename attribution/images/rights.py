"""Rights metadata of an image file: who made it, who owns it, what it must not be used for.

Read from XMP (Dublin Core, XMP Rights, PLUS, IPTC Extension), IPTC and EXIF; the words `noai` and
`noimageai` wherever they stand. What is found is a claim of the file, kept as it stands. What
cannot be read may have said no, so it forbids training.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from PIL import ExifTags, IptcImagePlugin, JpegImagePlugin, TiffImagePlugin

from attribution.images.damage import DAMAGED
from attribution.images.metadata import UNREAD, Metadata, raw_profile, words_in
from attribution.images.tiff import Tiff
from attribution.images.xmp import MOST_BYTES, packets_of, read_packet

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_CHARACTERS = 2_000  # of one value: real notices are short
# http://ns.useplus.org/ldf/vocab/DMI-…: everything but UNSPECIFIED and ALLOWED forbids something
PERMITTING = ("DMI-UNSPECIFIED", "DMI-ALLOWED")
EXIF_START = b"Exif\0\0"
RAW_PROFILE = "Raw profile type "  # of ImageMagick: anything as hexadecimal digits in a PNG's text
NO_WORDS = {34_675, 37_724}  # tags of a TIFF: the colour profile, the layers of Photoshop

XMP = {
    "creator": ("creator",),
    "copyright": ("rights",),
    "licence": ("license", "UsageTerms", "WebStatement"),
    "credit": ("Credit",),
    "data_mining": ("DataMining",),
    "source_type": ("DigitalSourceType",),
}
IPTC = {"creator": (2, 80), "credit": (2, 110), "copyright": (2, 116)}
EXIF = {"creator": ExifTags.Base.Artist, "copyright": ExifTags.Base.Copyright}


@dataclass(frozen=True)
class Rights:
    """What a file says about its rights."""

    creator: str | None = None
    copyright: str | None = None
    licence: str | None = None
    credit: str | None = None
    data_mining: str | None = None
    source_type: str | None = None
    no_ai: str | None = None  # the words that say so
    unread: str | None = None  # metadata that could not be read, by name

    @property
    def forbids(self) -> Mapping[str, str]:
        """The purpose that the file forbids, and what in it says so: PLUS Data Mining, `noai`."""
        mining = self.data_mining
        if mining is not None and _is_no(mining):
            return {"train": f"data mining: {mining}"}
        if self.no_ai:
            return {"train": self.no_ai}
        return {"train": f"{UNREAD}: {self.unread}"} if self.unread else {}


def read_rights(images: Sequence[ImageFile], metadata: Metadata) -> Rights:
    """Collect the rights metadata of a file, from its opened images and from what they do not keep.

    XMP comes first, then IPTC, then EXIF.
    """
    found: dict[str, str] = {}
    unread, words = list(metadata.skipped), set(metadata.words)
    packets = list(metadata.xmp)
    for image in images:
        for name, read in (("EXIF", _exif), ("IPTC", _iptc)):
            try:
                found |= {field: text for field, value in read(image) if (text := tidy(value))}
            except DAMAGED:
                unread.append(name)
        try:
            packets += packets_of(image)
        except DAMAGED:
            unread.append("XMP")
        try:
            words |= {word for raw in _raw(image) for word in words_in(raw)}
        except DAMAGED:
            unread.append("text")
    said, left = list[tuple[str, str]](), MOST_BYTES
    for packet in dict.fromkeys(packets):
        left -= len(packet)
        try:
            said += read_packet(packet) if left >= 0 else []
        except DAMAGED:
            unread.append("XMP")
    if left < 0:
        unread.append(f"XMP (more than {MOST_BYTES // 2**20} MiB)")
    found |= {field: text for field, value in _of_xmp(said) if (text := tidy(value))}
    spelt = (
        value.encode("utf-8", "replace") for _, value in said
    )  # where entities stand in the packet
    words |= {word for raw in (*metadata.texts, *packets, *spelt) for word in words_in(raw)}
    return Rights(
        **found,
        no_ai=", ".join(sorted(words)) or None,
        unread=", ".join(dict.fromkeys(unread)) or None,
    )


def read_sidecar(packet: bytes) -> Rights:
    """Collect the rights metadata of an XMP sidecar, a packet in a file of its own."""
    return read_rights([], Metadata(b"", xmp=[packet]))


def tidy(text: str) -> str:
    """Return text of a file as a database can keep it: one line, no longer than needed."""
    known = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(known.split())[:MAX_CHARACTERS]


def _is_no(mining: str) -> bool:
    return any(not one.endswith(PERMITTING) for one in mining.split(", "))


def _of_xmp(said: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield what properties say of each field; of several values for mining the no comes first."""
    first = dict(reversed(said))
    for field, names in XMP.items():
        for name in reversed(names):
            if name in first:
                yield field, first[name]
    mining = dict.fromkeys(value for name, value in said if name in XMP["data_mining"])
    yield "data_mining", ", ".join(sorted(mining, key=_is_no, reverse=True))


def _iptc(image: ImageFile) -> Iterator[tuple[str, str]]:
    records = IptcImagePlugin.getiptcinfo(image) or {}
    for field, key in IPTC.items():
        value = records.get(key)
        if isinstance(value, list):
            value = b", ".join(value)
        if value:
            yield field, value.decode("utf-8", "replace")


def _exif(image: ImageFile) -> Iterator[tuple[str, str]]:
    raw = image.info.get("exif", b"")
    body = raw.removeprefix(EXIF_START).removeprefix(EXIF_START)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        assert isinstance(image.fp, io.BytesIO)  # noqa: S101  as `opening` opens it
        body = image.fp.getvalue()
    if body:
        Tiff(body).check_values()  # Pillow leaves out in silence what leads out of the file
    tags = image.getexif()
    for field, tag in EXIF.items():
        value = tags.get(tag)
        if isinstance(value, str):
            yield field, value


def _raw(image: ImageFile) -> Iterator[bytes]:
    """Yield all metadata as it stands in the file: keywords, comments, XMP, EXIF."""
    for name, value in image.info.items():
        if name == "icc_profile":
            continue
        if isinstance(value, str):
            yield value.encode("utf-8", "replace")
            if str(name).startswith(RAW_PROFILE):
                yield raw_profile(value)
        elif isinstance(value, bytes):
            yield value
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        yield from (data for _, data in image.applist)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        yield from _in_tags(image)


def _in_tags(image: TiffImagePlugin.TiffImageFile) -> Iterator[bytes]:
    """Yield the tags of a TIFF as they stand in the file, those of EXIF too."""
    for tag, value in image.tag_v2._tagdata.items():  # noqa: SLF001  as it stands in the file
        if tag not in NO_WORDS:  # of any kind: IPTC may stand there as numbers
            yield value
    for value in image.getexif().get_ifd(ExifTags.IFD.Exif).values():
        if isinstance(value, str | bytes):
            yield value.encode("utf-8", "replace") if isinstance(value, str) else value
