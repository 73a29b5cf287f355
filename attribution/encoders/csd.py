"""CSD: a CLIP ViT whose projection was trained to tell styles apart (Somepalli et al. 2024).

Somepalli, Gupta, Gupta, Palta, Goldblum, Geiping, Shrivastava, Goldstein: Measuring Style
Similarity in Diffusion Models. Users report that the published weights do not reach the paper's
figures (docs/models.md), so no profile of the package has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from attribution.encoders.encoder import Lane
from attribution.encoders.features import FeatureModel, FeatureSpec
from attribution.encoders.missing import BROKEN, unreachable
from attribution.encoders.spec import VectorName
from attribution.encoders.weights import state_hash
from attribution.errors import BadInput

if TYPE_CHECKING:
    import torch

BACKBONE = "backbone."
PROJECTION = "last_layer_style"  # (width of the tower, width of the vector)
LEFT_OUT = ("last_layer_content", BACKBONE + "proj")  # of another aim, and of CLIP's own
BLOCK = re.compile(r"transformer\.resblocks\.(\d+)\.")
HEAD_WIDTH = 64  # of all of CLIP's ViTs


class CsdSpec(FeatureSpec):
    """Which safetensors file, with the names of the published checkpoint."""

    kind: Literal["csd"]
    vector: VectorName = "csd"
    lane: Lane = Lane.STYLE

    def load(self) -> FeatureModel:
        """Build the tower that the weights are of; see `FeatureSpec.load`."""
        from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
        from open_clip.transform import PreprocessCfg, image_transform_v2
        from safetensors.torch import load_file

        if Path(self.model).suffix != ".safetensors":
            raise BadInput(f"{self.model}: weights of CSD are read from a .safetensors file alone")
        try:
            weights = load_file(self.model)
        except BROKEN as cause:
            raise unreachable("CSD weights", self.model, cause) from cause
        tower, size = _tower(self.model, weights)
        preprocess = image_transform_v2(
            PreprocessCfg(size=size, mean=OPENAI_DATASET_MEAN, std=OPENAI_DATASET_STD),
            is_train=False,
        )
        return FeatureModel(tower, preprocess, f"{preprocess}", state_hash(tower))


def _tower(source: str, weights: Mapping[str, torch.Tensor]) -> tuple[torch.nn.Module, int]:
    """Return the tower with its style projection, and the side of its images in pixels.

    Its sizes are read from the weights: the file has no configuration.
    """
    from open_clip.model import CLIPVisionCfg
    from open_clip.transformer import QuickGELU, VisionTransformer

    names = {name.removeprefix("module."): value for name, value in weights.items()}
    own: dict[str, Any] = {
        name.removeprefix(BACKBONE): value
        for name, value in names.items()
        if name.startswith(BACKBONE) and name not in LEFT_OUT
    }
    try:
        own["proj"] = names[PROJECTION]
        width, _, patch, _ = own["conv1.weight"].shape
        side = round((len(own["positional_embedding"]) - 1) ** 0.5) * patch
        layers = 1 + max(int(found[1]) for name in own if (found := BLOCK.match(name)))
        tower = VisionTransformer(
            image_size=side,
            patch_size=patch,
            width=width,
            layers=layers,
            heads=width // HEAD_WIDTH,
            mlp_ratio=CLIPVisionCfg.mlp_ratio,
            output_dim=own["proj"].shape[1],
            act_layer=QuickGELU,
        )
        tower.load_state_dict(own)
    except (KeyError, ValueError, RuntimeError) as cause:
        raise BadInput(
            f"{source}: these are not weights of CSD ({str(cause).splitlines()[0]}); what is "
            f"needed is the published checkpoint's model, saved as safetensors"
        ) from None
    return tower, side
