"""The one door from bytes to a checked RGB image, with the facts found on the way.

`decode` opens and normalises pixels, `facts` says what is known of an image, `rights` reads the
rights metadata. Nothing is trusted: format by content, size before pixels, metadata as data.
"""

from attribution.images.decode import (
    CheckedImage,
    Limits,
    read_image,
    read_image_file,
    thumbnail,
)
from attribution.images.facts import ImageFacts, hamming
from attribution.images.rights import Rights

__all__ = [
    "CheckedImage",
    "ImageFacts",
    "Limits",
    "Rights",
    "hamming",
    "read_image",
    "read_image_file",
    "thumbnail",
]
