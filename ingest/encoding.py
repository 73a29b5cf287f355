"""The second step of the pipeline: the images of checked files become vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from attribution.catalogue.models import artwork_id
from attribution.copies.description import encode_parts
from attribution.encoders.encoder_set import EncoderSet
from attribution.types import Matrix, Vector
from ingest.reading import Prepared


@dataclass(frozen=True)
class Encoded:
    """What was encoded of some files."""

    files: Sequence[Prepared]
    vectors: Mapping[str, dict[str, Vector]]  # of works that show something, by hash and name
    parts: Mapping[UUID, Matrix]  # of works that have any: strips, and transparent pictures


def encode(encoders: EncoderSet, files: Sequence[Prepared]) -> Encoded:
    """Encode the images that show something, and their parts, each picture once."""
    usable = [done for done in files if done.refused is None]
    shown = [done.image or done.again for done in usable if not done.is_blank]
    vectors = encoders.encode_each({image.facts.sha256: image.rgb for image in shown if image})
    parts = {
        artwork_id(done.parts.facts.sha256): encode_parts(encoders, done.parts)
        for done in usable
        if done.parts
    }
    return Encoded(files, vectors, {work: rows for work, rows in parts.items() if rows is not None})
