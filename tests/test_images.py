"""From bytes to a checked image: formats, modes, limits, hostile files, facts and rights."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from attribution.errors import BackendUnavailable, BadImage, NotFound
from attribution.files import Store
from attribution.images import (
    Limits,
    decode,
    file_sha256,
    hamming,
    read_image,
    read_image_file,
    thumbnail,
)
from attribution.images.facts import pixel_sha256
from attribution.images.permits import PixelPermits, webp_size
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
        (encoded(Image.new("RGB", (4096, 8))), "too_narrow", "4096 × 8"),
    ],
)
def test_what_is_no_usable_image_is_refused(data: bytes, code: str, message: str) -> None:
    """With a code for programs, and the value and the way out for people."""
    error = refusal(data)
    assert error.reason == code
    assert message in str(error)


@pytest.mark.parametrize("size", [(4000, 40), (40, 4000)])
def test_a_narrow_picture_keeps_its_shorter_side(size: tuple[int, int]) -> None:
    """However long, what the encoders get is never thinner than what is taken in."""
    assert min(read_image(encoded(Image.new("RGB", size))).rgb.size) >= Limits().min_side_px


def test_the_first_bytes_come_before_words() -> None:
    """A PNG whose comment speaks of SVG is a PNG."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "made from <svg/> by <?xml?>")
    assert read_image(encoded(picture(1), pnginfo=note)).facts.format == "PNG"


def test_avif_of_a_general_brand_is_no_heic() -> None:
    """Its own brand may be mif1; the compatible ones say what it is, even when it is damaged."""
    data = bytearray(encoded(picture(1), "AVIF"))
    data[8:12] = b"mif1"
    assert read_image(bytes(data)).facts.format == "AVIF"
    assert "extra: pip" not in str(refusal(bytes(data[:60])))


def tiff_of(directories: int, entries: int) -> bytes:
    """Return a TIFF of 16 × 16 pixels with a chain of overlapping directories behind it."""
    image = bytearray(encoded(picture(1, side=16), "TIFF"))
    last = struct.unpack_from("<I", image, 4)[0]
    (own,) = struct.unpack_from("<H", image, last)
    start = len(image) + len(image) % 2
    struct.pack_into("<I", image, last + 2 + own * 12, start)
    image += bytes(start - len(image) + directories * 6 + entries * 12)
    for at in range(start, start + directories * 6, 6):
        struct.pack_into("<H", image, at, entries)
        struct.pack_into("<I", image, at + 2 + entries * 12, at + 6)
    return bytes(image)


def gif_of(pictures: int) -> bytes:
    """Return a GIF with one picture many times."""
    one = encoded(picture(1, side=8), "GIF")
    at = one.rindex(b",\0\0\0\0")
    return one[:at] + one[at:-1] * pictures + b";"


@pytest.mark.parametrize("data", [tiff_of(300_000, 0), tiff_of(2_000, 60_000), gif_of(50_000)])
def test_counting_frames_ends(data: bytes) -> None:
    """However many a file claims, a thousand are enough to know."""
    begun = time.monotonic()
    facts = read_image(data).facts
    assert (facts.frames, facts.notes) == (1_000, ("first of 1000 or more frames",))
    assert time.monotonic() - begun < 5


def test_frames_of_a_tiff_are_counted() -> None:
    """Few are counted exactly."""
    frames = [picture(seed) for seed in range(3)]
    data = encoded(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    assert read_image(data).facts.notes == ("first of 3 frames",)


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


@pytest.mark.parametrize(
    ("name", "code"),
    [("x" * 300, "unreadable"), ("a\0b", "unreadable"), ("loop", "unreadable"), ("pipe", "not_a")],
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, name: str, code: str) -> None:
    """Names that no file can have, links in a circle, and pipes, which nobody would fill."""
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadImage) as caught:
        read_image_file(tmp_path / name)
    assert caught.value.reason.startswith(code)
    assert file_sha256(tmp_path / name) is None


