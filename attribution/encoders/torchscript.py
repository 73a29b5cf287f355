"""Models in one file of TorchScript, such as the published copy detectors."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from attribution.encoders.features import FeatureModel, FeatureSpec
from attribution.encoders.missing import BROKEN, unreachable
from attribution.encoders.resizing import OPEN_CLIP, Resize

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

Triple = tuple[float, float, float]

IMAGENET_MEAN: Triple = (0.485, 0.456, 0.406)
IMAGENET_STD: Triple = (0.229, 0.224, 0.225)


class TorchScriptSpec(FeatureSpec):
    """Which file, and how an image is prepared for it: the file does not say."""

    kind: Literal["torchscript"]
    size_px: Annotated[int, Field(ge=16, le=2048)]
    resize: Resize = "squash"
    mean: Triple = IMAGENET_MEAN
    std: Triple = IMAGENET_STD

    def load(self) -> FeatureModel:
        """Load it; see `FeatureSpec.load`."""
        import torch

        if not Path(self.model).is_file():
            raise unreachable("a TorchScript file", self.model, FileNotFoundError("no such file"))
        try:
            with warnings.catch_warnings():  # torch deprecates the format that people publish in
                warnings.simplefilter("ignore", FutureWarning)
                module = torch.jit.load(  # type: ignore[no-untyped-call]  # torch leaves it untyped
                    self.model, map_location="cpu"
                )
        except BROKEN as cause:
            raise unreachable("a TorchScript file", self.model, cause) from cause
        said = f"{self.resize} to {self.size_px} px, bicubic, mean {self.mean}, std {self.std}"
        revision = hashlib.sha256(Path(self.model).read_bytes()).hexdigest()  # its code too
        return FeatureModel(module, self._preprocess(), said, revision)

    def _preprocess(self) -> Callable[[Image], torch.Tensor]:
        from open_clip.transform import PreprocessCfg, image_transform_v2

        configuration = PreprocessCfg(
            size=self.size_px,
            mean=self.mean,
            std=self.std,
            interpolation="bicubic",
            resize_mode=OPEN_CLIP[self.resize],
        )
        transform: Callable[[Image], torch.Tensor] = image_transform_v2(
            configuration, is_train=False
        )
        return transform
