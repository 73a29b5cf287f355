"""What a work has from its file: all that is kept of it, once somebody has looked at it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from attribution.catalogue.models import artwork_id
from attribution.catalogue.queries import KeptSketch
from attribution.copies.description import describe
from attribution.images import CheckedImage, forbidden_by, thumbnail
from attribution.stages import stage
from attribution.types import Part

NAMED = {"sha256", "pixel_sha256", "phash", "rights"}  # facts that have columns of their own


@dataclass(frozen=True)
class Picture:
    """What was found in a file; of one that nobody here has seen, its hash alone is known."""

    sha256: str  # of the bytes
    pixel_sha256: str = ""
    phash: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)  # as they are kept with the work
    rights: Mapping[str, Any] = field(default_factory=dict)
    is_blank: bool = False
    thumbnail: bytes | None = None

    @property
    def bytes(self) -> int:
        """The size of its file."""
        return int(self.facts.get("bytes", 0))

    @property
    def forbids(self) -> Mapping[str, str]:
        """The purposes that the file itself forbids, each with what in it says so."""
        return forbidden_by(self.facts, self.rights)

    @classmethod
    def of(cls, image: CheckedImage) -> Self:
        """Return what there is to keep of an image."""
        facts = image.facts
        return cls(
            sha256=facts.sha256,
            pixel_sha256=facts.pixel_sha256,
            phash=facts.phash,
            facts={name: value for name, value in facts.as_dict().items() if name not in NAMED},
            rights={name: value for name, value in vars(facts.rights).items() if value is not None},
            is_blank=image.is_blank,
            thumbnail=thumbnail(image.rgb),
        )


@dataclass(frozen=True)
class Looked:
    """What looking at a file gives: what is kept, and what is still to be encoded."""

    picture: Picture
    sketches: Mapping[Part, KeptSketch]  # for the copy lane
    image: CheckedImage | None = None  # None where it was encoded elsewhere

    @classmethod
    def at(cls, image: CheckedImage) -> Self:
        """Look at an image."""
        with stage("thumbnail"):
            picture = Picture.of(image)
        with stage("sketch"):
            sketches = describe(artwork_id(picture.sha256), image)
        return cls(picture, sketches, image)
