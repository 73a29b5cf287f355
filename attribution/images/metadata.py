"""The metadata of a file as it stands in the bytes, and the file without what its parser fails on.

A picture is not refused for what is written next to it. Whatever cannot be read is left out and
named: it may have said no. Nothing is decompressed beyond a fixed size.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from attribution.images.frames import gif_blocks
from attribution.images.words import against_training

MOST_TEXT = 2**20  # bytes of one compressed text: Pillow's own limit
MOST_TEXTS = 32 * 2**20  # of all texts of a file together: half of Pillow's
MOST_SEARCHED = 64 * 2**20  # decompressed bytes of skipped texts in which words are looked for
PIECE = 2**20
MOST_BLOCKS = 100_000  # of a GIF
UNREAD = "metadata that could not be read"

# The words that sites of artists use, within any text and in UTF-16 (Windows' keywords) as well.
NO_AI = re.compile(
    rb"(?<![a-z0-9])(?:%s)(?![a-z0-9])"
    % b"|".join(rb"\0?".join(re.findall(b".", word)) for word in (b"noai", b"noimageai")),
    re.IGNORECASE,
)
LONGEST_WORD = 32  # bytes of it with what stands around it

PNG_START = b"\x89PNG\r\n\x1a\n"
PNG_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
PNG_SHORTEST = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"pHYs": 9}  # shorter ones stop the parser
PNG_PICTURE = {b"tRNS", b"acTL", b"fcTL", b"fdAT"}  # without these it is another picture
PNG_NAMES = {b"iCCP": "colour profile", b"eXIf": "EXIF"}
PNG_XMP = b"XML:com.adobe.xmp"

JPEG_START = b"\xff\xd8"
JPEG_SCAN = 0xDA
JPEG_METADATA = {*range(0xE1, 0xEE), 0xEF, 0xFE}
JPEG_LATE = re.compile(rb"\xff[\xe1-\xed\xef\xfe](..)", re.DOTALL)
# JFIF and Adobe's segment tell how colours are stored; shorter ones stop the parser.
JPEG_SHORTEST = {0xE0: 16, 0xEE: 14}

GIF_XMP = b"\x0bXMP DataXMP"
GIF_COMMENT = 0xFE
GIF_TEXTS = {0x01, GIF_COMMENT, 0xFF}  # plain text, comments, what applications keep
GIF_XMP_END = b"\x01\xff\xfe\xfd"
AVIF_ITEMS = re.compile(rb"(infe.{8})(?:Exif|mime)", re.DOTALL)


@dataclass
class Metadata:
    """What stands in a file next to its picture."""

    data: bytes  # of the file, without what was skipped
    skipped: list[str] = field(default_factory=list)  # what, by name
    texts: list[bytes] = field(default_factory=list)  # that Pillow does not keep
    xmp: list[bytes] = field(default_factory=list)  # packets that Pillow does not keep
    words: set[str] = field(default_factory=set)  # of NO_AI, found in what was skipped


def metadata_of(data: bytes) -> Metadata:
    """Return what can be told without the parser, and the file as the parser should get it."""
    if data.startswith(PNG_START):
        return _of_png(data)
    if data.startswith(b"GIF8"):
        return _of_gif(data)
    if data.startswith(JPEG_START):
        return Metadata(data, texts=list(_behind_the_scan(data)))
    if data.startswith(b"RIFF"):
        return _of_webp(data)
    return Metadata(data)


def without_metadata(found: Metadata) -> Metadata | None:
    """Return a file without any metadata; None where there is none that can be cut out."""
    data = found.data
    if data.startswith(JPEG_START):
        bare, cut = _jpeg_without(data)
    elif data[4:8] == b"ftyp":  # a name of the same length, so that no offset changes
        bare, cut = AVIF_ITEMS.sub(rb"\1skip", data), [data]
    else:
        return None
    if bare == data:
        return None
    words = {word for part in cut for word in words_in(part)}
    return Metadata(bare, [*found.skipped, "all of it"], found.texts, found.xmp, words)


def words_in(raw: bytes) -> set[str]:
    """Return the words against AI training that stand in some bytes."""
    words = {word.replace(b"\0", b"").decode().lower() for word in NO_AI.findall(raw)}
    if not words and len(raw) <= PIECE:
        texts = (raw.replace(b"\0", b"").decode("utf-8", "ignore"), raw.decode("latin-1"))
        words |= {said for text in texts if (said := against_training(text))}
    return words


def raw_profile(text: str) -> bytes:
    """Return what ImageMagick writes into the texts of a PNG as hexadecimal digits.

    Raises ValueError.
    """
    return bytes.fromhex("".join(text.split("\n")[3:]))


def _of_png(data: bytes) -> Metadata:
    """Go through the chunks; leave out those that Pillow fails on, or drops in silence."""
    found, kept, left, to_search = Metadata(data), [PNG_START], MOST_TEXTS, MOST_SEARCHED
    for kind, whole in _png_chunks(data):
        if kind[0] & 0x20 == 0 or kind in PNG_PICTURE:  # a capital: critical
            kept.append(whole)
            continue
        body = whole[8:-4]
        try:
            _check_png(kind, whole)
            text = _png_text(kind, body, left)
        except ValueError as error:
            left -= MOST_TEXT
            found.skipped.append(f"{_png_name(kind)} ({error})")
            words, searched = _searched(kind, body, to_search)
            found.words |= words
            to_search -= searched
            continue
        kept.append(whole)
        left -= len(text)
        if kind == b"iTXt" and body.startswith(PNG_XMP + b"\0"):
            found.xmp.append(text)
        if kind != b"iCCP":
            found.texts += [text, _png_keywords(kind, body)]
    if found.skipped:
        found.data = b"".join(kept)
    return found


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and bytes of every chunk; of what is behind the last whole one, all in one."""
    at = len(PNG_START)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if not kind.isalpha() or at + 12 + length > len(data):
            break
        yield kind, data[at : at + 12 + length]
        at += 12 + length
        if kind == b"IEND":
            return
    yield b"REST", data[at:]


