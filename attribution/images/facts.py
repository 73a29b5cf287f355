"""What is known of an image, and the hashes that name it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from attribution.images.credentials import Credentials
from attribution.images.rights import Rights

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ImageFacts:
    """Kept with the artwork. Sizes are those of the upright image, before any reduction."""

    sha256: str  # of the bytes
    pixel_sha256: str  # of size and RGB pixels as they were encoded; what is transparent over both
    # white and black, so that nothing is hidden by a ground
    phash: str  # 64-bit perceptual hash, 16 hexadecimal digits
    format: str
    mode: str
    width: int
    height: int
    frames: int
    bytes: int
    notes: tuple[str, ...]  # what was done to reach RGB
    rights: Rights
    credentials: Credentials

    @property
    def forbids(self) -> Mapping[str, str]:
        """The purposes that the file itself forbids, each with what in it says so."""
        return {**self.rights.forbids, **self.credentials.forbids}

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return asdict(self) | {"credentials": self.credentials.as_dict()}


def forbidden_by(facts: Mapping[str, Any], rights: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what `ImageFacts.forbids` was, from facts and rights as they are kept."""
    credentials: Mapping[str, str] = facts.get("credentials", {}).get("forbids", {})
    return {**Rights(**rights).forbids, **credentials}


def pixel_digest(width: int, height: int) -> hashlib._Hash:
    """Begin the hash of an image: its size is in it, the bytes of its RGB pixels follow."""
    return hashlib.sha256(f"{width}x{height}".encode())


def pixel_sha256(image: Image) -> str:
    """Hash an RGB image: its size and its pixels, not its file."""
    digest = pixel_digest(*image.size)
    digest.update(image.tobytes())
    return digest.hexdigest()


def perceptual_hash(image: Image) -> str:
    """Hash an RGB image so that a re-encoded or resized copy is a few of 64 bits away.

    The signs of the low frequencies of a cosine transform against their median (pHash).
    """
    import imagehash

    return str(imagehash.phash(image))


def hamming(one: str, other: str) -> int:
    """Count the bits in which two perceptual hashes differ, 0 to 64."""
    return (int(one, 16) ^ int(other, 16)).bit_count()
