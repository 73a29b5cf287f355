"""The seams, as their callers see them: small Protocols without an implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from PIL.Image import Image

from attribution.types import GeneratorInfo, ImageRequest, Matrix, ModelInfo, Patches

PATCHES = 14  # places a side, whatever the model


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


@dataclass(frozen=True)
class Drawn:
    """One picture of a generator; none when the model's own safety checker keeps it back."""

    seed: int  # with which it alone comes again
    image: Image | None


@dataclass(frozen=True)
class Drawing:
    """The pictures of one request, in the order of their seeds."""

    pictures: tuple[Drawn, ...]
    notes: tuple[str, ...]  # what was done to the request: words that were cut off


class Generator(Protocol):
    """Draws pictures from words."""

    @property
    def info(self) -> GeneratorInfo:
        """What the model is; reading it may load the model."""
        ...

    def generate(self, request: ImageRequest, *, on_step: Callable[[int, int], None]) -> Drawing:
        """Draw `request.count` RGB pictures; the same seed draws the same picture.

        `on_step(done, steps)` is called after every step, over all pictures, and may raise to end
        the work. Raises BadInput for a request that the model cannot follow, ModelUnavailable.
        """
        ...