def _png_name(kind: bytes) -> str:
    return "text" if kind in PNG_TEXTS else PNG_NAMES.get(kind, kind.decode())


def _png_text(kind: bytes, body: bytes, left: int) -> bytes:
    """Return what a chunk says, decompressed; raises ValueError, also where nothing is `left`."""
    if kind in PNG_TEXTS and left < len(body):
        raise ValueError(f"more than {MOST_TEXTS // 2**20} MiB of texts")
    if kind in {b"zTXt", b"iCCP"}:
        _, _, rest = body.partition(b"\0")
        return _unpacked(rest[1:], method=rest[0] if rest else 0)
    if kind != b"iTXt":
        return body
    key, _, rest = body.partition(b"\0")
    _, is_whole, said = rest[2:].partition(b"\0")
    _, is_named, text = said.partition(b"\0")
    if not (key and is_whole and is_named):
        raise ValueError("broken")
    return _unpacked(text, method=rest[1]) if rest[0] else text


def _png_keywords(kind: bytes, body: bytes) -> bytes:
    """Return under which names a chunk keeps its text, where these are no part of the text."""
    if kind not in {b"zTXt", b"iTXt"}:
        return b""
    key, _, rest = body.partition(b"\0")
    _, _, said = rest[2:].partition(b"\0") if kind == b"iTXt" else (b"", b"", b"")
    return key + b" " + said.partition(b"\0")[0]


def _unpacked(packed: bytes, *, method: int) -> bytes:
    if method != 0:
        raise ValueError(f"compressed in an unknown way, {method}")
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(packed, MOST_TEXT)
    except zlib.error:
        raise ValueError("damaged") from None
    if unpacking.unconsumed_tail:
        raise ValueError(f"more than {MOST_TEXT // 2**20} MiB")
    if not unpacking.eof:
        raise ValueError("cut off")
    return text


def _check_png(kind: bytes, whole: bytes) -> None:
    """Raise ValueError for what stops Pillow's parser."""
    if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:]):
        raise ValueError("its checksum is wrong")
    if len(whole) - 12 < PNG_SHORTEST.get(kind, 0):
        raise ValueError("cut off")


def _searched(kind: bytes, body: bytes, most: int) -> tuple[set[str], int]:
    """Look for words in what is skipped, a piece at a time; returns how much was unpacked too."""
    words, unpacked = words_in(body), 0
    start = body.find(b"\x78", body.find(b"\0"))  # what zlib begins with
    if kind not in {b"zTXt", b"iTXt"} or start < 0:
        return words, 0
    unpacking, packed, before = zlib.decompressobj(), body[start:], b""
    while packed and unpacked < most:
        try:
            piece = unpacking.decompress(packed, PIECE)
        except zlib.error:
            break
        words |= words_in(before + piece)
        packed, before = unpacking.unconsumed_tail, piece[-LONGEST_WORD:]
        unpacked += len(piece)
    return words, unpacked


def _of_gif(data: bytes) -> Metadata:
    """Collect comments and XMP, wherever they stand between the pictures."""
    found = Metadata(data)
    for kind, at, end in islice(gif_blocks(data), MOST_BLOCKS):
        if kind == 0xFF and data.startswith(GIF_XMP, at):
            start = at + len(GIF_XMP)
            stop = data.find(GIF_XMP_END, start)
            found.xmp.append(data[start : stop if stop >= 0 else end])
        elif kind in GIF_TEXTS:
            named = kind != GIF_COMMENT  # the first block says by whom or where
            found.texts.append(_joined(data, at + 1 + data[at] if named else at))
    return found


def _of_webp(data: bytes) -> Metadata:
    """Collect EXIF and XMP, also where the header does not announce them."""
    found, at = Metadata(data), 12
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + length]
        if kind == b"XMP ":
            found.xmp.append(body)
        elif kind == b"EXIF":
            found.texts.append(body)
        at += 8 + length + length % 2
    return found


def _behind_the_scan(data: bytes) -> Iterator[bytes]:
    """Yield the metadata of a JPEG that its parser does not reach: behind pixels, between scans.

    Among pixels a marker cannot stand: there 0xFF is followed by 0 or a restart.
    """
    start = data.find(bytes([0xFF, JPEG_SCAN]))
    for marker in JPEG_LATE.finditer(data, start) if start >= 0 else ():
        at, length = marker.end(), int.from_bytes(marker[1])
        yield data[at : at + length - 2]


def _joined(data: bytes, at: int) -> bytes:
    """Return the blocks from here to the empty one, without their lengths."""
    parts = []
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(parts)


def _jpeg_without(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return a JPEG without its segments of metadata, and these."""
    kept, cut, at = [JPEG_START], list[bytes](), 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] != JPEG_SCAN:
        if data[at + 1] == 0xFF:  # padding
            at += 1
            continue
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        is_cut = kind in JPEG_METADATA or length < JPEG_SHORTEST.get(kind, 0)
        (cut if is_cut else kept).append(data[at : at + 2 + length])
        at += 2 + length
    return b"".join([*kept, data[at:]]), cut
