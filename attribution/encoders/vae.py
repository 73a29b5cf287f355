"""A diffusion model's VAE, through diffusers: two descriptors of one latent (`descriptors`)."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attribution.encoders import descriptors
from attribution.encoders.encoder import ModelInfo
from attribution.encoders.weights import check_device, state_hash, unreachable
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

STATISTICS_FILE = "style_statistics.json"  # mean and deviation of the style descriptor


@dataclass(frozen=True)
class VaeSpec:
    """Which VAE: a repository id or a local folder, perhaps a subfolder, and its input size."""

    model: str
    kind: Literal["AutoencoderKL", "AutoencoderTiny"] = "AutoencoderKL"
    subfolder: str | None = None
    size_px: int = 256
    license: str = "unknown"

    @property
    def name(self) -> str:
        """The model's name as people quote it."""
        return f"{self.model}/{self.subfolder}" if self.subfolder else self.model


@dataclass(frozen=True)
class _Loaded:
    model: Any  # diffusers ships no types
    channels: int
    centre: torch.Tensor  # of the style descriptor, zeros without statistics
    spread: torch.Tensor  # of the style descriptor, ones without statistics


class VaeEncoder:
    """Encodes images as `vae_style` and `vae_layout` vectors in one pass; loads on first use."""

    def __init__(self, spec: VaeSpec, *, device: str) -> None:
        self._spec = spec
        self._device = device
        self._lock = threading.Lock()
        self._model: _Loaded | None = None

    @cached_property
    def info(self) -> ModelInfo:
        """What the model is; loads it."""
        loaded = self._loaded()
        frozen = [round(float(value), 5) for value in (*loaded.centre, *loaded.spread)]
        return ModelInfo(
            name="vae",
            model=self._spec.name,
            vectors={
                "vae_style": descriptors.style_width(loaded.channels),
                "vae_layout": descriptors.layout_width(loaded.channels),
            },
            revision=state_hash(loaded.model),
            preprocessing=(
                f"squashed to {self._spec.size_px} px, bicubic; float32; scales "
                f"{descriptors.SCALES}, grid {descriptors.GRID}, standardised by {frozen}"
            ),
            license=self._spec.license,
        )

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        loaded = self._loaded()
        latents = self.latents(images)
        style = (descriptors.style(latents) - loaded.centre) / loaded.spread
        rows = {"vae_style": style, "vae_layout": descriptors.layout(latents)}
        return {name: descriptors.unit(row).cpu().numpy() for name, row in rows.items()}

    def latents(self, images: Sequence[Image]) -> torch.Tensor:
        """Return the means of the latents, of unit variance by the model's own scaling.

        float32, shape (len(images), channels, size_px / 8, size_px / 8) for the usual models.
        """
        import torch

        model = self._loaded().model
        pixels = torch.stack([self._pixels(image) for image in images]).to(self._device)
        with torch.inference_mode():
            coded = model.encode(pixels)
        mean = coded.latent_dist.mode() if hasattr(coded, "latent_dist") else coded.latents
        shift = getattr(model.config, "shift_factor", None) or 0.0
        scaled: torch.Tensor = (mean.float() - shift) * model.config.scaling_factor
        return scaled

    def _pixels(self, image: Image) -> torch.Tensor:
        """Squash to a square, in −1…1: what a crop loses or a border adds would be statistics."""
        import numpy as np
        import torch
        from PIL.Image import Resampling

        size = (self._spec.size_px, self._spec.size_px)
        square = np.asarray(image.resize(size, Resampling.BICUBIC), dtype=np.float32)
        return torch.from_numpy(square / 127.5 - 1).permute(2, 0, 1)

    def _loaded(self) -> _Loaded:
        with self._lock:  # two requests may find the model unloaded
            if self._model is None:
                self._model = _load(self._spec, self._device)
            return self._model


def _load(spec: VaeSpec, device: str) -> _Loaded:
    import diffusers
    import torch

    where = {"subfolder": spec.subfolder} if spec.subfolder else {}
    check_device(device)
    try:
        model = getattr(diffusers, spec.kind).from_pretrained(
            spec.model, torch_dtype=torch.float32, low_cpu_mem_usage=False, **where
        )
    except (OSError, ValueError) as cause:
        raise unreachable("VAE weights", spec.name, cause) from cause
    model = model.eval().to(device)
    channels = int(model.config.latent_channels)
    statistics = Path(spec.model) / STATISTICS_FILE
    if statistics.is_file():
        frozen = json.loads(statistics.read_text(encoding="utf-8"))
        centre, spread = torch.tensor(frozen["mean"]), torch.tensor(frozen["deviation"])
    else:
        width = descriptors.style_width(channels)
        centre, spread = torch.zeros(width), torch.ones(width)
    return _Loaded(model, channels, centre.to(device), spread.to(device))
