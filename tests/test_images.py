"""From bytes to a checked image: formats, modes, limits, hostile files, facts and rights."""

from __future__ import annotations

import hashlib
import io
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

from attribution.errors import BadImage, NotFound
from attribution.images import Limits, hamming, read_image, read_image_file, thumbnail
from attribution.thumbnails import ThumbnailStore
from tests.portfolios import picture

RAW = Path(__file__).parents[2] / "shared" / "data" / "raw"
RED, WHITE = (255, 0, 0), (255, 255, 255)

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:plus="http://ns.useplus.org/ldf/xmp/1.0/"
 xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/"
 plus:DataMining="http://ns.useplus.org/ldf/vocab/{mining}"
 xmpRights:WebStatement="https://example.org/licence">
 <dc:creator><rdf:Seq><rdf:li>Ann</rdf:li><rdf:li>Bob</rdf:li></rdf:Seq></dc:creator>
 <dc:rights><rdf:Alt><rdf:li xml:lang="x-default">© Ann</rdf:li></rdf:Alt></dc:rights>
 </rdf:Description></rdf:RDF></x:xmpmeta>"""


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    """Return an image as a file of this format."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refusal(data: bytes, limits: Limits | None = None) -> BadImage:
    """Return why these bytes are refused."""
    with pytest.raises(BadImage) as caught:
        read_image(data, limits or Limits())
    return caught.value


def pixel(data: bytes, at: tuple[int, int] = (8, 8)) -> Any:
    """Return one pixel of the image that these bytes become."""
    return read_image(data).rgb.getpixel(at)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "BMP"])
def test_the_content_names_the_format(kind: str, tmp_path: Path) -> None:
    """The extension says nothing."""
    (tmp_path / "a.xyz").write_bytes(encoded(picture(1), kind))
    checked = read_image_file(tmp_path / "a.xyz")
    assert (checked.facts.format, checked.rgb.mode, checked.rgb.size) == (kind, "RGB", (64, 64))


def test_the_picture_is_turned_upright() -> None:
    """As the camera noted; width and height are those of the upright picture."""
    image = Image.new("RGB", (40, 20), RED)
    image.paste((0, 0, 255), (0, 0, 20, 20))  # left half blue
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90° clockwise: left becomes top
    checked = read_image(encoded(image, exif=exif))
    assert (checked.facts.width, checked.facts.height, checked.rgb.size) == (20, 40, (20, 40))
    assert checked.rgb.getpixel((10, 5)) == (0, 0, 255)


@pytest.mark.parametrize(
    ("image", "expected", "note"),
    [
        (Image.new("L", (16, 16), 128), (128, 128, 128), None),
        (Image.new("1", (16, 16), 1), WHITE, None),
        (Image.new("LA", (16, 16), (0, 0)), WHITE, "transparency laid over white"),
        (Image.new("RGBA", (16, 16), (*RED, 0)), WHITE, "transparency laid over white"),
        (Image.new("RGBA", (16, 16), (*RED, 255)), RED, None),
        (Image.new("RGB", (16, 16), RED).quantize(4), RED, None),
        (Image.fromarray(np.full((16, 16), 32_768, np.uint16)), (127, 127, 127), "8 bits"),
    ],
)
def test_every_mode_becomes_rgb(
    image: Image.Image, expected: tuple[int, int, int], note: str | None
) -> None:
    """And what was lost is said."""
    checked = read_image(encoded(image))
    assert checked.rgb.getpixel((8, 8)) == expected
    assert len(checked.facts.notes) == bool(note)
    assert (note or "") in " ".join(checked.facts.notes)


def test_cmyk_becomes_rgb() -> None:
    """No ink is white paper."""
    data = encoded(Image.new("CMYK", (16, 16), (0, 0, 0, 0)), "JPEG")
    assert min(pixel(data)) > 250
    assert read_image(data).facts.notes == ("CMYK converted",)


def test_a_palette_may_be_transparent() -> None:
    """A transparent palette entry is white, the others keep their colour."""
    image = Image.new("P", (16, 16), 0)
    image.putpalette([*RED, 0, 0, 255])
    image.paste(1, (0, 0, 4, 4))
    data = encoded(image, transparency=0)
    assert (pixel(data), pixel(data, (1, 1))) == (WHITE, (0, 0, 255))


