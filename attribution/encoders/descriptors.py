"""Two descriptors of an image from its VAE latent, neither of them the flattened latent.

Flattened, a latent has tens of thousands of numbers and compares each place with the same place: a
shifted copy looks unrelated. *Style* forgets places and keeps statistics; *layout* keeps a coarse
map of places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SCALES = (1, 2, 4)  # average pooling before the statistics: fine texture, strokes, large forms
GRID = 8  # cells a side of the layout


def style(latents: torch.Tensor) -> torch.Tensor:
    """Describe by what marks an image is made, wherever they are. For attribution.

    `latents`: float, shape (n, channels, height, width), of unit variance. Returns shape
    (n, style_width(channels)), not yet standardised nor normalised: per scale the mean and the
    standard deviation of every channel (Huang & Belongie 2017, AdaIN) and of its horizontal and
    vertical differences, and the covariance of channels (the centred Gram matrix of Gatys, Ecker
    & Bethge 2016), under the signed square root that keeps strong entries from drowning the rest
    (Perronnin, Sánchez & Mensink 2010).
    """
    import torch
    from torch.nn import functional

    parts = []
    for scale in SCALES:
        pooled = functional.avg_pool2d(latents, scale)
        parts += [pooled.mean((2, 3)), pooled.std((2, 3), correction=0)]
        parts += [pooled.diff(dim=axis).std((2, 3), correction=0) for axis in (2, 3)]
        flat = pooled.flatten(2)
        flat = flat - flat.mean(2, keepdim=True)
        covariance = flat @ flat.transpose(1, 2) / flat.shape[2]
        upper = torch.triu_indices(latents.shape[1], latents.shape[1])
        parts.append(covariance[:, upper[0], upper[1]])
    statistics = torch.cat(parts, dim=1)
    return statistics.sign() * statistics.abs().sqrt()


def layout(latents: torch.Tensor) -> torch.Tensor:
    """Describe what is where, coarsely. For near-copies.

    `latents`: as for `style`. Returns shape (n, channels · GRID²): the latent averaged over a grid,
    each channel less its mean, so that a tint moves nothing (a spatial pyramid of one level,
    Lazebnik, Schmid & Ponce 2006).
    """
    from torch.nn import functional

    cells = functional.adaptive_avg_pool2d(latents, GRID)
    return (cells - cells.mean((2, 3), keepdim=True)).flatten(1)


def style_width(channels: int) -> int:
    """Return how many numbers `style` gives."""
    return len(SCALES) * (4 * channels + channels * (channels + 1) // 2)


def layout_width(channels: int) -> int:
    """Return how many numbers `layout` gives."""
    return channels * GRID**2


def unit(rows: torch.Tensor) -> torch.Tensor:
    """Return rows of length 1; a row of zeros (a blank image) becomes the constant direction.

    Blank images are alike, and like nothing else: no cosine is defined for a zero vector, and an
    engine that is given one answers with NaN.
    """
    import torch

    constant = torch.full_like(rows, rows.shape[1] ** -0.5)
    length = rows.norm(dim=1, keepdim=True)
    return torch.where(length > 1e-6, rows / length.clamp(min=1e-6), constant)
