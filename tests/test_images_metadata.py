"""Metadata that cannot be read costs no picture and is no yes; reasons; colours and bits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from attribution.errors import BadImage
from attribution.images import read_forbids, read_image
from tests.portfolios import picture
from tests.test_images import XMP, encoded, iptc, refusal

PNG, JPEG = encoded(picture(1)), encoded(picture(1), "JPEG")
LARGE = zlib.compress(b"x" * 1_500_000)
NO = XMP.format(mining="DMI-PROHIBITED").encode()
YES = XMP.format(mining="DMI-ALLOWED").encode()
BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
UNREAD = "metadata that could not be read"
JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*chunks: bytes) -> bytes:
    """Return a PNG with chunks before its pixels."""
    return PNG[:33] + b"".join(chunks) + PNG[33:]


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """Return a JPEG with segments behind its start."""
    written = [
        bytes([0xFF, kind]) + struct.pack(">H", len(body) + 2) + body for kind, body in segments
    ]
    return JPEG[:2] + b"".join(written) + JPEG[2:]


def tiff(tag: int, value: object, kind: int = 7) -> bytes:
    """Return a TIFF with one more tag."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[tag], tags.tagtype[tag] = value, kind
    return encoded(picture(1), "TIFF", tiffinfo=tags)


def gif(*extensions: bytes) -> bytes:
    """Return a GIF with extensions behind its picture."""
    return encoded(picture(1), "GIF")[:-1] + b"".join(extensions) + b";"


def webp(kind: bytes, body: bytes) -> bytes:
    """Return a WebP with one more chunk at its end."""
    plain = encoded(picture(1), "WEBP")[12:]
    whole = b"WEBP" + plain + kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return b"RIFF" + struct.pack("<I", len(whole)) + whole


def extension(part: bytes, at: int, length: int) -> tuple[int, bytes]:
    """Return a segment of XMP that did not fit into one."""
    head = b"http://ns.adobe.com/xmp/extension/\0" + b"A" * 32 + struct.pack(">II", length, at)
    return 0xE1, head + part


