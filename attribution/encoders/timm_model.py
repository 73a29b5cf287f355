"""Image models of timm, such as DINOv2 and DINOv3: their pooled features."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from attribution.encoders.features import FeatureModel, FeatureSpec
from attribution.encoders.missing import BROKEN, unreachable
from attribution.encoders.resizing import TIMM, Resize
from attribution.encoders.weights import state_hash
from attribution.errors import BadInput

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image


class TimmSpec(FeatureSpec):
    """Which model: timm's name with its tag, `hf-hub:…` or `local-dir:…`."""

    kind: Literal["timm"]
    size_px: Annotated[int, Field(ge=16, le=2048)] | None = None  # none: the model's own
    resize: Resize | None = None  # none: as the model's authors do

    def load(self) -> FeatureModel:
        """Load it without its classes; see `FeatureSpec.load`."""
        import timm

        if ":" not in self.model and not timm.is_model(self.model.partition(".")[0]):
            raise BadInput(
                f"timm has no model {self.model!r}; "
                f"`python -c 'import timm; print(timm.list_models(pretrained=True))'` lists them"
            )
        try:
            model = timm.create_model(
                self.model, pretrained=True, num_classes=0, img_size=self.size_px
            )
        except TypeError as cause:
            if self.size_px is None:
                raise
            raise BadInput(f"{self.name} takes no size_px ({cause}); leave it out") from None
        except BROKEN as cause:
            raise unreachable("weights", self.source, cause) from cause
        return FeatureModel(model, *_preprocessing(model, self), state_hash(model))


def _preprocessing(model: Any, spec: TimmSpec) -> tuple[Callable[[Image], torch.Tensor], str]:
    """Return how an image is prepared, as the model's authors do but for what the spec says."""
    from timm.data.config import resolve_model_data_config
    from timm.data.transforms_factory import create_transform

    own: dict[str, object] = {"img_size": spec.size_px} if spec.size_px else {}
    if spec.resize:
        own |= {"crop_mode": TIMM[spec.resize], "crop_pct": 1.0}  # else all three lose the borders
    configuration = resolve_model_data_config(  # type: ignore[no-untyped-call]  # timm's
        model, args=own
    )
    transform = create_transform(**configuration, is_training=False)
    return transform, str(transform)
