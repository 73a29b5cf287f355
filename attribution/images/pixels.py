"""Decoded pixels become a small upright sRGB image and a hash, strip by strip.

A strip is about a million pixels: what an image costs is what its decoder needs, not a copy for
every step. The result is the same as if each step saw the whole image at once.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageCms

from attribution.images.damage import DAMAGED
from attribution.images.facts import pixel_digest
from attribution.images.grounds import (
    BLACK,
    LOOKED_AT_PX,
    WHITE,
    Grounds,
    choose_grounds,
    lay_over,
)
from attribution.images.views import is_strip, tiled_size

WORKING_SIDE_PX = 1024  # longest side that is kept: no encoder sees more
STRIP_PIXELS = 1_000_000
REDUCING_GAP = 2.0  # boxes are averaged down to this many times the size, then come the splines
TRANSPARENT = "transparency laid over"
FULL_RANGE = 65_535
# Scanners and microscopes write 10, 12 or 14 bits into 16: bits -> the largest value of theirs.
NARROW_RANGES = {bits: 2**bits - 1 for bits in (8, 10, 12, 14)}
PROFILED = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}  # colour space of a profile -> mode
GREY_MODES = {"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}

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

    rgb: Image.Image  # upright sRGB, its longest side at most `max_side_px`
    sha256: str  # of size and pixels in full size, upright sRGB
    is_sideways: bool  # width and height have changed places
    others: tuple[Image.Image, ...] = ()  # as `rgb`, a transparent picture over other grounds
    strip: Image.Image | None = None  # of a strip: as `rgb`, as large as tiles are cut from it


def read_pixels(
    image: Image.Image, notes: list[str], *, min_side_px: int, max_side_px: int = WORKING_SIDE_PX
) -> Pixels:
    """Make a loaded image upright, sRGB and small; add what was lost on the way to `notes`.

    No side of the result is shorter than `min_side_px`, its longest is at most `max_side_px`.
    """
    turn, grounds = _orientation(image), _grounds(image)
    if grounds:
        notes.append(f"{TRANSPARENT} {grounds.shown}")
    width, height = image.size[::-1] if turn in SIDEWAYS else image.size
    small = _small_size(width, height, min_side_px, max_side_px)
    size = tiled_size(width, height) if is_strip(width, height) else small
    across = int(width / size[0] / REDUCING_GAP) or 1
    down = int(height / size[1] / REDUCING_GAP) or 1
    shown = (grounds.shown, *grounds.others) if grounds else (WHITE,)
    reduced = {
        ground: Image.new("RGB", (-(-width // across), -(-height // down))) for ground in shown
    }
    digests = {
        ground: pixel_digest(width, height) for ground in ((WHITE, BLACK) if grounds else (WHITE,))
    }
    to_srgb = _conversion(image, notes)
    for top, bottom in _rows(width, height, multiple_of=down):
        strip = _strip(image, turn, top, bottom)
        for ground in {*reduced, *digests}:
            seen = to_srgb(strip, ground)
            if ground in digests:
                digests[ground].update(seen.tobytes())
            if ground in reduced:
                reduced[ground].paste(seen.reduce((across, down)), (0, top // down))
    box = (0, 0, width / across, height / down)
    first, *others = (_resized(reduced.pop(ground), size, box) for ground in shown)
    return Pixels(
        _resized(first, small),
        _one_digest([digest.hexdigest() for digest in digests.values()]),
        turn in SIDEWAYS,
        tuple(_resized(other, small) for other in others),
        first if is_strip(width, height) else None,
    )


def _resized(
    picture: Image.Image,
    size: tuple[int, int],
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, box, REDUCING_GAP)


def _one_digest(digests: list[str]) -> str:
    """Return the hash of an opaque picture, or one of a transparent one over both grounds."""
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _grounds(image: Image.Image) -> Grounds | None:
    """Return what a transparent picture is laid over; None for an opaque one."""
    if not image.has_transparency_data:
        return None
    across, down = (-(-side // LOOKED_AT_PX) for side in image.size)
    small = Image.new("RGBa", (-(-image.width // across), -(-image.height // down)))
    is_opaque = True
    for top, bottom in _rows(*image.size, multiple_of=down):
        strip = _strip(image, 1, top, bottom).convert("RGBA")
        is_opaque = is_opaque and strip.getchannel("A").getextrema()[0] == 255
        small.paste(strip.convert("RGBa").reduce((across, down)), (0, top // down))
    return None if is_opaque else choose_grounds(small)


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


def _small_size(width: int, height: int, min_side_px: int, max_side_px: int) -> tuple[int, int]:
    scale = min(1, max_side_px / max(width, height))
    return max(min_side_px, round(width * scale)), max(min_side_px, round(height * scale))


def _conversion(image: Image.Image, notes: list[str]) -> Callable[[Image.Image, str], Image.Image]:
    """Return what makes sRGB of any strip of an image, over a ground where it is transparent."""
    scale, colours = None, _colours(image, notes)
    if _has_wide_values(image):
        scale = _range(image)
        notes.append(_scaled(image, scale))
    if image.mode == "CMYK":
        notes.append("CMYK converted")

    def convert(strip: Image.Image, ground: str) -> Image.Image:
        if scale:
            strip = _to_8_bits(strip, *scale)
        if strip.has_transparency_data:
            strip = lay_over(strip.convert("RGBA"), ground)
        if colours:
            transform, mode = colours
            strip = ImageCms.applyTransform(strip.convert(mode), transform) or strip
        return strip.convert("RGB")

    return convert


def _has_wide_values(image: Image.Image) -> bool:
    return image.mode.startswith("I;16") or image.mode in {"I", "F"}


def _range(image: Image.Image) -> tuple[float, float]:
    """Return what becomes black and white: of 16-bit integers the bits in use, else the ends."""
    strips = (_values(_strip(image, 1, *rows)) for rows in _rows(image.width, image.height))
    ends = [(float(values.min()), float(values.max())) for values in strips]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    if image.mode == "F" or low < 0 or high > FULL_RANGE:
        return low, high
    if high == 0:
        return 0, FULL_RANGE
    return 0, next(most for most in (*NARROW_RANGES.values(), FULL_RANGE) if high <= most)


def _scaled(image: Image.Image, scale: tuple[float, float]) -> str:
    """Say how values became 8 bits."""
    for bits, most in NARROW_RANGES.items():
        if image.mode != "F" and scale == (0, most):
            return f"{bits} bits in 16 scaled to 8"
    return "more than 8 bits a channel scaled to 8"


def _to_8_bits(strip: Image.Image, low: float, high: float) -> Image.Image:
    values = (_values(strip) - low) / max(high - low, 1e-12) * 255
    return Image.fromarray(values.astype(np.uint8))


def _values(strip: Image.Image) -> npt.NDArray[np.float64]:
    values = np.asarray(strip, dtype=np.float64)
    return np.where(np.isfinite(values), values, 0)


def _colours(image: Image.Image, notes: list[str]) -> tuple[ImageCms.ImageCmsTransform, str] | None:
    """Return the way from a file's own colour space to sRGB and the mode that it begins with.

    None where there is no profile, or one that says nothing about such pixels.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return None
    try:
        theirs = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = theirs.profile.xcolor_space.strip()
        if not _speaks_about(space, image):
            notes.append(f"colour profile of another kind ({space}) ignored")
            return None
        if space == "RGB" and image.mode in GREY_MODES:
            notes.append("colour profile for RGB applied to a grey picture")
        mode, srgb = PROFILED[space], ImageCms.createProfile("sRGB")
        return ImageCms.buildTransform(theirs, srgb, mode, "RGB"), mode
    except (ImageCms.PyCMSError, *DAMAGED):
        notes.append("unreadable colour profile ignored")
        return None


def _speaks_about(space: str, image: Image.Image) -> bool:
    """Whether a profile of this colour space says what the pixels of an image look like."""
    if image.mode == "CMYK" or space not in {"GRAY", "RGB"}:
        return space == image.mode == "CMYK"
    return space == "RGB" or _is_grey(image)


def _is_grey(image: Image.Image) -> bool:
    """Whether no pixel has a colour, whatever the mode could hold."""
    if image.mode in GREY_MODES:
        return True
    for rows in _rows(image.width, image.height):
        red, green, blue = np.moveaxis(np.asarray(_strip(image, 1, *rows).convert("RGB")), 2, 0)
        if (red != green).any() or (green != blue).any():
            return False
    return True