def test_a_failing_disk_refuses_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One bad sector is one bad image."""

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    (tmp_path / "a.png").write_bytes(encoded(picture(1)))
    monkeypatch.setattr(Path, "open", fail)
    with pytest.raises(BadImage, match="cannot be read: Input/output error") as caught:
        read_image_file(tmp_path / "a.png")
    assert caught.value.reason == "unreadable"


def test_files_are_hashed_within_limits(tmp_path: Path) -> None:
    """As they would be read: what is too large is not, and what is gone has no hash."""
    file = tmp_path / "a.png"
    file.write_bytes(b"abc")
    assert file_sha256(file) == hashlib.sha256(b"abc").hexdigest()
    assert file_sha256(file, Limits(max_bytes=2)) is None
    assert file_sha256(tmp_path / "gone.png") is None


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


def over(image: Image.Image, ground: str) -> Image.Image:
    """Lay a picture over a ground."""
    below = Image.new("RGBA", image.size, ground)
    return Image.alpha_composite(below, image.convert("RGBA")).convert("RGB")


def whole(image: Image.Image) -> tuple[str, Image.Image]:
    """Do with all pixels at once what the reader does strip by strip."""
    image = ImageOps.exif_transpose(image)
    rgb = over(image, "white")
    sha256 = pixel_sha256(rgb)
    if image.mode in {"RGBA", "LA"}:
        both = sha256 + pixel_sha256(over(image, "black"))
        sha256 = hashlib.sha256(both.encode()).hexdigest()
    rgb.thumbnail((1024, 1024), Image.Resampling.BICUBIC)
    return sha256, rgb


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_strips_make_no_difference(mode: str, turn: int) -> None:
    """Hash and working image are those of the whole picture, however it has to be turned."""
    noise = np.random.default_rng(turn).integers(0, 256, (1_501, 2_503, 4), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encoded(image, exif=exif, compress_level=0)
    sha256, rgb = whole(Image.open(io.BytesIO(data)))

    checked = read_image(data)

    assert checked.facts.pixel_sha256 == sha256
    assert checked.rgb.tobytes() == rgb.tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
def test_large_images_cost_little_more_than_their_pixels() -> None:
    """Four bytes a pixel while they are decoded, and strips beside that."""
    code = (
        "import io\n"
        "from pathlib import Path\n"
        "from PIL import Image\n"
        "from attribution.images import read_image\n"
        "file = io.BytesIO()\n"
        "Image.new('LA', (6_000, 6_000), (9, 9)).save(file, 'PNG')\n"
        "read_image(file.getvalue())\n"
        # Of this program alone: what getrusage says begins with the size of who started it.
        "status = Path('/proc/self/status').read_text()\n"
        "print(status.split('VmHWM:')[1].split()[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < 60 + 6_000 * 6_000 * 4 / 2**20 + 150


def test_pixels_in_memory_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may wait does; others are told, also before a WebP's decoder takes its memory."""
    permits = PixelPermits(100 * 100)
    monkeypatch.setattr(decode, "PERMITS", permits)
    soon = Limits(wait_s=0.01)
    for kind in ("PNG", "WEBP"):
        data = encoded(Image.new("RGB", (100, 100), "red"), kind)
        with (
            permits.taken(1, wait_s=0),
            pytest.raises(BackendUnavailable, match="no memory for this one"),
        ):
            read_image(data, soon)
        with ThreadPoolExecutor() as threads:
            with permits.taken(1, wait_s=0):
                waiting = threads.submit(read_image, data, Limits().patient())
            assert waiting.result(timeout=30).facts.width == 100
        assert read_image(data, soon).facts.width == 100
    with pytest.raises(BadImage):
        read_image(data[:-20], soon)
    assert read_image(encoded(Image.new("RGB", (200, 200)), "PNG"), soon).facts.width == 200


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0"}])
def test_a_webp_declares_its_size(options: dict[str, Any]) -> None:
    """In each of its three forms, before its decoder is opened."""
    buffer = io.BytesIO()
    Image.new("RGB", (130, 77), "red").save(buffer, "WEBP", **options)
    assert webp_size(buffer.getvalue()) == (130, 77)
    assert webp_size(b"RIFF") is None


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
    assert rights.forbids == {
        "train": "data mining: http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING"
    }
    allowed = PngImagePlugin.PngInfo()
    allowed.add_itxt("XML:com.adobe.xmp", XMP.format(mining="DMI-ALLOWED"))
    assert read_image(encoded(picture(1), pnginfo=allowed)).facts.forbids == {}


