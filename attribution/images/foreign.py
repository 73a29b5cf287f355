"""What a file is that cannot be read, and what to do about it: the reason of a refusal.

Told by the first bytes alone; nothing is parsed.
"""

from __future__ import annotations

import re

from attribution.errors import BadImage
from attribution.images.tiff import is_tiff, raw

HEAD = 1_024  # bytes that are looked at
SVG_HEAD = 64 * 2**10  # long comments may stand before its first element
OURS = "PNG, JPEG, WEBP, GIF, TIFF, AVIF, BMP, and HEIC as an extra"
HEIC_BRANDS = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1"}
AVIF_BRANDS = {b"avif", b"avis"}
CANON_BRAND = b"crx "  # of CR3

AS_PNG = "export it as PNG or TIFF"
FLAT = "export it flattened, as PNG or TIFF"
UNPACK = "it is not a picture; unpack it, or ingest the archive itself"
FETCH = "the picture itself was not fetched"

# Beginnings of files that one of our parsers should have read.
BROKEN = (
    (rb"\x89PNG", "PNG"),
    (rb"\xff\xd8", "JPEG"),
    (rb"GIF8", "GIF"),
    (rb"RIFF.{4}WEBP", "WebP"),
    (rb"BM.{4}\0\0\0\0", "BMP"),
)
CAMERA_RAW = (
    rb"FUJIFILMCCD-RAW|IIU\0|IIR[OS]|MMOR|II\x1a\0\0\0HEAP|FOVb|\0MRM"
    rb"|(?:II\*\0|MM\0\*).{4}(?:CR\x02|IIII|MMMM)"
)
# Beginning, keyword, what it is, what to do; the first that fits counts.
FOREIGN = (
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "jpeg_xl", "JPEG XL is not read", AS_PNG),
    (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", "jpeg_2000", "JPEG 2000 is not read", AS_PNG),
    (rb"II\xbc\x01", "jpeg_xr", "JPEG XR is not read", AS_PNG),
    (rb"8BPS", "psd", "Photoshop files (PSD, PSB) are not read", FLAT),
    (rb"gimp xcf", "xcf", "GIMP files (XCF) are not read", FLAT),
    (rb"CSFCHUNK", "clip", "Clip Studio files (CLIP) are not read", FLAT),
    (rb"PK\x03\x04.{26}mimetypeapplication/x-krita", "krita", "Krita files are not read", FLAT),
    (rb"PK\x03\x04.{26}mimetypeimage/openraster", "ora", "OpenRaster is not read", FLAT),
    (
        rb"PK\x03\x04.*(?:Document\.archive|QuickLook/|VideoLog|\.lz4)",
        "procreate",
        "Procreate files are not read",
        FLAT,
    ),
    (rb"SAI-CANVAS|SQLite format 3", "document", "files of painting programs are not read", FLAT),
    (rb"\0\0[\x01\x02]\0[^\0]|icns", "icon", "icon files are not read", "export it as PNG"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "postscript", "EPS and PostScript are programs: refused", AS_PNG),
    (rb".{0,900}?%PDF-", "pdf", "PDF and Illustrator files are not read", AS_PNG),
    (
        rb"\x1aE\xdf\xa3|RIFF.{4}AVI |FLV\x01|\0\0\x01\xba|OggS|.{4}(?:moov|mdat|wide)",
        "video",
        "a video is not a picture",
        "export the frames that count as PNG",
    ),
    (
        rb"version https://git-lfs",
        "lfs_pointer",
        "a pointer of Git LFS",
        f"{FETCH}: `git lfs pull`",
    ),
    (rb"bplist00", "placeholder", "a placeholder of iCloud", f"{FETCH}: download it in the Finder"),
    (rb"\0\x05\x16\x07", "placeholder", "extra data of a Mac (“._” file)", "leave it out"),
    (rb"L\0\0\0\x01\x14\x02\0|\[InternetSh", "link", "a shortcut of Windows", FETCH),
    (
        rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype html|html|head|body)",
        "web_page",
        "a web page is not a picture",
        "the download failed or needs a login: fetch it again",
    ),
    (
        rb"PK\x03\x04|7z\xbc\xaf|Rar!|\x1f\x8b|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd|.{257}ustar",
        "archive",
        "an archive",
        UNPACK,
    ),
)
VIDEO_BRANDS = re.compile(rb"iso[m2-9]|mp4.|M4V.|qt  |avc1|3g..|dash|MSNV|f4v ", re.DOTALL)


def refusal(data: bytes) -> BadImage:
    """Say why bytes that no parser takes are refused."""
    head, brands = data[:HEAD], brands_of(data)
    if CANON_BRAND in brands or is_camera_raw(data):
        return raw()
    for start, reason, what, way_out in FOREIGN:
        if re.match(start, head, re.DOTALL | re.IGNORECASE):
            return BadImage(reason, f"{what}; {way_out}")
    if any(VIDEO_BRANDS.fullmatch(one) for one in brands) and not brands & AVIF_BRANDS:
        return BadImage("video", "a video is not a picture; export the frames that count as PNG")
    if name := format_of(data):
        return BadImage(
            "broken",
            f"the {name} file is damaged, cut off, or of a kind that cannot be read; get it again, "
            f"or open it in an image editor and export it as PNG",
        )
    return _of_text(data)


def is_camera_raw(data: bytes) -> bool:
    """Tell whether the first bytes are those of a camera's raw file, which may begin as a TIFF."""
    return re.match(CAMERA_RAW, data[:HEAD], re.DOTALL) is not None


def brands_of(data: bytes) -> set[bytes]:
    """Return what a file of the HEIF family says it is: its own brand and the compatible ones."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4]), HEAD)
    return {data[8:12], *(data[at : at + 4] for at in range(16, end, 4))}


def is_heic(data: bytes) -> bool:
    """Whether bytes are HEIC, and not AVIF with a general brand."""
    brands = brands_of(data)
    return bool(brands & HEIC_BRANDS) and not brands & AVIF_BRANDS


def format_of(data: bytes) -> str | None:
    """Return which of the formats that we read bytes begin as."""
    brands = brands_of(data)
    if is_tiff(data):
        return "TIFF"
    if brands & AVIF_BRANDS:
        return "AVIF"
    if brands & HEIC_BRANDS:
        return "HEIC"
    return next((name for start, name in BROKEN if re.match(start, data, re.DOTALL)), None)


def _of_text(data: bytes) -> BadImage:
    if not data.strip(b"\0"):
        return BadImage(
            "placeholder", "nothing but zeros: the download never ended; fetch it again"
        )
    head = data[:SVG_HEAD].lower()
    if b"<svg" in head:
        return BadImage(
            "svg_refused", "SVG is refused: it may refer to files and addresses; export it as PNG"
        )
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"{")):
        return BadImage(
            "not_an_image",
            "a document of text (XML, JSON), perhaps an error of a download: fetch it again",
        )
    return BadImage("not_an_image", f"not an image that we read; known: {OURS}")
