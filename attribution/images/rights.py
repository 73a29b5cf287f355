"""Rights metadata of an image file: who made it, who owns it, what it must not be used for.

Read from XMP (Dublin Core, XMP Rights, PLUS, IPTC Extension), IPTC and EXIF. What is found is a
claim of the file, kept as it stands; what cannot be read is left out.
"""

from __future__ import annotations

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

    @property
    def opts_out(self) -> bool:
        """Whether the file forbids data mining (PLUS Data Mining property)."""
        value = self.data_mining
        return value is not None and not value.endswith(PERMITTING)


def read_rights(image: ImageFile) -> Rights:
    """Collect the rights metadata of an opened image; XMP first, then IPTC, then EXIF."""
    found: dict[str, str] = {}
    for name, value in (*_exif(image), *_iptc(image), *_xmp(image)):
        text = " ".join(value.replace("\0", " ").split())[:MAX_CHARACTERS]
        if text:
            found[name] = text
    return Rights(**found)


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
