"""Bytes become a checked RGB image, or a `BadImage` with a reason.

The rule for size: an image is refused when its header declares more pixels than the limit, before
any is decoded; JPEG alone can be decoded at a half, a quarter or an eighth, so a larger JPEG is
reduced while it is read. What is transparent is laid over a ground on which it shows. Of an
animation the first frame that shows something counts, of a TIFF the first picture that is no
preview.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from stat import S_ISREG

from PIL import Image, ImageFile, ImageStat

from attribution.errors import BadImage, NotFound
from attribution.images.blank import is_blank
from attribution.images.credentials import read_credentials
from attribution.images.damage import DAMAGED
from attribution.images.facts import ImageFacts, perceptual_hash
from attribution.images.foreign import format_of
from attribution.images.frames import MOST_FRAMES, count_frames
from attribution.images.jpeg_end import with_end
from attribution.images.metadata import UNREAD, Metadata, metadata_of
from attribution.images.opening import open_images
from attribution.images.permits import LONGEST_S, WAIT_S, PixelPermits, webp_size
from attribution.images.pixels import WORKING_SIDE_PX, Pixels, read_pixels
from attribution.images.rights import read_rights
from attribution.images.views import View, cut_tiles
from attribution.types import WHOLE

# The size is checked from the header, with a clear message, before pixels are decoded.
Image.MAX_IMAGE_PIXELS = None

ANIMATED = {"PNG", "WEBP", "GIF", "AVIF"}
MOST_BLANK_FRAMES = 50  # passed over in search of one that shows something,
MOST_BLANK_PIXELS = 100_000_000  # and as many pixels of them
TINY_PX = 32  # of the shorter side
PLAIN = 3.0  # standard deviation of a channel, of 255
# Many threads may decode, but memory is shared by the whole process: 16 bytes a pixel of a WebP.
PERMITS = PixelPermits(100_000_000)


@dataclass(frozen=True)
class Limits:
    """What one image may cost, and whose signature on it counts."""

    max_bytes: int = 64 * 2**20
    max_pixels: int = 100_000_000  # 400 MB while it is decoded
    min_side_px: int = 8  # below this there is nothing to compare
    max_side_px: int = WORKING_SIDE_PX  # of what is made of it; another one only for people's eyes
    max_aspect: int = 100  # longer side to shorter: what is made small keeps both
    trust_anchors: str = ""  # PEM: who may vouch for the signers of Content Credentials
    timestamp_roots: str = ""  # PEM: who may vouch for the times of their signatures
    wait_s: float = WAIT_S  # for the pixels of other images to be freed; then BackendUnavailable

    def patient(self) -> Limits:
        """Return them for work that nobody waits for: it has its turn, however late."""
        return replace(self, wait_s=LONGEST_S)


@dataclass(frozen=True)
class CheckedImage:
    """An upright sRGB image, its longest side at most `max_side_px`, and its facts."""

    rgb: Image.Image
    facts: ImageFacts
    others: tuple[Image.Image, ...] = ()  # a transparent image over other grounds
    strip: Image.Image | None = None  # a long one, as large as tiles are cut from it

    @property
    def views(self) -> Iterator[View]:
        """Yield what copies of it are recognised by: itself, other grounds, the tiles of a strip.

        Part 0 comes first, the others are numbered in this order.
        """
        yield View(0, self.rgb)
        pictures = [(WHOLE, other) for other in self.others]
        tiles = cut_tiles(self.strip) if self.strip else ()
        for part, (box, rgb) in enumerate(chain(pictures, tiles), 1):
            yield View(part, rgb, box)

    @cached_property
    def is_blank(self) -> bool:
        """Whether it shows nothing: an empty page, however noisy (`blank`)."""
        return is_blank(self.rgb)

    @property
    def is_plain(self) -> bool:
        """Whether it shows too little to be told apart: tiny, or of nearly one colour."""
        spread = max(ImageStat.Stat(self.rgb).stddev)
        return min(self.facts.width, self.facts.height) < TINY_PX or spread < PLAIN


def read_image_file(path: Path, limits: Limits = Limits()) -> CheckedImage:
    """Read an image file; raises NotFound, BadImage."""
    return read_image(read_file(path, limits), limits)


def read_file(path: Path, limits: Limits = Limits()) -> bytes:
    """Read the bytes of what may be an image; raises NotFound, BadImage.

    Pipes and devices are never opened, and no more is read than the size says.
    """
    try:
        found = path.stat()
        if not S_ISREG(found.st_mode):
            raise BadImage("not_a_file", f"{path} is not a file; give the path of an image")
        if found.st_size > limits.max_bytes:
            raise _too_large(found.st_size, limits)
        with path.open("rb") as file:
            return file.read(found.st_size)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{path} does not exist") from None
    except PermissionError:
        raise BadImage("unreadable", f"{path} may not be read; check its permissions") from None
    except OSError as error:
        raise BadImage("unreadable", f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise BadImage("unreadable", f"{str(path)!r} is not a path: {error}") from None


def file_sha256(path: Path, limits: Limits = Limits()) -> str | None:
    """Hash a file; None for one that `read_file` would refuse."""
    try:
        return hashlib.sha256(read_file(path, limits)).hexdigest()
    except (BadImage, NotFound):
        return None


def read_image(data: bytes, limits: Limits = Limits()) -> CheckedImage:
    """Decode the bytes of an image; raises BadImage, BackendUnavailable (`Limits.wait_s`)."""
    _check_bytes(data, limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata is a note of Pillow's, not of ours
        try:
            return _decode(data, limits)
        except DAMAGED as error:
            ended = _with_end(data, limits)
            if ended is None:
                raise _damaged(data, error) from error
            return ended


def read_forbids(data: bytes, limits: Limits = Limits()) -> Mapping[str, str]:
    """Return what `ImageFacts.forbids` is for the bytes of an image, without its pixels.

    Where an image was read before, this is asked again: a later reader may understand more of it.
    Raises BadImage for what cannot be opened.
    """
    _check_bytes(data, limits)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with _opened(data, limits, []) as (images, metadata, _):
                rights = read_rights(images, metadata)  # EXIF of a PNG is behind its pixels
        except DAMAGED as error:
            raise _damaged(data, error) from error
    return {
        **rights.forbids,
        **read_credentials(data, limits.trust_anchors, limits.timestamp_roots).forbids,
    }


def thumbnail(image: Image.Image, *, max_px: int = 256) -> bytes:
    """Return a WebP of at most `max_px` a side, without metadata."""
    small = image.copy()
    small.thumbnail((max_px, max_px), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=0)
    return buffer.getvalue()


def read_thumbnail(webp: bytes) -> Image.Image:
    """Return the RGB picture that `thumbnail` made; raises BadImage for damaged bytes."""
    try:
        return Image.open(io.BytesIO(webp), formats=("WEBP",)).convert("RGB")
    except DAMAGED as error:
        raise BadImage("broken", f"the kept picture is damaged: {error}") from error


def _decode(data: bytes, limits: Limits, whole: bytes | None = None) -> CheckedImage:
    """Decode the bytes of an image; `whole` are the same with an end that they lack."""
    notes = ["the end marker is missing; all pixels are there"] if whole else []
    with _opened(whole or data, limits, notes) as (images, metadata, (width, height)):
        image = images.pop()
        frames, kind, mode = count_frames(image, data), str(image.format), image.mode
        rights = read_rights([*images, image], metadata)
        if rights.unread:
            notes.append(f"{UNREAD}: {rights.unread}")
        pixels = _first_shown(image, frames, notes, limits)
        del image  # the full size goes before the permits do
    if pixels.is_sideways:
        width, height = height, width
    facts = ImageFacts(
        sha256=hashlib.sha256(data).hexdigest(),
        pixel_sha256=pixels.sha256,
        phash=perceptual_hash(pixels.rgb),
        format=kind,
        mode=mode,
        width=width,
        height=height,
        frames=frames,
        bytes=len(data),
        notes=tuple(notes),
        rights=rights,
        credentials=read_credentials(data, limits.trust_anchors, limits.timestamp_roots),
    )
    return CheckedImage(pixels.rgb, facts, pixels.others, pixels.strip)


@contextmanager
def _opened(
    data: bytes, limits: Limits, notes: list[str]
) -> Iterator[tuple[list[ImageFile.ImageFile], Metadata, tuple[int, int]]]:
    """Open an image within limits, and hold permits for its pixels; the picture comes last."""
    declared = webp_size(data)
    if declared is None:
        images, metadata, size = _within_limits(data, limits, notes)
        with PERMITS.taken(images[-1].width * images[-1].height, wait_s=limits.wait_s):
            yield images, metadata, size
        return
    if declared[0] * declared[1] > limits.max_pixels:
        raise _too_many_pixels(*declared, limits)
    with PERMITS.taken(declared[0] * declared[1], wait_s=limits.wait_s):
        yield _within_limits(data, limits, notes)


def _within_limits(
    data: bytes, limits: Limits, notes: list[str]
) -> tuple[list[ImageFile.ImageFile], Metadata, tuple[int, int]]:
    """Open an image within limits, without its pixels; the picture comes last, with its size."""
    images, metadata = open_images(metadata_of(data))
    if len(images) > 1:
        notes.append(f"its first picture, a preview of {_sides(images[0])}, is passed over")
    size = images[-1].size
    _check_sides(*size, limits)
    if size[0] * size[1] > limits.max_pixels:
        _reduce(images[-1], limits, notes)
    return images, metadata, size


def _first_shown(
    image: ImageFile.ImageFile, frames: int, notes: list[str], limits: Limits
) -> Pixels:
    """Read the first frame of an animation that shows something, of other files the first."""
    first: Pixels | None = None
    said: list[str] = []
    most = min(frames, MOST_BLANK_FRAMES, 1 + MOST_BLANK_PIXELS // (image.width * image.height))
    for number in range(most if image.format in ANIMATED else 1):
        seen: list[str] = []
        try:
            if number:
                image.seek(number)
            image.load()
            pixels = read_pixels(
                image, seen, min_side_px=limits.min_side_px, max_side_px=limits.max_side_px
            )
        except DAMAGED:
            if first is None:
                raise
            break  # a later frame is damaged: the first one is what there is
        if number and not is_blank(pixels.rgb):
            many = " or more" if frames == MOST_FRAMES else ""
            notes += [f"frame {number + 1} of {frames}{many}: those before it are blank", *seen]
            return pixels
        if first is None:
            first, said = pixels, seen
            if most == 1 or not is_blank(pixels.rgb):
                break
    assert first is not None  # noqa: S101  the first round sets it or raises
    if frames > 1:
        notes.append(f"first of {frames}{' or more' if frames == MOST_FRAMES else ''} frames")
    notes += said
    return first


def _with_end(data: bytes, limits: Limits) -> CheckedImage | None:
    """Decode a JPEG that lacks nothing but its last bytes."""
    with PERMITS.taken(limits.max_pixels, wait_s=limits.wait_s):
        whole = with_end(data, limits.max_pixels)
    try:
        return _decode(data, limits, whole) if whole else None
    except DAMAGED:
        return None


def _damaged(data: bytes, error: Exception) -> BadImage:
    kind = format_of(data) or "image"
    return BadImage("broken", f"the {kind} data is damaged: {error or type(error).__name__}")


def _sides(image: Image.Image) -> str:
    return f"{image.width} × {image.height}"


def _check_bytes(data: bytes, limits: Limits) -> None:
    if not data:
        raise BadImage(
            "empty",
            "the file is empty (0 bytes); if it lies in a cloud folder, make it available offline",
        )
    if len(data) > limits.max_bytes:
        raise _too_large(len(data), limits)


def _check_sides(width: int, height: int, limits: Limits) -> None:
    if min(width, height) < limits.min_side_px:
        raise BadImage(
            "too_small",
            f"{width} × {height} pixels; the shorter side must have {limits.min_side_px} or more",
        )
    if max(width, height) > limits.max_aspect * min(width, height):
        raise BadImage(
            "too_narrow",
            f"{width} × {height} pixels; the longer side may be {limits.max_aspect} times the "
            f"shorter at most: crop it",
        )


def _reduce(image: ImageFile.ImageFile, limits: Limits, notes: list[str]) -> None:
    """Have a JPEG decoded smaller, or refuse."""
    width, height = image.size
    for divisor in (2, 4, 8):
        if image.format == "JPEG" and width * height // divisor**2 <= limits.max_pixels:
            image.draft("RGB", (width // divisor, height // divisor))
            if image.width * image.height <= limits.max_pixels:
                notes.append(f"decoded at 1/{divisor} of {width} × {height}")
                return
    raise _too_many_pixels(width, height, limits)


def _too_many_pixels(width: int, height: int, limits: Limits) -> BadImage:
    return BadImage(
        "too_many_pixels",
        f"{width} × {height} is {width * height / 1e6:.0f} megapixels, the limit is "
        f"{limits.max_pixels / 1e6:.0f}; scale it down, or raise LAWFUL_MAX_IMAGE_MEGAPIXELS",
    )


def _too_large(size: int, limits: Limits) -> BadImage:
    return BadImage(
        "too_large",
        f"{size / 2**20:.1f} MiB, the limit is {limits.max_bytes / 2**20:.0f}; "
        f"make it smaller, or raise LAWFUL_MAX_IMAGE_MB",
    )
