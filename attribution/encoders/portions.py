"""How many images a model is given at once: bounded by memory, and halved when it runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attribution.encoders.memory import ran_out
from attribution.errors import ShortOfMemory

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

MOST_BYTES = 2 * 2**30  # of activations at once
# Bytes of activations per pixel of input, float32, as the peak of resident memory on a CPU.
OF_A_VAE = 2_700  # Stable Diffusion's: 654 MiB for one image of 512 px; TAESD: 275 MiB
OF_A_TOWER = 300  # ConvNeXt-B of 224 px: 191; ViTs and ResNets need less


class Portions:
    """Runs a model over images, portion by portion; remembers how large a portion may be."""

    def __init__(self, model: str, *, device: str, bytes_per_pixel: int) -> None:
        self._model = model
        self._device = device
        self._most_pixels = MOST_BYTES // bytes_per_pixel

    def run(
        self,
        images: Sequence[Image],
        prepare: Callable[[Image], torch.Tensor],
        forward: Callable[[torch.Tensor], tuple[torch.Tensor, ...]],
    ) -> tuple[torch.Tensor, ...]:
        """Return what `forward` makes of all images, each of its tensors with a row per image.

        `prepare` makes (3, height, width) of an image, the same of each. Raises ShortOfMemory if
        there is no memory for one image.
        """
        import torch

        done = []
        rest = [prepare(image) for image in images]
        height, width = rest[0].shape[1:]
        while rest:
            few = rest[: max(1, self._most_pixels // (height * width))]
            try:
                with torch.inference_mode():
                    done.append(forward(torch.stack(few).to(self._device)))
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                if len(few) == 1:
                    raise self._too_large(height, width) from error
                self._most_pixels = len(few) // 2 * height * width
                continue
            rest = rest[len(few) :]
        return tuple(torch.cat(parts) for parts in zip(*done, strict=True))

    def _too_large(self, height: int, width: int) -> ShortOfMemory:
        ways = "a smaller `size_px` where the model takes one, or a profile of smaller models"
        if self._device != "cpu":
            ways = f"LAWFUL_DEVICE=cpu, {ways}"
        return ShortOfMemory(
            f"{self._model} ran out of memory on {self._device} for one image of "
            f"{width} × {height} pixels; choose {ways} (docs/models.md)"
        )
