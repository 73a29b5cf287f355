"""Pictures become vectors: the middle step of the pipeline, and all that a bulk job does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from attribution.copies.description import encode_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.images import CheckedImage
from attribution.types import Matrix, Vector


@dataclass(frozen=True)
class Encoded:
    """What was made of some files, by their hashes."""

    vectors: Mapping[str, Mapping[str, Vector]] = field(default_factory=dict)  # by name
    parts: Mapping[str, Matrix] = field(default_factory=dict)  # a row for each, from part 1 on


def encode(
    encoders: EncoderSet, whole: Iterable[CheckedImage], with_parts: Iterable[CheckedImage]
) -> Encoded:
    """Encode some images, and of some the parts; each once."""
    parts = {image.facts.sha256: image for image in with_parts}
    encoded = {sha256: encode_parts(encoders, image) for sha256, image in parts.items()}
    return Encoded(
        encoders.encode_each({image.facts.sha256: image.rgb for image in whole}),
        {sha256: rows for sha256, rows in encoded.items() if rows is not None},
    )
