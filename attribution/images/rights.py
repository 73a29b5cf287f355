"""Rights metadata of an image file: who made it, who owns it, what it must not be used for.

Read from XMP (Dublin Core, XMP Rights, PLUS, IPTC Extension), IPTC and EXIF; the words `noai` and
`noimageai` wherever they stand. What is found is a claim of the file, kept as it stands; what
cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, IptcImagePlugin

from attribution.images.damage import DAMAGED

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

MAX_CHARACTERS = 2_000  # of one value: real notices are short
# http://ns.useplus.org/ldf/vocab/DMI-…: everything but UNSPECIFIED and ALLOWED forbids something
PERMITTING = ("DMI-UNSPECIFIED", "DMI-ALLOWED")
# The words that sites of artists use, within any text and in UTF-16 (Windows' keywords) as well.
NO_AI = re.compile(
    rb"(?<![a-z0-9])(?:%s)(?![a-z0-9])"
    % b"|".join(rb"\0?".join(re.findall(b".", word)) for word in (b"noai", b"noimageai")),
    re.IGNORECASE,
)

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

    @property
    def forbids(self) -> Mapping[str, str]:
        """The purpose that the file forbids, and what in it says so: PLUS Data Mining, `noai`."""
        mining = self.data_mining
        if mining is not None and not mining.endswith(PERMITTING):
            return {"train": f"data mining: {mining}"}
        return {"train": self.no_ai} if self.no_ai else {}


def read_rights(image: ImageFile) -> Rights:
    """Collect the rights metadata of an opened image; XMP first, then IPTC, then EXIF."""
    found: dict[str, str] = {}
    for name, value in (*_exif(image), *_iptc(image), *_xmp(image), *_no_ai(image)):
        if text := tidy(value):
            found[name] = text
    return Rights(**found)


def tidy(text: str) -> str:
    """Return text of a file as a database can keep it: one line, no longer than needed."""
    known = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(known.split())[:MAX_CHARACTERS]


def _xmp(image: Image) -> Iterator[tuple[str, str]]:
    try:
        flat = dict(_leaves(image.getxmp()))
    except DAMAGED:
        return  # entity bombs, broken XML and endless nesting say nothing about rights
    for field, names in XMP.items():
        for name in reversed(names):
            if name in flat:
                yield field, flat[name]


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Flatten parsed XMP to (local name, text), naming list items after their property."""
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            inner = key if key not in {"Seq", "Bag", "Alt", "li", "text", "resource"} else name
            if key != "lang":
                yield from _leaves(value, inner)
    elif isinstance(node, list):
        texts = [text for item in node for _, text in _leaves(item, name)]
        yield name, ", ".join(texts)


def _iptc(image: ImageFile) -> Iterator[tuple[str, str]]:
    try:
        records = IptcImagePlugin.getiptcinfo(image) or {}
    except DAMAGED:
        return
    for field, key in IPTC.items():
        value = records.get(key)
        if isinstance(value, list):
            value = b", ".join(value)
        if value:
            yield field, value.decode("utf-8", "replace")


def _exif(image: Image) -> Iterator[tuple[str, str]]:
    try:
        tags = image.getexif()
        for field, tag in EXIF.items():
            value = tags.get(tag)
            if isinstance(value, str):
                yield field, value
    except DAMAGED:
        return


def _no_ai(image: Image) -> Iterator[tuple[str, str]]:
    """Search all metadata as it stands in the file: it says so in keywords, comments, XMP, EXIF."""
    words: set[str] = set()
    for name, value in image.info.items():
        parts = value.values() if isinstance(value, dict) else (value,)  # IPTC of a JPEG
        for part in parts:
            raw = part.encode("utf-8", "replace") if isinstance(part, str) else part
            if isinstance(raw, bytes) and name != "icc_profile":
                words |= {word.replace(b"\0", b"").decode().lower() for word in NO_AI.findall(raw)}
    if words:
        yield "no_ai", ", ".join(sorted(words))
