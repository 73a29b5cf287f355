"""The one door from bytes to a checked RGB image, with the facts found on the way.

`decode` opens within limits, `pixels` normalises what was decoded, `grounds` chooses what
transparency is laid over, `views` says by which pictures of an image its copies are recognised,
`facts` what is known of it, `lineages` which images are one picture, `pictures` makes those for
people's eyes; `rights` reads the rights metadata, `credentials` those that are signed.

Nothing is trusted: format by content, size before pixels, metadata as data.
"""

from attribution.images.credentials import Credentials, State, read_credentials
from attribution.images.decode import (
    CheckedImage,
    Limits,
    file_sha256,
    read_file,
    read_forbids,
    read_image,
    read_image_file,
    read_thumbnail,
    thumbnail,
)
from attribution.images.facts import ImageFacts, forbidden_by, hamming
from attribution.images.lineages import NEAR_BITS, lineages
from attribution.images.pictures import show_image, showing
from attribution.images.rights import Rights, read_sidecar
from attribution.images.views import View
from attribution.images.words import against_training, plain_text

__all__ = [
    "NEAR_BITS",
    "CheckedImage",
    "Credentials",
    "ImageFacts",
    "Limits",
    "Rights",
    "State",
    "View",
    "against_training",
    "file_sha256",
    "forbidden_by",
    "hamming",
    "lineages",
    "plain_text",
    "read_credentials",
    "read_file",
    "read_forbids",
    "read_image",
    "read_image_file",
    "read_sidecar",
    "read_thumbnail",
    "show_image",
    "showing",
    "thumbnail",
]
