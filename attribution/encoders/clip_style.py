"""By what hand, from the image tower of a CLIP: statistics of its early and middle stages.

What a tower makes of an image before it knows what is shown. Places are forgotten, as in the style
descriptor of a VAE (`descriptors.style`); only here the channels were learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

STATISTICS_FILE = "style_statistics.safetensors"  # of a model's folder: numbers frozen with it
WIDEST = 128  # channels of a stage that are taken as they are; of wider ones,
PROJECTED = 64  # so many random mixtures
SEED = 20261127  # of the mixtures
DEPTHS = (1 / 6, 1 / 3, 1 / 2)  # of a ViT, whose layers are all of one size
STRENGTH = 0.5  # of the whitening: 1 would make all axes alike
LEAST = 1e-3  # of a deviation, and of the first axis's spread
METHOD = f"stages: {WIDEST} or {PROJECTED} channels, seed {SEED}, layers at 1/6, 1/3, 1/2"


@dataclass(frozen=True)
class Frozen:
    """What statistics are standardised by, measured once on works that the model was trained on."""

    centre: torch.Tensor  # (statistics,)
    axes: torch.Tensor  # (width, statistics)

    @property
    def digest(self) -> str:
        """The SHA-256 of the numbers, hexadecimal."""
        both = (value.cpu().numpy().tobytes() for value in (self.centre, self.axes))
        return sha256(b"".join(both)).hexdigest()


def statistics(stages: Sequence[torch.Tensor]) -> torch.Tensor:
    """Describe by what marks images are made, wherever they are.

    `stages`: what every stage or layer of the tower makes of the images, (n, channels, h, w). Of a
    tower whose stages shrink, all but the last are looked at, else the layers at `DEPTHS`. Returns
    shape (n, statistics): of each the mean and the standard deviation of its channels over the
    places (Huang & Belongie 2017), under the signed square root (Perronnin, Sánchez & Mensink
    2010).
    """
    import torch

    if stages[0].shape[-1] > stages[-1].shape[-1]:
        chosen = stages[:-1]
    else:
        chosen = [stages[int(depth * len(stages))] for depth in DEPTHS]
    parts = []
    for number, stage in enumerate(chosen):
        variance, mean = torch.var_mean(_mixed(stage.float(), SEED + number), (2, 3), correction=0)
        parts += [mean, variance.sqrt()]
    joined = torch.cat(parts, dim=1)
    return joined.sign() * joined.abs().sqrt()


def standardised(rows: torch.Tensor, frozen: Frozen | None) -> torch.Tensor:
    """Return statistics from their centre along their axes; as they are without frozen numbers."""
    return rows if frozen is None else (rows - frozen.centre) @ frozen.axes.T


def freeze(rows: torch.Tensor) -> Frozen:
    """Measure the centre of statistics, of many works, and their axes, half whitened."""
    import torch

    centre, deviation = rows.mean(0), rows.std(0).clamp(min=LEAST)
    _, spread, axes = torch.linalg.svd((rows - centre) / deviation, full_matrices=False)
    spread = spread.clamp(min=LEAST * float(spread[0]))
    scale = (spread[0] / spread) ** STRENGTH
    return Frozen(centre, axes * scale[:, None] / deviation)


def load(folder: Path) -> Frozen | None:
    """Return the frozen numbers in a model's folder; None where it has none."""
    from safetensors.torch import load_file

    path = folder / STATISTICS_FILE
    if not path.is_file():
        return None
    values = load_file(path)
    return Frozen(values["centre"].float(), values["axes"].float())


def save(frozen: Frozen, folder: Path) -> None:
    """Write frozen numbers into a model's folder, in half precision."""
    from safetensors.torch import save_file

    values = {"centre": frozen.centre.float(), "axes": frozen.axes.half().contiguous()}
    save_file(values, folder / STATISTICS_FILE)


def _mixed(stage: torch.Tensor, seed: int) -> torch.Tensor:
    """Return the channels of a stage, or mixtures of many, (n, channels, h, w): fixed by `seed`."""
    import torch

    channels = stage.shape[1]
    if channels <= WIDEST:
        return stage
    mixed: torch.Tensor = torch.einsum(
        "pc,nchw->nphw", _mixture(channels, seed).to(stage.device), stage
    )
    return mixed


@lru_cache
def _mixture(channels: int, seed: int) -> torch.Tensor:
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode(mode=False):  # whoever asks first: others may convert the model
        return torch.randn(PROJECTED, channels, generator=generator) / float(channels**0.5)
