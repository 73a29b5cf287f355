"""Decoded pixels become a small upright sRGB image and a hash, strip by strip.

A strip is about a million pixels: what an image costs is what its decoder needs, not a copy for
every step. The result is the same as if each step saw the whole image at once.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms

from attribution.images.damage import DAMAGED
from attribution.images.facts import pixel_digest

WORKING_SIDE_PX = 1024  # longest side that is kept: no encoder sees more
STRIP_PIXELS = 1_000_000
REDUCING_GAP = 2.0  # boxes are averaged down to this many times the size, then come the splines
TRANSPARENT = "transparency laid over white"

# EXIF orientation -> how the picture becomes upright.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
FROM_BELOW = (3, 4, 7, 8)  # the first row comes from the last row or column


@dataclass(frozen=True)
class Pixels:
    """What was made of the pixels of an image."""

    rgb: Image.Image  # upright sRGB, its longest side at most WORKING_SIDE_PX
    sha256: str  # of size and pixels in full size, upright sRGB
    is_sideways: bool  # width and height have changed places


def read_pixels(image: Image.Image, notes: list[str], *, min_side_px: int) -> Pixels:
    """Make a loaded image upright, sRGB and small; add what was lost on the way to `notes`.

    No side of the result is shorter than `min_side_px`.
    """
    turn = _orientation(image)
    width, height = image.size[::-1] if turn in SIDEWAYS else image.size
    small = _small_size(width, height, min_side_px)
    across = int(width / small[0] / REDUCING_GAP) or 1
    down = int(height / small[1] / REDUCING_GAP) or 1
    reduced = Image.new("RGB", (-(-width // across), -(-height // down)))
    digest, to_srgb = pixel_digest(width, height), _conversion(image, notes)
    for top, bottom in _rows(width, height, multiple_of=down):
        strip = to_srgb(_strip(image, turn, top, bottom))
        digest.update(strip.tobytes())
        reduced.paste(strip.reduce((across, down)), (0, top // down))
    if small != reduced.size:
        box = (0, 0, width / across, height / down)
        reduced = reduced.resize(small, Image.Resampling.BICUBIC, box)
    return Pixels(reduced, digest.hexdigest(), turn in SIDEWAYS)


def _orientation(image: Image.Image) -> int:
    try:
        said = image.getexif().get(ExifTags.Base.Orientation)
    except DAMAGED:
        return 1
    return said if said in TURNS else 1  # a lying tag leaves the picture as it is


def _rows(width: int, height: int, *, multiple_of: int = 1) -> Iterator[tuple[int, int]]:
    """Yield the first and the last row, exclusive, of every strip."""
    rows = max(1, STRIP_PIXELS // width // multiple_of) * multiple_of
    for top in range(0, height, rows):
        yield top, min(top + rows, height)


def _strip(image: Image.Image, turn: int, top: int, bottom: int) -> Image.Image:
    """Return rows of the upright picture."""
    along = image.width if turn in SIDEWAYS else image.height
    if turn in FROM_BELOW:
        top, bottom = along - bottom, along - top
    across = (top, 0, bottom, image.height) if turn in SIDEWAYS else (0, top, image.width, bottom)
    strip = image.crop(across)
    return strip.transpose(TURNS[turn]) if turn in TURNS else strip


def _small_size(width: int, height: int, min_side_px: int) -> tuple[int, int]:
    scale = min(1, WORKING_SIDE_PX / max(width, height))
    return max(min_side_px, round(width * scale)), max(min_side_px, round(height * scale))


def _conversion(image: Image.Image, notes: list[str]) -> Callable[[Image.Image], Image.Image]:
    """Return what makes sRGB of any strip of an image."""
    mode, scale = image.mode, None
    if mode.startswith("I;16") or mode in {"I", "F"}:
        notes.append("more than 8 bits a channel scaled to 8")
        mode, scale = "L", _range(image)
    elif image.has_transparency_data:
        mode = "RGB"
    if mode == "CMYK":
        notes.append("CMYK converted")
    colours = _colours(image.info.get("icc_profile"), mode, notes)

    def convert(strip: Image.Image) -> Image.Image:
        if scale:
            strip = _to_8_bits(strip, *scale)
        if strip.has_transparency_data:
            strip = _over_white(strip.convert("RGBA"), notes)
        if colours:
            strip = ImageCms.applyTransform(strip, colours) or strip
        return strip.convert("RGB")

    return convert


def _range(image: Image.Image) -> tuple[float, float]:
    """Return what becomes black and white: 16-bit integers by their full range, others by own."""
    if image.mode.startswith("I;16"):
        return 0, 65_535
    strips = (_values(_strip(image, 1, *rows)) for rows in _rows(image.width, image.height))
    ends = [(float(values.min()), float(values.max())) for values in strips]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    return (0, 65_535) if image.mode == "I" and low >= 0 and high <= 65_535 else (low, high)


def _to_8_bits(strip: Image.Image, low: float, high: float) -> Image.Image:
    values = (_values(strip) - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(values.astype(np.uint8))


def _values(strip: Image.Image) -> npt.NDArray[np.float64]:
    values = np.asarray(strip, dtype=np.float64)
    return np.where(np.isfinite(values), values, 0)


def _over_white(strip: Image.Image, notes: list[str]) -> Image.Image:
    if strip.getchannel("A").getextrema()[0] == 255:
        return strip.convert("RGB")
    if TRANSPARENT not in notes:
        notes.append(TRANSPARENT)
    return Image.alpha_composite(Image.new("RGBA", strip.size, "white"), strip).convert("RGB")


def _colours(
    profile: bytes | None, mode: str, notes: list[str]
) -> ImageCms.ImageCmsTransform | None:
    """Return the way from a file's own colour space to sRGB; None where it has none."""
    if not profile or mode not in {"RGB", "L", "CMYK"}:
        return None
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(theirs, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, *DAMAGED):
        notes.append("unreadable colour profile ignored")
        return None
