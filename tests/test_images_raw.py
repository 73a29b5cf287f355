"""Which picture of a file is taken: previews, pyramids, camera raw, phones, animations."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image, MpoImagePlugin

from attribution.errors import BadImage
from attribution.images import Limits, read_image
from tests.portfolios import picture
from tests.test_images import encoded, refusal

RED = (255, 0, 0)
SIZES = {1: 1, 3: 2, 4: 4, 13: 4, 16: 8}
SMALL, FULL = picture(1, side=64), picture(2, side=256)


@dataclass
class Ifd:
    """One directory: a picture, its tags beside the usual ones, directories within."""

    image: Image.Image
    tags: Mapping[int, tuple[int, Sequence[int]]]
    within: Sequence[Ifd] = ()


def tiff(*chain: Ifd, order: str = "<", is_big: bool = False) -> bytes:
    """Return a TIFF with these directories, uncompressed."""
    wide = "Q" if is_big else "I"
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}H", 43 if is_big else 42)
    head += struct.pack(f"{order}HH", 8, 0) if is_big else b""
    data = bytearray(head + bytes(struct.calcsize(wide)))

    def add(ifd: Ifd, following: int) -> int:
        within = [add(one, 0) for one in ifd.within]
        pixels = len(data)
        data.extend(ifd.image.tobytes() + bytes(ifd.image.width % 2))
        raw = len(ifd.image.tobytes())
        bands = len(ifd.image.getbands())
        bits = 16 if ifd.image.mode.startswith("I;16") else 8
        tags = {
            256: (4, [ifd.image.width]),
            257: (4, [ifd.image.height]),
            258: (3, [bits] * bands),
            259: (3, [1]),
            262: (3, [2 if bands == 3 else 1]),
            273: (4, [pixels]),
            277: (3, [bands]),
            278: (4, [ifd.image.height]),
            279: (4, [raw]),
        } | dict(ifd.tags)
        if within:
            tags[330] = (16 if is_big else 13, within)
        entries = b""
        for tag, (kind, values) in sorted(tags.items()):
            letter = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}[kind]
            value = struct.pack(f"{order}{len(values)}{letter}", *values)
            if len(value) > struct.calcsize(wide):
                where = len(data)
                data.extend(value)
                value = struct.pack(order + wide, where)
            value = value.ljust(struct.calcsize(wide), b"\0")
            entries += struct.pack(f"{order}HH{wide}", tag, kind, len(values)) + value
        data.extend(bytes(len(data) % 2))
        at = len(data)
        data.extend(struct.pack(order + ("Q" if is_big else "H"), len(tags)) + entries)
        data.extend(struct.pack(order + wide, following))
        return at

    following = 0
    for one in reversed(chain):
        following = add(one, following)
    struct.pack_into(order + wide, data, 8 if is_big else 4, following)
    return bytes(data)


def test_what_the_parser_does_not_know_is_named() -> None:
    """Big-endian BigTIFF exists, and Pillow takes it for something else."""
    assert "TIFF file is damaged, cut off, or of a kind" in str(
        refusal(tiff(Ifd(FULL, {}), order=">", is_big=True))
    )


MARKED = {254: (4, [1])}
CFA = {254: (4, [0]), 262: (3, [32_803])}
MOSAIC = Image.fromarray(np.full((200, 300), 500, np.uint16))


@pytest.mark.parametrize(("order", "is_big"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize(
    "chain",
    [
        [Ifd(SMALL, MARKED), Ifd(FULL, {})],
        [Ifd(SMALL, {255: (3, [2])}), Ifd(FULL, {255: (3, [1])})],
        [Ifd(SMALL, MARKED, [Ifd(FULL, {})])],
        [Ifd(SMALL, {}, [Ifd(FULL, {})])],
        [Ifd(SMALL, MARKED), Ifd(picture(1, side=128), MARKED), Ifd(FULL, {})],
        [Ifd(SMALL, MARKED, [Ifd(picture(1, side=128), MARKED), Ifd(FULL, {254: (4, [0])})])],
        [Ifd(SMALL, {}), Ifd(FULL, {})],  # not marked, and of one shape
    ],
)
def test_the_picture_behind_a_preview_is_taken(
    chain: list[Ifd], order: str, *, is_big: bool
) -> None:
    """Wherever it stands, in both byte orders and in BigTIFF; never the thumbnail."""
    checked = read_image(tiff(*chain, order=order, is_big=is_big))

    assert checked.rgb.tobytes() == FULL.tobytes()
    assert (checked.facts.width, checked.facts.height) == (256, 256)
    assert checked.facts.frames <= 2
    assert checked.facts.notes[0] == "its first picture, a preview of 64 × 64, is passed over"


@pytest.mark.parametrize(
    "chain",
    [
        [Ifd(FULL, {}), Ifd(SMALL, MARKED)],
        [Ifd(FULL, {}, [Ifd(SMALL, MARKED)])],
        [Ifd(FULL, {}, [Ifd(picture(1, side=128), MARKED), Ifd(SMALL, MARKED)])],
        [Ifd(FULL, MARKED)],  # the only one, whatever it says
        [Ifd(FULL, {}), Ifd(picture(3, side=400).convert("L"), {254: (4, [4])})],  # a mask
    ],
)
def test_a_picture_before_its_thumbnail_is_taken(chain: list[Ifd]) -> None:
    """Thumbnails, levels of a pyramid and masks behind it are no frames."""
    checked = read_image(tiff(*chain))

    assert checked.rgb.tobytes() == FULL.tobytes()
    assert (checked.facts.frames, checked.facts.notes) == (1, ())


def test_the_first_page_counts() -> None:
    """A page that is larger than the first one, and of another shape, is only another page."""
    pages = [Ifd(SMALL, {}), Ifd(FULL.crop((0, 0, 256, 180)), {}), Ifd(FULL, {254: (4, [2])})]
    checked = read_image(tiff(*pages[:2]))

    assert checked.rgb.tobytes() == SMALL.tobytes()
    assert checked.facts.notes == ("first of 2 frames",)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    "chain",
    [
        [Ifd(SMALL, MARKED, [Ifd(MOSAIC, CFA)])],  # NEF, ARW, DNG, SRW
        [Ifd(SMALL, {50_706: (1, [1, 4, 0, 0])})],
        [Ifd(MOSAIC, CFA), Ifd(SMALL, MARKED)],  # PEF
        [Ifd(SMALL, {}), Ifd(MOSAIC, CFA)],
        [Ifd(SMALL, {}), Ifd(FULL, {}, [Ifd(MOSAIC, CFA)])],
        [Ifd(SMALL, MARKED, [Ifd(FULL, {262: (3, [34_892])})])],  # linear DNG
        [Ifd(SMALL, MARKED, [Ifd(MOSAIC, {259: (3, [34_713])})])],  # compressed by Nikon
    ],
)
def test_camera_raw_is_refused(chain: list[Ifd], order: str) -> None:
    """It says what to do; the preview in it is not the work."""
    error = refusal(tiff(*chain, order=order))

    assert error.reason == "camera_raw"
    assert "export it as TIFF or JPEG" in str(error)


@pytest.mark.parametrize(
    "start",
    [
        b"II*\0\x10\0\0\0CR\x02\0",  # CR2
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",  # CR3
        b"FUJIFILMCCD-RAW 0201",  # RAF
        b"IIRO\x08\0\0\0",  # ORF
        b"IIU\0\x18\0\0\0",  # RW2
        b"II\x1a\0\0\0HEAPCCDR",  # CRW
        b"FOVb\0\0\0\0",  # X3F
        b"\0MRM\0\0\0\0",  # MRW
    ],
)
def test_raw_of_other_layouts_is_refused(start: bytes) -> None:
    """Told by their first bytes."""
    assert refusal(start + bytes(2_000)).reason == "camera_raw"


def test_a_preview_without_its_picture_is_refused() -> None:
    """Cut off, or in a way that cannot be decoded."""
    compressed = tiff(Ifd(SMALL, MARKED, [Ifd(FULL, {259: (3, [99])})]))
    data = bytearray(tiff(Ifd(SMALL, MARKED, [Ifd(FULL, {})])))
    inner = data.rindex(struct.pack("<HHI", 330, 13, 1))
    struct.pack_into("<I", data, inner + 8, len(data) + 100)

    for one in (compressed, bytes(data)):
        error = refusal(one)
        assert error.reason == "preview_only"
        assert "export it as TIFF or JPEG" in str(error)


def with_gain_map(image: Image.Image, second: Image.Image) -> bytes:
    """Return a JPEG with a second picture behind it, as phones write it."""
    buffer = io.BytesIO()
    image.save(buffer, "MPO", save_all=True, append_images=[second], quality=90)
    return buffer.getvalue()


def test_a_gain_map_makes_no_difference() -> None:
    """Format, frames, notes and pixels are those of the JPEG without it; a large one is reduced."""
    image = picture(1, side=400)
    plain = read_image(encoded(image, "JPEG", quality=90))
    phone = read_image(with_gain_map(image, Image.new("L", (100, 100), 128)))
    limits = Limits(max_pixels=50_000)

    assert phone.rgb.tobytes() == plain.rgb.tobytes()
    assert (phone.facts.format, phone.facts.frames, phone.facts.notes) == ("JPEG", 1, ())
    reduced = read_image(with_gain_map(image, Image.new("L", (100, 100))), limits)
    assert reduced.facts.notes == ("decoded at 1/2 of 400 × 400",)


def test_views_of_a_stereo_camera_are_counted() -> None:
    """They are pictures in their own right, and the first one counts."""
    data = bytearray(with_gain_map(picture(1), picture(2)))
    with Image.open(io.BytesIO(data)) as image:
        assert isinstance(image, MpoImagePlugin.MpoImageFile)
    entries = data.index(b"MPF\0") + 4
    start = data.index(struct.pack("<HHI", 0xB002, 7, 32), entries)
    (where,) = struct.unpack_from("<I", data, start + 8)
    for number in range(2):
        struct.pack_into("<I", data, entries + where + 16 * number, 0x020002)

    assert read_image(bytes(data)).facts.notes == ("first of 2 frames",)


BLANK = Image.new("RGBA", (128, 128), (0, 0, 0, 0))
WHITE = Image.new("RGB", (128, 128), "white")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("blank", [BLANK, WHITE])
def test_blank_frames_are_passed_over(kind: str, blank: Image.Image) -> None:
    """An animation that begins with nothing is shown by the first frame that shows something."""
    shown = picture(1, side=128).convert(blank.mode)
    frames = [blank, blank, shown, picture(2, side=128).convert(blank.mode)]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    if kind == "AVIF":
        options = {"quality": 100}
    for number, frame in enumerate(frames[:2]):  # equal frames would become one
        frames[number] = frame.copy()
        frames[number].putpixel((number, 0), (250, 250, 250, 255)[: len(frame.getbands())])
    data = encoded(
        frames[0], kind, save_all=True, append_images=frames[1:], duration=100, **options
    )
    checked = read_image(data)

    assert not checked.is_blank
    assert checked.facts.notes[0] == "frame 3 of 4: those before it are blank"
    near = np.abs(np.asarray(checked.rgb, int) - np.asarray(picture(1, side=128), int))
    assert near.mean() < 12


def test_an_animation_of_nothing_is_blank() -> None:
    """Its first frame counts, and shows nothing."""
    frames = [Image.new("RGB", (64, 64), (level,) * 3) for level in (255, 250, 245)]
    checked = read_image(encoded(frames[0], "PNG", save_all=True, append_images=frames[1:]))

    assert checked.is_blank
    assert checked.facts.notes == ("first of 3 frames",)


def test_a_damaged_later_frame_leaves_the_first() -> None:
    """What is looked at beyond the first frame never refuses a file."""
    frames = [WHITE, picture(1, side=128), picture(2, side=128)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:])

    checked = read_image(data[:-200] + bytes(200))
    assert checked.facts.notes[0] in {
        "frame 2 of 3: those before it are blank",
        "first of 3 frames",
    }


def misread() -> Iterator[tuple[str, bytes, str]]:
    """Yield TIFFs that Pillow takes for another picture, and what is said of each."""
    grey, whole = (encoded(Image.new(mode, (64, 64), 40_000), "TIFF") for mode in ("I;16", "I"))
    white, black = (struct.pack("<HHIHH", 262, 3, 1, value, 0) for value in (0, 1))
    yield "negative", grey.replace(black, white), "greys of 16 bits whose zero is white"
    signed, unsigned = (struct.pack("<HHIHH", 339, 3, 1, value, 0) for value in (2, 1))
    yield "unsigned", whole.replace(signed, unsigned), "unsigned numbers of 32 bits"
    below = encoded(Image.new("L", (64, 64)), "TIFF", tiffinfo={339: 2})
    yield "signed", below, "signed numbers of 8 bits"
    yield "a raw file of Canon", grey[:8] + b"CR\2\0" + grey[12:], "camera raw"


@pytest.mark.parametrize(("data", "says"), [pytest.param(*one[1:], id=one[0]) for one in misread()])
def test_what_would_be_misread_is_refused(data: bytes, says: str) -> None:
    """By name, with what to do."""
    with pytest.raises(BadImage, match=f"{says}.*export"):
        read_image(data)