def test_colours_are_converted_to_srgb() -> None:
    """The numbers of another colour space are not taken for sRGB; a rubbish profile is ignored."""
    image = Image.new("RGB", (16, 16), (128, 60, 60))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    red_for_green = (
        srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")
    )
    red, green, blue = pixel(encoded(image, icc_profile=red_for_green))
    assert abs(red - 60) < 3
    assert abs(green - 128) < 3
    assert abs(blue - 60) < 3
    broken = read_image(encoded(image, icc_profile=b"rubbish"))
    assert broken.rgb.getpixel((8, 8)) == (128, 60, 60)
    assert broken.facts.notes == ("unreadable colour profile ignored",)


def test_the_first_frame_of_an_animation_counts() -> None:
    """And the file says that there were more."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, (0, 255, 0), (0, 0, 255))]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    checked = read_image(data)
    assert checked.rgb.getpixel((8, 8)) == RED
    assert (checked.facts.frames, checked.facts.notes) == (3, ("first of 3 frames",))


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"", "empty", "0 bytes"),
        (b"hello world", "not_an_image", "known: PNG, JPEG"),
        (b'<?xml version="1.0"?><svg/>', "svg_refused", "export it as PNG"),
        (b"\xef\xbb\xbf <SVG onload='x'/>", "svg_refused", "SVG"),
        (encoded(picture(1), "PPM"), "not_an_image", "known"),
        (encoded(picture(1))[:200], "broken", "damaged"),
        (encoded(Image.new("RGB", (300, 2))), "too_small", "300 × 2"),
    ],
)
def test_what_is_no_usable_image_is_refused(data: bytes, code: str, message: str) -> None:
    """With a code for programs, and the value and the way out for people."""
    error = refusal(data)
    assert error.reason == code
    assert message in str(error)


def test_heic_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its wheels are GPL, so that it is installed only on request."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    error = refusal(b"\x00\x00\x00\x18ftypheic" + bytes(100))
    assert "lawful-diffusion[heic]" in str(error)


def declared(width: int, height: int) -> bytes:
    """Return a small PNG whose header declares this size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    )


def test_a_bomb_is_refused_by_its_header() -> None:
    """Before a pixel is decoded, with its size, the limit and the setting."""
    error = refusal(declared(30_000, 20_000))
    assert error.reason == "too_many_pixels"
    assert "600 megapixels" in str(error)
    assert "LAWFUL_MAX_IMAGE_MEGAPIXELS" in str(error)


def test_a_large_jpeg_is_reduced_while_it_is_read() -> None:
    """The stated rule: the largest of 1/2, 1/4, 1/8 that fits; else it is refused."""
    data = encoded(Image.new("RGB", (800, 400), RED), "JPEG")
    checked = read_image(data, Limits(max_pixels=100_000))
    assert checked.rgb.size == (400, 200)
    assert checked.facts.notes == ("decoded at 1/2 of 800 × 400",)
    assert (checked.facts.width, checked.facts.height) == (800, 400)
    assert refusal(data, Limits(max_pixels=4_000)).reason == "too_many_pixels"


def test_bytes_are_limited(tmp_path: Path) -> None:
    """A file is refused by its size before it is read."""
    file = tmp_path / "a.png"
    file.write_bytes(encoded(picture(1)))
    with pytest.raises(BadImage, match="LAWFUL_MAX_IMAGE_MB"):
        read_image_file(file, Limits(max_bytes=100))
    with pytest.raises(NotFound, match=r"nowhere\.png does not exist"):
        read_image_file(tmp_path / "nowhere.png")
    with pytest.raises(BadImage, match="not a file"):
        read_image_file(tmp_path)


SAMPLES = [encoded(picture(1), kind) for kind in ("PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP")]


@settings(max_examples=250, deadline=None)
@given(
    data=st.one_of(st.binary(max_size=300), st.sampled_from(SAMPLES)),
    cut=st.integers(0, 3_000),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
)
def test_any_bytes_are_an_image_or_refused(
    data: bytes, cut: int, changes: list[tuple[int, int]]
) -> None:
    """Nothing else comes out of the door, whatever is broken."""
    damaged = bytearray(data[:cut] if cut > 30 else data)
    for at, value in changes:
        if at < len(damaged):
            damaged[at] = value
    with suppress(BadImage):
        assert read_image(bytes(damaged), Limits(max_pixels=1_000_000)).rgb.mode == "RGB"


