"""Trains the starter VAE: a small AutoencoderKL on 64-pixel crops, L1 + KL (Rombach et al. 2022).

Rombach, Blattmann, Lorenz, Esser, Ommer: High-Resolution Image Synthesis with Latent Diffusion
Models, 2022; without their perceptual and adversarial losses, which need networks of their own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.laboratory.starter.checkpoint import EVERY, Checkpoint, curve, rate

if TYPE_CHECKING:
    import torch

    from attribution.laboratory.starter import Plan, Progress
    from attribution.laboratory.starter.works import Work

SIDE = 64
SIDE_ENCODED = 128  # of the images that the finished model encodes, as its profile says
WHOLE = 0.35  # share of crops that show the whole work, small
KL_WEIGHT = 1e-6
PEAK_RATE = 1e-3


def train(works: Sequence[Work], out: Path, *, plan: Plan, progress: Progress) -> list[float]:
    """Train and write `out/vae`; returns the mean loss of every `EVERY` steps."""
    import torch

    torch.manual_seed(plan.seed)
    pictures = [_picture(work.path) for work in works]
    model = build()
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.0)
    checkpoint = Checkpoint(out / "vae.checkpoint.pt", model, optimiser, works)
    losses = checkpoint.load()
    for step in range(len(losses), plan.vae_steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, plan.vae_steps, peak=PEAK_RATE)
        loss = _loss(model, _crops(pictures, plan.crops))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if (step + 1) % EVERY == 0:
            checkpoint.save(losses)
            progress("vae", step + 1, plan.vae_steps, sum(losses[-EVERY:]) / EVERY)
    _save(model, pictures, out / "vae")
    write_statistics(works, out / "vae")
    checkpoint.clear()
    return curve(losses)


def build() -> Any:
    """Return the untrained model: 8 times down, 4 latent channels, 1.6 million parameters."""
    from diffusers import AutoencoderKL

    return AutoencoderKL(  # type: ignore[no-untyped-call]  # diffusers leaves it untyped
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(16, 32, 64, 128),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=SIDE,
    )


def _loss(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    posterior = model.encode(pixels).latent_dist
    rebuilt = model.decode(posterior.sample()).sample
    kl = posterior.kl().mean()
    loss: torch.Tensor = (rebuilt - pixels).abs().mean() + KL_WEIGHT * kl
    return loss


def _picture(path: Path) -> torch.Tensor:
    """Return pixels as uint8 of shape (3, height, width), at least SIDE on every side."""
    import numpy as np
    import torch
    from PIL import ImageOps

    from attribution.images import read_image_file

    rgb = read_image_file(path).rgb
    if min(rgb.size) < SIDE:
        rgb = ImageOps.pad(rgb, (max(rgb.width, SIDE), max(rgb.height, SIDE)), color="white")
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1)


def _crops(pictures: Sequence[torch.Tensor], count: int) -> torch.Tensor:
    """Return random crops, flipped at random and some of them shrunk, in −1…1."""
    import torch
    from torch.nn import functional

    crops = []
    for _ in range(count):
        picture = pictures[int(torch.randint(len(pictures), ()))]
        if torch.rand(()) < WHOLE:
            whole = picture[None].float()
            crop = functional.interpolate(whole, (SIDE, SIDE), mode="bilinear", antialias=True)[0]
        else:
            top = int(torch.randint(picture.shape[1] - SIDE + 1, ()))
            left = int(torch.randint(picture.shape[2] - SIDE + 1, ()))
            crop = picture[:, top : top + SIDE, left : left + SIDE].float()
        crops.append(crop.flip(-1) if torch.rand(()) < 0.5 else crop)
    return torch.stack(crops) / 127.5 - 1


def _save(model: Any, pictures: Sequence[torch.Tensor], folder: Path) -> None:
    """Write the model in half precision, its latents scaled to unit variance as in the paper."""
    import torch

    model.eval()
    with torch.inference_mode():
        latents = torch.cat([model.encode(_crops(pictures, 64)).latent_dist.mean for _ in range(8)])
    model.register_to_config(scaling_factor=round(1 / float(latents.std()), 5))
    model.half().save_pretrained(folder, safe_serialization=True)


def write_statistics(works: Sequence[Work], folder: Path) -> None:
    """Measure the style descriptor's mean and deviation over the works; frozen with the model."""
    import torch

    from attribution.encoders import descriptors
    from attribution.encoders.vae import STATISTICS_FILE, VaeEncoder, VaeSpec
    from attribution.images import read_image_file

    spec = VaeSpec(model=str(folder), size_px=SIDE_ENCODED, license="Apache-2.0")
    encoder = VaeEncoder(spec, device="cpu")
    rows = [descriptors.style(encoder.latents([read_image_file(work.path).rgb])) for work in works]
    table = torch.cat(rows)
    statistics = {
        "mean": [round(value, 5) for value in table.mean(0).tolist()],
        "deviation": [round(value, 5) for value in table.std(0).clamp(min=1e-3).tolist()],
    }
    (folder / STATISTICS_FILE).write_text(json.dumps(statistics) + "\n", encoding="utf-8")
