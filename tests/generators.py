"""A generator for tests that want to know what is drawn."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image

from attribution.generation.generator import Drawing, Drawn, ImageRequest
from attribution.generation.stub import StubGenerator


class Copyist:
    """Draws what it is given: a work by heart, or what its safety checker refuses."""

    info = StubGenerator.info

    def __init__(self, image: Image.Image | None) -> None:
        self._image = image

    def generate(
        self,
        request: ImageRequest,
        *,
        on_step: Callable[[int, int], None],
        given: Image.Image | None = None,  # noqa: ARG002  it knows what to draw
    ) -> Drawing:
        """Draw; see `generator.Generator`."""
        on_step(1, 1)
        return Drawing((Drawn(request.seed, self._image),), ())