@pytest.mark.skipif(not RAW.is_dir(), reason="the real files are not part of the repository")
def test_real_odd_files_are_images_or_refused_for_their_size() -> None:
    """Files that a real collection holds: huge, tiny, palettes, grey with alpha."""
    codes = set()
    for path in sorted(RAW.glob("*.png")):
        try:
            codes.add(read_image_file(path).rgb.mode)
        except BadImage as error:
            codes.add(error.reason)
    assert "RGB" in codes
    assert codes <= {"RGB", "too_many_pixels", "too_small"}


def test_the_same_pixels_in_two_files() -> None:
    """Other bytes, the same picture: told by the pixels' hash."""
    one, two = (read_image(encoded(picture(1), kind)).facts for kind in ("PNG", "BMP"))
    assert one.sha256 == hashlib.sha256(encoded(picture(1))).hexdigest()
    assert one.sha256 != two.sha256
    assert one.pixel_sha256 == two.pixel_sha256
    assert read_image(encoded(picture(2))).facts.pixel_sha256 != one.pixel_sha256


def test_an_altered_copy_is_a_few_bits_away() -> None:
    """Smaller and compressed again: near; another picture: far."""
    first = read_image(encoded(picture(1, side=300))).facts.phash
    copy = read_image(encoded(picture(1, side=300).resize((200, 200)), "JPEG", quality=40))
    assert hamming(first, copy.facts.phash) <= 6
    assert hamming(first, read_image(encoded(picture(2))).facts.phash) > 16


def test_rights_are_read_from_xmp() -> None:
    """Who made it, whose it is, and what it must not be used for."""
    note = PngImagePlugin.PngInfo()
    note.add_itxt("XML:com.adobe.xmp", XMP.format(mining="DMI-PROHIBITED-AIMLTRAINING"))
    rights = read_image(encoded(picture(1), pnginfo=note)).facts.rights
    assert (rights.creator, rights.copyright) == ("Ann, Bob", "© Ann")
    assert rights.licence == "https://example.org/licence"
    assert rights.opts_out
    allowed = PngImagePlugin.PngInfo()
    allowed.add_itxt("XML:com.adobe.xmp", XMP.format(mining="DMI-ALLOWED"))
    assert not read_image(encoded(picture(1), pnginfo=allowed)).facts.rights.opts_out


def test_rights_are_read_from_exif_and_iptc() -> None:
    """Where XMP says nothing."""
    exif = Image.Exif()
    exif[0x013B], exif[0x8298] = "Ann", "(c) Ann"
    rights = read_image(encoded(picture(1), "JPEG", exif=exif)).facts.rights
    assert (rights.creator, rights.copyright) == ("Ann", "(c) Ann")
    record = b"\x1c\x02\x50\x00\x03Bob" + b"\x1c\x02\x74\x00\x05(c) B"
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[33723] = record
    tags.tagtype[33723] = 7
    rights = read_image(encoded(picture(1), "TIFF", tiffinfo=tags)).facts.rights
    assert (rights.creator, rights.copyright) == ("Bob", "(c) B")


def test_hostile_metadata_says_nothing() -> None:
    """Entity bombs are not expanded, endless values are cut, and the picture is still read."""
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    for said in (bomb, "<broken", XMP.format(mining="DMI-ALLOWED").replace("Bob", "B" * 10_000)):
        note = PngImagePlugin.PngInfo()
        note.add_itxt("XML:com.adobe.xmp", said)
        rights = read_image(encoded(picture(1), pnginfo=note)).facts.rights
        assert len(rights.creator or "") <= 2_000


def test_thumbnails_are_small_and_bare(tmp_path: Path) -> None:
    """Kept by content hash; a missing one says how to get it again."""
    store, name = ThumbnailStore(tmp_path), "ab" * 32
    store.put(name, thumbnail(picture(1, side=600)))
    with Image.open(io.BytesIO(store.get(name))) as small:
        assert (small.format, small.size, "exif" in small.info) == ("WEBP", (256, 256), False)
    with pytest.raises(NotFound, match="ingest the work again"):
        store.get("cd" * 32)
