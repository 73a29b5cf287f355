"""Models that give one vector of an image and know no words: of timm, TorchScript files, CSD."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from attribution.encoders.cores import share_cores
from attribution.encoders.descriptors import unit
from attribution.encoders.encoder import Lane, ModelInfo
from attribution.encoders.missing import BROKEN, unreachable
from attribution.encoders.portions import OF_A_TOWER, Portions
from attribution.encoders.runtimes import Forward
from attribution.encoders.spec import Once, Spec, VectorName
from attribution.encoders.tuned import Tuned
from attribution.encoders.weights import check_device
from attribution.errors import BadInput
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


@dataclass(frozen=True)
class FeatureModel:
    """A loaded model; `preprocess` makes (3, height, width) of an RGB image."""

    module: torch.nn.Module  # (n, 3, height, width) -> (n, width)
    preprocess: Callable[[Image], torch.Tensor]
    preprocessing: str  # the same in words
    revision: str  # SHA-256 of the weights, and of code that comes with them


class FeatureSpec(Spec):
    """A model of one named vector."""

    vector: VectorName
    lane: Lane

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """The one vector."""
        return {self.vector: self.lane}

    @abstractmethod
    def load(self) -> FeatureModel:
        """Load the model; raises ModelUnavailable, BadInput."""

    def encoder(self, device: str, tuned: Tuned | None = None) -> FeatureEncoder:
        """Return the encoder; see `Spec.encoder`."""
        return FeatureEncoder(self, device=device, tuned=tuned)


class FeatureEncoder:
    """Encodes images as the unit vectors of a model's features; loads on first use, once."""

    def __init__(self, spec: FeatureSpec, *, device: str, tuned: Tuned | None = None) -> None:
        self._spec = spec
        self._tuned = tuned
        self._device = device
        self._portions = Portions(spec.name, device=device, bytes_per_pixel=OF_A_TOWER)
        self._loaded = Once(self._load)
        self._forward = Once(self._chosen)

    @cached_property
    def info(self) -> ModelInfo:
        """What the model is; loads it, and looks once at nothing to learn its width."""
        from PIL import Image

        loaded = self._loaded()
        width = self._rows([Image.new("RGB", (8, 8))]).shape[1]
        return self._spec.info(
            loaded.revision, {self._spec.vector: width}, f"{loaded.preprocessing}; float32"
        )

    def encode(self, images: Sequence[Image]) -> Mapping[str, Matrix]:
        """Encode RGB images of any size; see `encoder.Encoder`."""
        return {self._spec.vector: unit(self._rows(images)).cpu().numpy()}

    def _rows(self, images: Sequence[Image]) -> torch.Tensor:
        loaded = self._loaded()
        (rows,) = self._portions.run(images, loaded.preprocess, self._forward())
        return rows.float()

    def _chosen(self) -> Forward:
        loaded = self._loaded()
        rows = _rows(self._spec, loaded.module)
        if self._tuned is None:
            return rows
        return self._tuned.forward(rows, self._spec.key(loaded.revision))

    def _load(self) -> FeatureModel:
        check_device(self._device)
        share_cores()
        loaded = self._spec.load()
        try:
            loaded.module.eval().to(self._device)
        except BROKEN as cause:
            raise unreachable("weights", self._spec.source, cause) from cause
        return loaded


def _rows(spec: FeatureSpec, module: torch.nn.Module) -> torch.nn.Module:
    """Return a model that gives a tuple of its one vector, and nothing else."""
    from torch import Tensor, nn

    class Rows(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, pixels: Tensor) -> tuple[Tensor]:
            rows = self.module(pixels)
            if not isinstance(rows, Tensor) or rows.ndim != 2:
                raise BadInput(
                    f"{spec.name} gives no vector of an image; what is needed is one row of "
                    f"numbers for each, and no map, list or class names"
                )
            return (rows,)

    return Rows().eval()
