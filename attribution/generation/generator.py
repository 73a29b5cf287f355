"""What a generator is to those who use it: what it is asked, and what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from PIL.Image import Image

LARGEST_SIDE_PX = 2_048
SIDE_STEP_PX = 16  # sides are multiples of it: 8 in the VAE, 2 in the denoiser


@dataclass(frozen=True)
class GeneratorInfo:
    """What a generator is, as data; shown with every picture that it made."""

    model: str  # a repository id, a folder, or "starter"
    family: str  # the pipeline's class: "StableDiffusionPipeline", "FluxPipeline", …
    revision: str  # the hub's commit, or sha256 of the weights' files
    lora: str = ""  # what was laid over it


@dataclass(frozen=True)
class ImageRequest:
    """What a generator is asked for. None: as the model's authors have set it."""

    prompt: str
    negative_prompt: str = ""
    count: int = 1
    seed: int = 0  # of the first picture; every further one has the next number
    steps: int | None = None
    guidance: float | None = None
    width: int | None = None  # pixels
    height: int | None = None  # pixels
    strength: float | None = None  # of a given picture: how far to go from it, above 0 to 1


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
    """Draws pictures from words, or from words and a picture."""

    @property
    def info(self) -> GeneratorInfo:
        """What the model is; reading it may load the model."""
        ...

    def generate(
        self,
        request: ImageRequest,
        *,
        on_step: Callable[[int, int], None],
        given: Image | None = None,
    ) -> Drawing:
        """Draw `request.count` RGB pictures; the same seed draws the same picture.

        `given`: an RGB picture that they are made from; None: from words alone.
        `on_step(done, steps)` is called after every step, over all pictures, and may raise to end
        the work. Raises BadInput for a request that the model cannot follow, such as one with a
        picture for a model that cannot begin with one, ModelUnavailable.
        """
        ...
