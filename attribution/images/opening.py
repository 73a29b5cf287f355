"""Bytes become opened images, not decoded yet: the picture, and a preview that stands before it.

Each format reaches its own parser alone, told by the first bytes.
"""

from __future__ import annotations

import io

from PIL import Image, ImageFile, JpegImagePlugin, TiffImagePlugin

from attribution.errors import BadImage
from attribution.images.damage import DAMAGED
from attribution.images.foreign import is_camera_raw, is_heic, refusal
from attribution.images.metadata import Metadata, without_metadata
from attribution.images.tiff import (
    COMPRESSION,
    EXPORT,
    PHOTOMETRIC,
    Tiff,
    is_tiff,
    picture_of,
    raw,
)

BITS, PLANES, SAMPLE_FORMAT = 258, 284, 339  # tags of a TIFF
WHITE_IS_ZERO, APART, UNCOMPRESSED, UNSIGNED, SIGNED = 0, 2, 1, 1, 2  # values of tags
FORMATS = ("PNG", "WEBP", "GIF", "AVIF", "BMP")  # JPEG, TIFF and HEIC are opened by themselves


def open_images(metadata: Metadata) -> tuple[list[ImageFile.ImageFile], Metadata]:
    """Open by content, without metadata that the parser fails on; raises BadImage.

    The picture is the last image; one before it is a preview, which may have metadata of its own.
    """
    for found in (metadata, without_metadata(metadata)):
        try:
            if found:
                return _images(found.data), found
        except DAMAGED:
            continue
    raise refusal(metadata.data)


def _images(data: bytes) -> list[ImageFile.ImageFile]:
    """Open with the one parser that the bytes ask for; raises what parsers do, and BadImage."""
    if data.startswith(b"\xff\xd8"):
        # Not by Image.open: a gain map behind it would make it another format, that is not reduced.
        return [JpegImagePlugin.JpegImageFile(io.BytesIO(data))]
    if is_heic(data):
        return [Image.open(io.BytesIO(data), formats=_heif())]
    if is_tiff(data):
        return _tiff(data)
    return [Image.open(io.BytesIO(data), formats=FORMATS)]


def _tiff(data: bytes) -> list[ImageFile.ImageFile]:
    if is_camera_raw(data):
        raise raw()
    tiff = Tiff(data)
    main = picture_of(tiff)
    first = Image.open(io.BytesIO(data), formats=("TIFF",))
    if main is None:
        _check_kind(first)
        return [first]
    try:
        image = Image.open(io.BytesIO(tiff.beginning_with(main)), formats=("TIFF",))
    except DAMAGED:
        width, height = main.size
        raise BadImage(
            "preview_only",
            f"only a preview of {first.width} × {first.height} can be read, not the picture of "
            f"{width} × {height}; {EXPORT}",
        ) from None
    _check_kind(image)
    if profile := first.info.get("icc_profile"):
        image.info.setdefault("icc_profile", profile)
    return [first, image]


def _check_kind(image: ImageFile.ImageFile) -> None:
    """Raise BadImage for pixels that the parser would take for others, without a word."""
    assert isinstance(image, TiffImagePlugin.TiffImageFile)  # noqa: S101  as it is opened
    tags = image.tag_v2
    bits, formats = max(tags.get(BITS, (1,))), set(tags.get(SAMPLE_FORMAT, (UNSIGNED,)))
    if tags.get(PHOTOMETRIC) == WHITE_IS_ZERO and bits > 8:
        what = f"greys of {bits} bits whose zero is white"
    elif tags.get(PLANES) == APART and bits > 8 and tags.get(COMPRESSION) == UNCOMPRESSED:
        what = f"uncompressed channels of {bits} bits, one after the other"
    elif (bits == 8 and SIGNED in formats) or (bits == 32 and formats == {UNSIGNED}):
        what = f"{'signed' if SIGNED in formats else 'unsigned'} numbers of {bits} bits"
    else:
        return
    raise BadImage("unsupported_tiff", f"TIFFs with {what} are not read; {EXPORT}")


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