def test_rights_behind_the_pixels_are_read() -> None:
    """Tools write the XMP of a PNG behind its pixels, where it counts as well."""
    said = b"iTXtXML:com.adobe.xmp\0\0\0\0\0" + XMP.format(mining="DMI-PROHIBITED").encode()
    late = struct.pack(">I", len(said) - 4) + said + struct.pack(">I", zlib.crc32(said))
    data = encoded(picture(1))
    assert "train" in read_image(data[:-12] + late + data[-12:]).facts.forbids


def iptc(keyword: bytes) -> bytes:
    """Return an APP13 segment with one keyword."""
    record = b"\x1c\x02\x19" + struct.pack(">H", len(keyword)) + keyword
    block = (
        b"8BIM\x04\x04\0\0" + struct.pack(">I", len(record)) + record + b"\0" * (len(record) % 2)
    )
    return b"Photoshop 3.0\0" + block


def no_ai_files() -> Iterator[tuple[str, bytes]]:
    """Yield files that say `noai`, by where they say it."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Keywords", "boat, noai, sea")
    yield "a PNG's text", encoded(picture(1), pnginfo=note)
    yield "a JPEG's comment", encoded(picture(1), "JPEG", comment=b"NoAI")
    exif = Image.Exif()
    exif[0x9C9E] = "boat;noimageai".encode("utf-16-le") + b"\0\0"  # XPKeywords
    yield "Windows' keywords", encoded(picture(1), "JPEG", exif=exif)
    plain, segment = encoded(picture(1), "JPEG"), iptc(b"noai")
    segment = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    yield "IPTC keywords", plain[:2] + segment + plain[2:]
    subject = "<dc:subject><rdf:Bag><rdf:li>noai</rdf:li></rdf:Bag></dc:subject> </rdf:D"
    xmp = XMP.format(mining="DMI-UNSPECIFIED").replace(" </rdf:D", subject)
    yield "XMP's subject", encoded(picture(1), "WEBP", xmp=xmp.encode())


@pytest.mark.parametrize(("where", "data"), list(no_ai_files()))
def test_no_ai_forbids_training(where: str, data: bytes) -> None:
    """The words of artists' sites are obeyed wherever a file has room for them."""
    assert "noai" in (read_image(data).facts.forbids["train"]).replace("image", ""), where


def test_words_that_only_contain_no_ai() -> None:
    """A name that has the letters in it says nothing."""
    note = PngImagePlugin.PngInfo()
    note.add_text("Title", "Casanoai, Noaidi, no aims")
    assert read_image(encoded(picture(1), pnginfo=note)).facts.forbids == {}


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
    nested = "<a>" * 20_000 + "</a>" * 20_000
    for said in (
        bomb,
        "<broken",
        nested,
        XMP.format(mining="DMI-ALLOWED").replace("Bob", "B" * 10_000),
    ):
        note = PngImagePlugin.PngInfo()
        note.add_itxt("XML:com.adobe.xmp", said)
        rights = read_image(encoded(picture(1), pnginfo=note)).facts.rights
        assert len(rights.creator or "") <= 2_000


def test_thumbnails_are_small_and_bare(tmp_path: Path) -> None:
    """Kept by content hash; a missing one says how to get it again."""
    store, name = Store(str(tmp_path)), "ab" * 32
    store.put_thumbnail(name, thumbnail(picture(1, side=600)))
    with Image.open(io.BytesIO(store.thumbnail(name))) as small:
        assert (small.format, small.size, "exif" in small.info) == ("WEBP", (256, 256), False)
    with pytest.raises(NotFound, match="ingest it again"):
        store.thumbnail("cd" * 32)
