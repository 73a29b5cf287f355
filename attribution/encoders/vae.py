"""A diffusion model's VAE, through diffusers: two descriptors of one latent (`descriptors`)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from attribution.encoders import descriptors
from attribution.encoders.cores import share_cores
from attribution.encoders.encoder import Lane, ModelInfo
from attribution.encoders.missing import BROKEN, other_weights, unreachable, weight_files
from attribution.encoders.portions import OF_A_VAE, Portions
from attribution.encoders.runtimes import Forward
from attribution.encoders.spec import Once, Spec, VectorName
from attribution.encoders.tuned import Tuned
from attribution.encoders.weights import check_device, state_hash
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

STATISTICS_FILE = "style_statistics.json"  # mean and deviation of the style descriptor


class VaeSpec(Spec):
    """Which VAE: a repository id or a local folder, perhaps a subfolder, and its input size."""

    kind: Literal["vae"] = "vae"
    architecture: Literal["AutoencoderKL", "AutoencoderTiny"] = "AutoencoderKL"
    subfolder: str | None = None
    variant: Annotated[str, Field(pattern=r"^[\w-]+$")] | None = None  # of its files: "fp16"
    size_px: Annotated[int, Field(ge=16, le=2048)] = 256
    vector: VectorName = "vae"  # of both of its vectors, the beginning of the name

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """By what hand, and what is where."""
        return {self.style: Lane.STYLE, self.layout: Lane.COPY}

    @property
    def style(self) -> str:
        """The named vector of the style descriptor."""
        return f"{self.vector}_style"

    @property
    def layout(self) -> str:
        """The named vector of the layout descriptor."""
        return f"{self.vector}_layout"

    @property
    def source(self) -> str:
        """The repository or folder, with its subfolder."""
        return f"{self.model}/{self.subfolder}" if self.subfolder else self.model

    def encoder(self, device: str, tuned: Tuned | None = None) -> VaeEncoder:
        """Return the encoder; see `Spec.encoder`."""
        return VaeEncoder(self, device=device, tuned=tuned)


@dataclass(frozen=True)
class _Loaded:
    model: Any  # diffusers ships no types
    channels: int
    centre: torch.Tensor  # of the style descriptor, zeros without statistics
    spread: torch.Tensor  # of the style descriptor, ones without statistics
    revision: str
    forward: Forward  # the means of the latents of pixels


class VaeEncoder:
    """Encodes images as a style and a layout vector in one pass; loads on first use, once."""

    def __init__(self, spec: VaeSpec, *, device: str, tuned: Tuned | None = None) -> None:
        self._spec = spec
        self._loaded = Once(lambda: _load(spec, device, tuned))
        self._portions = Portions(spec.name, device=device, bytes_per_pixel=OF_A_VAE)

    @cached_property
    def info(self) -> ModelInfo:
        """What the model is; loads it."""
        loaded = self._loaded()
        frozen = [round(float(value), 5) for value in (*loaded.centre, *loaded.spread)]
        return self._spec.info(
            loaded.revision,
            {
                self._spec.style: descriptors.style_width(loaded.channels),
                self._spec.layout: descriptors.layout_width(loaded.channels),
            },
            f"squashed to {self._spec.size_px} px, bicubic; float32; scales "
            f"{descriptors.SCALES}, grid {descriptors.GRID}, standardised by {frozen}",
        )

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        loaded = self._loaded()
        latents = self.latents(images)
        style = (descriptors.style(latents) - loaded.centre) / loaded.spread
        rows = {self._spec.style: style, self._spec.layout: descriptors.layout(latents)}
        return {name: descriptors.unit(row).cpu().numpy() for name, row in rows.items()}

    def latents(self, images: Sequence[Image]) -> torch.Tensor:
        """Return the means of the latents, of unit variance by the model's own scaling.

        float32, shape (len(images), channels, size_px / 8, size_px / 8) for the usual models.
        """
        (latents,) = self._portions.run(images, self._pixels, self._coded)
        return latents

    def _coded(self, pixels: torch.Tensor) -> tuple[torch.Tensor]:
        loaded = self._loaded()
        (mean,) = loaded.forward(pixels)
        shift = getattr(loaded.model.config, "shift_factor", None) or 0.0
        return ((mean.float() - shift) * loaded.model.config.scaling_factor,)

    def _pixels(self, image: Image) -> torch.Tensor:
        """Squash to a square, in −1…1: what a crop loses or a border adds would be statistics."""
        import numpy as np
        import torch
        from PIL.Image import Resampling

        size = (self._spec.size_px, self._spec.size_px)
        square = np.asarray(image.resize(size, Resampling.BICUBIC), dtype=np.float32)
        return torch.from_numpy(square / 127.5 - 1).permute(2, 0, 1)


def _coder(model: Any) -> torch.nn.Module:
    """Return the half that makes latents as a module of its own."""
    from torch import Tensor, nn

    class Coder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: Tensor) -> tuple[Tensor]:
            coded = self.model.encode(pixels)
            has_spread = hasattr(coded, "latent_dist")
            return (coded.latent_dist.mode() if has_spread else coded.latents,)

    return Coder().eval()


def _load(spec: VaeSpec, device: str, tuned: Tuned | None) -> _Loaded:
    import diffusers
    import torch

    where = {"subfolder": spec.subfolder} if spec.subfolder else {}
    check_device(device)
    share_cores()
    try:
        model = getattr(diffusers, spec.architecture).from_pretrained(
            spec.model,
            variant=spec.variant,
            use_safetensors=True,  # a pickle can run code
            torch_dtype=torch.float32,  # half precision overflows in some VAEs
            low_cpu_mem_usage=False,
            **where,
        )
        model = model.eval().to(device)
    except BROKEN as cause:
        raise unreachable(
            "VAE weights",
            spec.source,
            cause,
            lambda: other_weights(
                weight_files(spec.model, spec.subfolder), spec.variant, 'variant = "{}"'
            ),
        ) from cause
    if device == "cpu":  # a tenth faster for convolutions there; cosines to the other order 0.99999
        model = model.to(memory_format=torch.channels_last)
    channels = int(model.config.latent_channels)
    statistics = Path(spec.model) / STATISTICS_FILE
    if statistics.is_file():
        frozen = json.loads(statistics.read_text(encoding="utf-8"))
        centre, spread = torch.tensor(frozen["mean"]), torch.tensor(frozen["deviation"])
    else:
        width = descriptors.style_width(channels)
        centre, spread = torch.zeros(width), torch.ones(width)
    revision = state_hash(model)
    coder = _coder(model)
    forward = tuned.forward(coder, spec.key(revision)) if tuned else coder
    return _Loaded(model, channels, centre.to(device), spread.to(device), revision, forward)
