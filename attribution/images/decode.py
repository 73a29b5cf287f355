"""Bytes become a checked RGB image, or a `BadImage` with a reason.

The rule for size: an image is refused when its header declares more pixels than the limit, before
any is decoded; JPEG alone can be decoded at a half, a quarter or an eighth, so a larger JPEG is
reduced while it is read. Transparency is laid over white. Of an animation the first frame counts.
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageFile, ImageOps, UnidentifiedImageError

from attribution.errors import BadImage, NotFound
from attribution.images.facts import ImageFacts, perceptual_hash, pixel_sha256
from attribution.images.rights import read_rights

# The size is checked from the header, with a clear message, before pixels are decoded.
Image.MAX_IMAGE_PIXELS = None

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF", "BMP")
HEIF_BRANDS = (b"ftypheic", b"ftypheix", b"ftyphevc", b"ftypheim", b"ftypheis", b"ftypmif1")
WORKING_SIDE_PX = 1024  # longest side that is kept: no encoder sees more
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    MemoryError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)  # what Pillow's parsers raise on bytes that are not what they claim


@dataclass(frozen=True)
class Limits:
    """What one image may cost."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 100_000_000  # 300 MB as RGB
    min_side_px: int = 8  # below this there is nothing to compare


@dataclass(frozen=True)
class CheckedImage:
    """An upright sRGB image, its longest side at most WORKING_SIDE_PX, and its facts."""

    rgb: Image.Image
    facts: ImageFacts


def read_image_file(path: Path, limits: Limits = Limits()) -> CheckedImage:
    """Read an image file; raises NotFound, BadImage."""
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise BadImage("not_a_file", f"{path} is not a file; give the path of an image")
        if size > limits.max_bytes:
            raise _too_large(size, limits)
        return read_image(path.read_bytes(), limits)
    except FileNotFoundError:
        raise NotFound(f"{path} does not exist") from None
    except PermissionError:
        raise BadImage("unreadable", f"{path} may not be read; check its permissions") from None


def read_image(data: bytes, limits: Limits = Limits()) -> CheckedImage:
    """Decode the bytes of an image; raises BadImage."""
    if not data:
        raise BadImage("empty", "the file is empty (0 bytes)")
    if len(data) > limits.max_bytes:
        raise _too_large(len(data), limits)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata is a note of Pillow's, not of ours
            return _decode(data, limits)
    except BROKEN as error:
        raise BadImage(
            "broken", f"the image data is damaged: {error or type(error).__name__}"
        ) from error


def thumbnail(image: Image.Image, *, max_px: int = 256) -> bytes:
    """Return a WebP of at most `max_px` a side, without metadata."""
    small = image.copy()
    small.thumbnail((max_px, max_px), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=0)
    return buffer.getvalue()


def _decode(data: bytes, limits: Limits) -> CheckedImage:
    image = _open(data)
    notes: list[str] = []
    width, height = image.size
    if min(width, height) < limits.min_side_px:
        raise BadImage(
            "too_small",
            f"{width} × {height} pixels; the shorter side must have {limits.min_side_px} or more",
        )
    if width * height > limits.max_pixels:
        _reduce(image, limits, notes)
    frames = int(getattr(image, "n_frames", 1))
    if frames > 1:
        notes.append(f"first of {frames} frames")
    kind, mode, rights = str(image.format), image.mode, read_rights(image)
    image.load()
    rgb = _to_rgb(_upright(image), notes)
    if rgb.size != image.size:
        width, height = height, width
    pixels = pixel_sha256(rgb)
    if max(rgb.size) > WORKING_SIDE_PX:
        rgb.thumbnail((WORKING_SIDE_PX, WORKING_SIDE_PX), Image.Resampling.BICUBIC)
    facts = ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixels,
        phash=perceptual_hash(rgb),
        format=kind,
        mode=mode,
        width=width,
        height=height,
        frames=frames,
        bytes=len(data),
        notes=tuple(notes),
        rights=rights,
    )
    return CheckedImage(rgb, facts)


def _open(data: bytes) -> ImageFile.ImageFile:
    """Open by content; only the formats that we know reach their parsers."""
    head = data[:1024].lstrip().lower()
    if head.startswith((b"<svg", b"<?xml")) or b"<svg" in head:
        raise BadImage(
            "svg_refused",
            "SVG is refused: it may refer to files and addresses; export it as PNG",
        )
    formats: tuple[str, ...] = FORMATS
    if data[4:12] in HEIF_BRANDS:
        formats = _heif()
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except UnidentifiedImageError:
        raise BadImage(
            "not_an_image",
            f"not an image that we read; known: {', '.join(FORMATS)}, and HEIC as an extra",
        ) from None


def _heif() -> tuple[str, ...]:
    """Register the HEIC parser if it is installed; its wheels bundle GPL code: an extra."""
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        raise BadImage(
            "heic_not_installed",
            "HEIC needs an extra: pip install 'lawful-diffusion[heic]', or convert it to JPEG",
        ) from None
    register_heif_opener()
    return ("HEIF",)


def _reduce(image: ImageFile.ImageFile, limits: Limits, notes: list[str]) -> None:
    """Have a JPEG decoded smaller, or refuse."""
    width, height = image.size
    for divisor in (2, 4, 8):
        if image.format == "JPEG" and width * height // divisor**2 <= limits.max_pixels:
            image.draft("RGB", (width // divisor, height // divisor))
            if image.width * image.height <= limits.max_pixels:
                notes.append(f"decoded at 1/{divisor} of {width} × {height}")
                return
    raise BadImage(
        "too_many_pixels",
        f"{width} × {height} is {width * height / 1e6:.0f} megapixels, the limit is "
        f"{limits.max_pixels / 1e6:.0f}; scale it down, or raise LAWFUL_MAX_IMAGE_MEGAPIXELS",
    )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except BROKEN:
        return image  # a lying orientation tag leaves the picture as it is


def _to_rgb(image: Image.Image, notes: list[str]) -> Image.Image:
    """Convert any mode to sRGB, saying what was lost."""
    profile = image.info.get("icc_profile")
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        image = _scale_to_8_bits(image)
        notes.append("more than 8 bits a channel scaled to 8")
    if image.has_transparency_data:
        image = _over_white(image.convert("RGBA"), notes)
    if image.mode == "CMYK":
        notes.append("CMYK converted")
    if profile and image.mode in {"RGB", "L", "CMYK"}:
        image = _to_srgb(image, profile, notes)
    return image.convert("RGB")


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale linearly, 16-bit integers by their full range, others by their own."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode == "F" or values.max(initial=0) > 65_535 or values.min(initial=0) < 0:
        values = np.nan_to_num(values)
        low, high = values.min(), values.max()
    else:
        low, high = 0.0, 65_535.0
    return Image.fromarray(((values - low) / max(high - low, 1e-12) * 255).astype(np.uint8))


def _over_white(image: Image.Image, notes: list[str]) -> Image.Image:
    if image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    notes.append("transparency laid over white")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("RGB")


def _to_srgb(image: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        ours = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, theirs, ours, outputMode="RGB")
    except (ImageCms.PyCMSError, *BROKEN):
        notes.append("unreadable colour profile ignored")
        return image
    return converted if converted is not None else image


def _too_large(size: int, limits: Limits) -> BadImage:
    return BadImage(
        "too_large",
        f"{size / 2**20:.1f} MiB, the limit is {limits.max_bytes / 2**20:.0f}; "
        f"make it smaller, or raise LAWFUL_MAX_IMAGE_MB",
    )