def unreadable() -> Iterator[tuple[str, bytes]]:
    """Yield files with metadata that nobody can read."""
    yield "a large iTXt", png(chunk(b"iTXt", b"workflow\0\1\0\0\0" + LARGE))
    yield "a large zTXt", png(chunk(b"zTXt", b"history\0\0" + LARGE))
    yield "a large text behind the pixels", PNG[:-12] + chunk(b"zTXt", b"h\0\0" + LARGE) + PNG[-12:]
    yield "a large profile", png(chunk(b"iCCP", b"p\0\0" + LARGE))
    yield "a text of rubbish", png(chunk(b"zTXt", b"Comment\0\0rubbish"))
    yield "an unknown compression", png(chunk(b"zTXt", b"Comment\0\7rubbish"))
    yield "XMP of rubbish", png(chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0rubbish"))
    yield "half an iTXt", png(chunk(b"iTXt", b"Comment\0\0"))
    yield "a wrong checksum", png(chunk(b"tEXt", b"Comment\0a")[:-1] + b"?")
    yield "many texts", png(*[chunk(b"tEXt", b"a\0" + b"b" * 900_000)] * 40)
    yield "rubbish as EXIF of a PNG", png(chunk(b"eXIf", b"rubbish"))
    yield "rubbish as digits", png(chunk(b"tEXt", b"Raw profile type xmp\0\nxmp\n9\nxyz"))
    yield "an entity bomb", jpeg((0xE1, JPEG_XMP + BOMB))
    yield "broken XMP", jpeg((0xE1, JPEG_XMP + b"<broken"))
    yield "a part of XMP", jpeg(extension(NO[:100], 0, len(NO)))
    yield "rubbish as EXIF", jpeg((0xE1, b"Exif\0\0rubbish rubbish"))
    cut = struct.pack("<4sIHHHII", b"II*\0", 8, 1, 0x13B, 2, 100, 5_000)
    yield "EXIF that is cut off", jpeg((0xE1, b"Exif\0\0" + cut))
    yield "rubbish as IPTC", jpeg((0xED, iptc(b"")[:26] + b"rubbish"))
    yield "half a Photoshop block", jpeg((0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04"))
    yield "half a profile", jpeg((0xE2, b"ICC_PROFILE\0"))
    yield "broken XMP of a TIFF", tiff(700, b"<broken")
    yield "broken IPTC of a TIFF", tiff(33_723, b"rubbish!")
    yield "EXIF that leads out of a TIFF", tiff(34_665, 999_999, 4)
    yield "WebP", encoded(picture(1), "WEBP", exif=b"Exif\0\0rubbish")
    yield "AVIF", encoded(picture(1), "AVIF", xmp=b"<broken")
    yield "GIF", gif(b"\x21\xff\x0bXMP DataXMP<broken\x01\xff\xfe\xfd\0")
    large = XMP.format(mining="DMI-ALLOWED").replace("Bob", "B" * 5_000_000)
    yield "large XMP", encoded(picture(1), "WEBP", xmp=large.encode(), lossless=True)


@pytest.mark.parametrize(("what", "data"), [pytest.param(*one, id=one[0]) for one in unreadable()])
def test_what_cannot_be_read_forbids_training(what: str, data: bytes) -> None:
    """The picture is taken, with a note: it may have said no."""
    facts = read_image(data).facts

    assert (facts.width, facts.height) == (64, 64), what
    assert facts.forbids["train"].startswith(UNREAD), what
    assert any(note.startswith(UNREAD) for note in facts.notes), what


def said_no() -> Iterator[tuple[str, bytes]]:
    """Yield files that say no where readers do not look."""
    yield (
        "in a text that is too large",
        png(chunk(b"zTXt", b"a\0\0" + zlib.compress(b"x" * 2_000_000 + b" noai "))),
    )
    yield (
        "in the first of two texts",
        png(chunk(b"tEXt", b"Comment\0noai"), chunk(b"tEXt", b"Comment\0sea")),
    )
    yield "in the name of a text", png(chunk(b"zTXt", b"noai\0\0" + zlib.compress(b"true")))
    yield "in a translated name", png(chunk(b"iTXt", b"a\0\0\0en\0noai\0true"))
    spelt = YES.replace(b"\xc2\xa9 Ann", b"&#110;o&#x61;i")
    yield "spelt with entities", jpeg((0xE1, JPEG_XMP + spelt))
    digits = b"\nxmp\n9\n" + NO.hex().encode()
    yield (
        "as hexadecimal digits",
        png(chunk(b"zTXt", b"Raw profile type xmp\0\0" + zlib.compress(digits))),
    )
    words = b"\niptc\n9\n" + iptc(b"noai").hex().encode()
    yield "as IPTC of a PNG", png(chunk(b"tEXt", b"Raw profile type iptc\0" + words))
    yield "in the first of two comments", jpeg((0xFE, b"noai"), (0xFE, b"sea"))
    yield "in the first of two packets", jpeg((0xE1, JPEG_XMP + NO), (0xE1, JPEG_XMP + YES))
    yield (
        "in an extension",
        jpeg(
            (0xE1, JPEG_XMP + YES),
            extension(NO[:300], 0, len(NO)),
            extension(NO[300:], 300, len(NO)),
        ),
    )
    yield "behind the pixels", JPEG[:-2] + b"\xff\xfe\0\x06noai\xff\xd9"
    yield "in a WebP that does not announce it", webp(b"XMP ", NO)
    yield "in the data of an application", gif(b"!\xff\x0bANYTHING1.0\x04noai\0")
    yield "in numbers of a TIFF", tiff(50_123, (0x6F6E0400, 0x00006961), 4)
    yield "in a damaged block", jpeg((0xE2, b"ICC_PROFILE\0"), (0xFE, b"noai"))
    yield "in a description of a TIFF", tiff(270, "a boat, noai", 2)
    yield "in IPTC of a TIFF", tiff(33_723, b"\x1c\x02\x19\0\x04noai")
    yield "behind the picture of a GIF", gif(b"\x21\xfe\x04noai\0")
    trailer = b"\x01" + bytes(range(255, -1, -1)) + b"\0"
    yield "in XMP of a GIF", gif(b"\x21\xff\x0bXMP DataXMP" + NO + trailer)


@pytest.mark.parametrize(("where", "data"), [pytest.param(*one, id=one[0]) for one in said_no()])
def test_a_no_is_heard_wherever_it_stands(where: str, data: bytes) -> None:
    """Also where another text of the same kind says nothing, or yes."""
    said = read_image(data).facts.forbids["train"]

    assert "noai" in said or "DMI-PROHIBITED" in said, where


@pytest.mark.parametrize(
    "data",
    [pytest.param(data, id=name) for name, data in (*unreadable(), *said_no(), ("plain", PNG))],
)
def test_what_is_forbidden_can_be_asked_without_the_pixels(data: bytes) -> None:
    """The answer is that of the whole reading, word by word."""
    assert read_forbids(data) == read_image(data).facts.forbids


def test_who_asks_without_the_pixels_is_refused_the_same() -> None:
    """Limits count, and what is no image says nothing."""
    for data in (b"", b"no image", encoded(picture(1, side=4)), bytes(2**26 + 1)):
        with pytest.raises(BadImage) as whole:
            read_image(data)
        with pytest.raises(BadImage) as asked:
            read_forbids(data)
        assert asked.value.reason == whole.value.reason


def test_absent_metadata_forbids_nothing() -> None:
    """Neither does metadata that can be read."""
    exif = Image.Exif()
    exif[0x013B] = "Ann"
    files = [encoded(picture(1), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "AVIF")]
    files += [encoded(picture(1), kind, exif=exif) for kind in ("PNG", "JPEG", "WEBP", "AVIF")]
    files += [png(chunk(b"tEXt", b"workflow\0" + b"x" * 900_000)), jpeg((0xE1, JPEG_XMP + YES))]

    for data in files:
        facts = read_image(data).facts
        assert (facts.forbids, facts.notes) == ({}, ())


def test_texts_that_unpack_without_end() -> None:
    """A thousand bombs cost what a few cost: nothing is unpacked beyond a total."""
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(20_000_000), 9))

    unread = read_image(png(*[bomb] * 1_000)).facts.rights.unread
    assert unread == "text (more than 1 MiB), text (more than 32 MiB of texts)"


def noisy(**options: object) -> bytes:
    """Return a JPEG of noise: nothing of it can be guessed."""
    pixels = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    return encoded(Image.fromarray(pixels), "JPEG", **options)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"restart_marker_blocks": 10}, {"subsampling": 0}]
)
def test_a_jpeg_without_its_end_is_whole(options: dict[str, object]) -> None:
    """Where all pixels are there; where the last ones are missing it is refused, never grey."""
    data = noisy(**options)
    whole = read_image(data).facts

    for cut in (1, 2):
        facts = read_image(data[:-cut]).facts
        assert facts.pixel_sha256 == whole.pixel_sha256
        assert facts.notes == ("the end marker is missing; all pixels are there",)
    for cut in (10, 40, 400, len(data) // 2):
        assert refusal(data[:-cut]).reason == "broken"


def test_a_progressive_jpeg_without_its_last_scans_is_refused() -> None:
    """It would be shown, but coarser than it is."""
    data = noisy(progressive=True)

    for _ in range(3):
        data = data[: data.rindex(b"\xff\xda")]
        assert refusal(data).reason == "broken"


@pytest.mark.parametrize(
    ("start", "code", "says"),
    [
        (b"\xff\x0a", "jpeg_xl", "JPEG XL"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "jpeg_xl", "export it as PNG"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "jpeg_2000", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "jpeg_2000", "JPEG 2000"),
        (b"8BPS\0\x01", "psd", "flattened"),
        (b"8BPS\0\x02", "psd", "Photoshop"),
        (b"\0\0\1\0\2\0", "icon", "icon"),
        (b"gimp xcf v011", "xcf", "GIMP"),
        (b"CSFCHUNK", "clip", "Clip Studio"),
        (b"PK\3\4" + bytes(26) + b"mimetypeapplication/x-krita", "krita", "Krita"),
        (b"PK\3\4" + bytes(26) + b"Document.archive", "procreate", "Procreate"),
        (b"PK\3\4" + bytes(26) + b"works/boat.png", "archive", "ingest the archive itself"),
        (b"7z\xbc\xaf\x27\x1c", "archive", "unpack it"),
        (b"Rar!\x1a\7", "archive", "unpack it"),
        (b"\xfd7zXZ\0", "archive", "unpack it"),
        (b"%PDF-1.7", "pdf", "Illustrator"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "postscript", "EPS"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "video", "frames"),
        (b"\0\0\0\x14ftypqt  \0\0\2\0qt  ", "video", "frames"),
        (b"\x1aE\xdf\xa3", "video", "frames"),
        (b"version https://git-lfs.github.com/spec/v1\n", "lfs_pointer", "git lfs pull"),
        (b"bplist00", "placeholder", "iCloud"),
        (b"<!DOCTYPE html><html>404", "web_page", "download failed"),
        (b"\n <HTML><svg/>", "web_page", "fetch it again"),
        (b'<?xml version="1.0"?><Error>AccessDenied</Error>', "not_an_image", "download"),
        (b'<?xml version="1.0"?>' + b"<!-- -->" * 500 + b"<svg>", "svg_refused", "SVG"),
        (bytes(10), "placeholder", "zeros"),
    ],
)
def test_reasons_point_the_right_way(start: bytes, code: str, says: str) -> None:
    """What is known but not read is named, with what to do."""
    error = refusal(start + bytes(500))

    assert error.reason == code
    assert says in str(error)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("AVIF", {}),
        ("WEBP", {}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("JPEG", {}),
    ],
)
@pytest.mark.parametrize("part", [0.1, 0.6])
def test_a_damaged_file_is_named(kind: str, options: dict[str, str], part: float) -> None:
    """By what it began as."""
    data = encoded(picture(1, side=200), kind, **options)
    with pytest.raises(BadImage) as caught:
        read_image(data[: int(len(data) * part)])

    assert caught.value.reason == "broken"
    assert kind in str(caught.value).upper()
    assert "damaged" in str(caught.value)


