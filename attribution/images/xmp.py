"""XMP of a file: its packets, wherever they stand, as names and texts.

A packet is data of a stranger: entities are not expanded, and a large one is not parsed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image, JpegImagePlugin

from attribution.images.metadata import raw_profile

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MOST_BYTES = 4 * 2**20  # of all packets of a file: parsed, they take some twenty times as much
JPEG_PACKET = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
GUID = 32  # bytes that name the packet that a part of an extension belongs to
PART = GUID + 8  # then its length and where in it the part belongs
PADDING = b"\0 \r\n\t"
CONTAINERS = {
    "Seq",
    "Bag",
    "Alt",
    "li",
    "text",
    "resource",
}  # of values, without names of their own


def packets_of(image: ImageFile) -> list[bytes]:
    """Return the packets that an opened image has; raises ValueError, TypeError for broken ones."""
    if isinstance(image, JpegImagePlugin.JpegImageFile):
        segments = [data for name, data in image.applist if name == "APP1"]
        plain = [one.removeprefix(JPEG_PACKET) for one in segments if one.startswith(JPEG_PACKET)]
        return [*plain, *_extended(segments)]
    packet, profile = image.info.get("xmp"), image.info.get("Raw profile type xmp")
    found = [bytes(packet)] if packet else []
    return [*found, raw_profile(profile)] if profile else found


def read_packet(packet: bytes) -> list[tuple[str, str]]:
    """Return what a packet says: local names of properties and texts; raises what a parser does."""
    said = packet.strip(PADDING)
    if not said:
        return []
    holder = Image.new("1", (1, 1))
    holder.info["xmp"] = said
    return list(_leaves(holder.getxmp()))


def _extended(segments: list[bytes]) -> Iterator[bytes]:
    """Put together what did not fit into one segment of a JPEG; raises ValueError for gaps."""
    parts: dict[bytes, dict[int, bytes]] = defaultdict(dict)
    lengths: dict[bytes, int] = {}
    for one in segments:
        if one.startswith(JPEG_EXTENSION):
            part = one.removeprefix(JPEG_EXTENSION)
            guid = part[:GUID]
            lengths[guid] = int.from_bytes(part[GUID : GUID + 4])
            parts[guid][int.from_bytes(part[GUID + 4 : PART])] = part[PART:]
    for guid, found in parts.items():
        whole = b"".join(data for _, data in sorted(found.items()))
        if len(whole) != lengths[guid]:
            raise ValueError("parts of it are missing")
        yield whole


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Flatten parsed XMP to (local name, text), naming list items after their property."""
    if isinstance(node, str):
        yield name, node
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key != "lang":
                yield from _leaves(value, name if key in CONTAINERS else key)
    elif isinstance(node, list):
        texts = [text for item in node for _, text in _leaves(item, name)]
        yield name, ", ".join(texts)
