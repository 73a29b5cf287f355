"""The one door from bytes to a checked RGB image, with the facts found on the way.

`decode` opens within limits, `pixels` normalises what was decoded, `facts` says what is known of an
image, `lineages` which images are one picture, `rights` reads the rights metadata. Nothing is
trusted: format by content, size before pixels, metadata as data.
"""

from attribution.images.decode import (
    CheckedImage,
    Limits,
    file_sha256,
    read_file,
    read_image,
    read_image_file,
    read_thumbnail,
    thumbnail,
)
from attribution.images.facts import ImageFacts, hamming
from attribution.images.lineages import NEAR_BITS, lineages
from attribution.images.rights import Rights

__all__ = [
    "NEAR_BITS",
    "CheckedImage",
    "ImageFacts",
    "Limits",
    "Rights",
    "file_sha256",
    "hamming",
    "lineages",
    "read_file",
    "read_image",
    "read_image_file",
    "read_thumbnail",
    "thumbnail",
]