def profile(space: bytes = b"RGB ") -> bytes:
    """Return a profile that swaps red and green, or says that it is of another colour space."""
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    return swapped[:16] + space + swapped[20:]


def grey_profile(gamma: float) -> bytes:
    """Return a profile of grey with this gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63_190, 65_536, 54_061)
    tags = struct.pack(">I", 2)
    tags += struct.pack(">4sII", b"kTRC", 156, len(curve))
    tags += struct.pack(">4sII", b"wtpt", 156 + len(curve), len(white))
    body = tags + curve + white
    head = struct.pack(
        ">I4sI4s4s4s", 128 + len(body), bytes(4), 0x02400000, b"mntr", b"GRAY", b"XYZ "
    )
    head += bytes(12) + b"acsp" + bytes(28) + struct.pack(">3i", 63_190, 65_536, 54_061)
    return head.ljust(128, b"\0") + body


def test_a_profile_of_a_palette_is_applied() -> None:
    """With and without transparency, as for the same picture without a palette."""
    image = Image.new("RGB", (16, 16), (128, 60, 60))
    plain = encoded(image.quantize(4), icc_profile=profile())
    clear = encoded(image.quantize(4), icc_profile=profile(), transparency=3)
    alpha = encoded(image.convert("RGBA"), icc_profile=profile())
    expected = read_image(encoded(image, icc_profile=profile())).rgb.getpixel((8, 8))

    assert expected != (128, 60, 60)
    for data in (plain, clear, alpha):
        assert read_image(data).rgb.getpixel((8, 8)) == expected


@pytest.mark.parametrize("mode", ["L", "LA", "1", "P", "I;16"])
def test_a_profile_of_grey_is_applied(mode: str) -> None:
    """Whatever the mode: gamma 1 makes a middle grey lighter."""
    image = Image.new("L", (16, 16), 128)
    if mode == "I;16":
        image = Image.fromarray(np.full((16, 16), 128 * 257, np.uint16))
    elif mode == "1":
        image = Image.new("1", (16, 16), 1)
    else:
        image = image.convert(mode)
    checked = read_image(encoded(image, icc_profile=grey_profile(1.0)))
    pixel = checked.rgb.getpixel((8, 8))

    assert isinstance(pixel, tuple)
    assert pixel[0] > 180
    assert "profile" not in " ".join(checked.facts.notes)


def test_a_profile_of_another_kind_is_noted() -> None:
    """And never changes the picture."""
    colours = encoded(Image.new("RGB", (16, 16), (128, 60, 60)), icc_profile=grey_profile(1.0))
    ink = encoded(Image.new("RGB", (16, 16), (128, 60, 60)), icc_profile=profile(b"CMYK"))

    for data, space in ((colours, "GRAY"), (ink, "CMYK")):
        checked = read_image(data)
        assert checked.rgb.getpixel((8, 8)) == (128, 60, 60)
        assert checked.facts.notes == (f"colour profile of another kind ({space}) ignored",)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_fewer_bits_in_16_are_scaled(bits: int, kind: str) -> None:
    """Their white is white."""
    ramp = np.linspace(0, 2**bits - 1, 64 * 64).astype(np.uint16).reshape(64, 64)
    checked = read_image(encoded(Image.fromarray(ramp), kind))

    assert checked.rgb.getextrema() == ((0, 255),) * 3
    assert checked.facts.notes == (f"{bits} bits in 16 scaled to 8",)


def test_16_bits_are_scaled_by_their_range() -> None:
    """A picture that is only dark stays dark; numbers in floating point keep their own range."""
    dark = read_image(encoded(Image.fromarray(np.full((16, 16), 20_000, np.uint16))))
    ramp = Image.fromarray(np.linspace(0, 0.5, 256, dtype=np.float32).reshape(16, 16))
    real = read_image(encoded(ramp, "TIFF"))

    assert dark.rgb.getpixel((8, 8)) == (77, 77, 77)
    assert real.rgb.getextrema() == ((0, 255),) * 3
    assert real.facts.notes == ("more than 8 bits a channel scaled to 8",)
