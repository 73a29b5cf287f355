"""What an encoder is to those who use it, and what is known of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from PIL.Image import Image

from attribution.types import Matrix, Patches


class Lane(StrEnum):
    """What a named vector is for."""

    CONTENT = "content"  # what is shown; it votes, and texts and parts of works are found in it
    STYLE = "style"  # by what hand; it votes
    COPY = "copy"  # near-copies are looked for in it; it has no vote


def of_lane(lanes: Mapping[str, str], lane: Lane) -> list[str]:
    """Return the named vectors of a lane, by name."""
    return sorted(name for name, own in lanes.items() if own == lane)


def voting(lanes: Mapping[str, str]) -> list[str]:
    """Return the named vectors that vote, by name."""
    return sorted(name for name, lane in lanes.items() if lane != Lane.COPY)


def space_of_parts(lanes: Mapping[str, str]) -> str | None:
    """Return the named vector by which parts of works are found: of content, the first by name."""
    return min((name for name, lane in lanes.items() if lane == Lane.CONTENT), default=None)


@dataclass(frozen=True)
class ModelInfo:
    """What an encoder is, as data; stored with the vectors so that models never mix."""

    model: str  # "ViT-B-32/laion2b_s34b_b79k", "madebyollin/taesd"
    vectors: Mapping[str, int]  # named vector -> width
    lanes: Mapping[str, Lane]  # of the same vectors
    revision: str  # sha256 of the weights, hexadecimal
    preprocessing: str  # everything that changes a vector: size, resampling, precision, descriptor
    license: str

    def __post_init__(self) -> None:
        for name, dim in self.vectors.items():
            if dim <= 0:
                raise ValueError(
                    f"{self.model}: vector {name!r} must have a positive width, got {dim}"
                )


class Encoder(Protocol):
    """Turns images into unit vectors that can be compared by cosine."""

    @property
    def info(self) -> ModelInfo:
        """What the model is; reading it may load the model."""
        ...

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size.

        Returns one matrix for every name in `info.vectors`: float32, shape (len(images), dim),
        rows L2-normalised and finite, in the order of `images`.
        """
        ...


@runtime_checkable
class TextEncoder(Protocol):
    """The second capability: texts in the space of one of the image vectors."""

    text_vector: str  # the named vector that texts can be compared with

    def encode_text(self, texts: Sequence[str]) -> Matrix:
        """Encode texts; float32, shape (len(texts), dim), rows L2-normalised."""
        ...


@runtime_checkable
class PatchEncoder(Protocol):
    """The third capability: what is where in an image, as one descriptor a place."""

    def encode_patches(self, images: Sequence[Image]) -> Patches:
        """Describe the places of square RGB images.

        Returns float32, shape (len(images), PATCHES, PATCHES, dim), rows of places from the top;
        of any length, to be compared by cosine. Raises BadInput for a model
        that keeps no map of places.
        """
        ...
