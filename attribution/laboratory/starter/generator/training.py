"""Trains the starter generator: a small AuraFlow on the starter VAE's latents, by flow matching.

The picture is a straight line to noise, and the model learns its direction (Lipman et al. 2023; Liu
et al. 2023), with times drawn as in Esser et al. 2024. Every part is a class of diffusers or of
transformers, so `DiffusionPipeline.from_pretrained` loads the folder without code of ours.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.laboratory.starter.checkpoint import EVERY, Checkpoint, curve, rate
from attribution.laboratory.starter.generator import tower
from attribution.laboratory.starter.generator.works import write_training_set

if TYPE_CHECKING:
    import torch

    from attribution.laboratory.starter import Progress
    from attribution.laboratory.starter.generator.works import Lesson

SIDE = 128  # pixels a side: what the starter profile's VAE looks at too
BATCH = 32
PEAK_RATE = 1e-3
MEMORY = 0.995  # of the running mean of the weights, which is what is kept
TRAINING_SET_FILE = "training_set.json"


def train_generator(
    lessons: Sequence[Lesson],
    starter: Path,
    out: Path,
    *,
    steps: int,
    seed: int,
    progress: Progress,
) -> None:
    """Train on some works into the pipeline folder `out`; resumable.

    `starter` holds the CLIP and the VAE whose text tower and latents it uses.
    """
    import torch

    torch.manual_seed(seed)
    out.mkdir(parents=True, exist_ok=True)
    tokens = tower.tokenizer(starter / "clip", out / "tokenizer")
    reader = tower.text_encoder(starter / "clip")
    latents = latents_of(lessons, starter / "vae")
    prompts = [states_of(tokens, reader, lesson.prompts()) for lesson in lessons]
    model = build(reader.config.hidden_size)
    mean = torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(MEMORY)
    )
    optimiser = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.01)
    both = torch.nn.ModuleList([model, mean])
    checkpoint = Checkpoint(out.parent / "generator.checkpoint.pt", both, optimiser, lessons)
    losses = checkpoint.load()
    for step in range(len(losses), steps):
        for group in optimiser.param_groups:
            group["lr"] = rate(step, steps, peak=PEAK_RATE)
        loss = flow_loss(model, latents, prompts, batch=BATCH)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        mean.update_parameters(model)
        losses.append(float(loss.detach()))
        if (step + 1) % EVERY == 0:
            checkpoint.save(losses)
            progress("generator", step + 1, steps, sum(losses[-EVERY:]) / EVERY)
    _save(mean.module, tokens, reader, starter / "vae", out)
    write_training_set(lessons, out / TRAINING_SET_FILE)
    text = json.dumps({"works": len(lessons), "loss": curve(losses)}, indent=1)
    (out / "curve.json").write_text(text + "\n", encoding="utf-8")
    checkpoint.clear()


def build(text_width: int) -> Any:
    """Return the untrained denoiser: 64 patches of a 16 × 16 latent, 5.5 million parameters."""
    import torch
    from diffusers import AuraFlowTransformer2DModel

    width, heads = 192, 6
    model: Any = AuraFlowTransformer2DModel(
        sample_size=SIDE // 8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_mmdit_layers=1,
        num_single_dit_layers=6,
        attention_head_dim=width // heads,
        num_attention_heads=heads,
        joint_attention_dim=text_width,
        caption_projection_dim=width,
        pos_embed_max_size=(SIDE // 16) ** 2,
    )
    for name, parameter in model.named_parameters():
        # Every block begins as the identity (adaLN-Zero: Peebles & Xie 2023).
        if "norm1" in name and name.endswith("linear.weight"):
            torch.nn.init.zeros_(parameter)
    torch.nn.init.zeros_(model.proj_out.weight)
    return model


def flow_loss(
    model: Any, latents: torch.Tensor, prompts: Sequence[torch.Tensor], *, batch: int
) -> torch.Tensor:
    """Return how far the predicted directions from picture to noise are off."""
    import torch

    chosen = torch.randint(len(latents), (batch,))
    pictures = latents[chosen]
    states = torch.stack(
        [prompts[work][int(torch.randint(len(prompts[work]), ()))] for work in chosen.tolist()]
    )
    noise = torch.randn_like(pictures)
    time = torch.randn(batch).sigmoid()
    mixed = torch.lerp(pictures, noise, time[:, None, None, None])
    direction = model(mixed, encoder_hidden_states=states, timestep=time, return_dict=False)[0]
    loss: torch.Tensor = (direction - (noise - pictures)).square().mean()
    return loss


def latents_of(lessons: Sequence[Lesson], vae: Path) -> torch.Tensor:
    """Return the works' latents, of unit variance; each work whole, on white, in a square."""
    import torch
    from PIL import ImageOps

    from attribution.encoders.vae import VaeEncoder, VaeSpec
    from attribution.images import read_image_file

    encoder = VaeEncoder(VaeSpec(model=str(vae), size_px=SIDE, license="Apache-2.0"), device="cpu")
    rows = []
    for lesson in lessons:
        square = ImageOps.pad(read_image_file(lesson.path).rgb, (SIDE, SIDE), color="white")
        rows.append(encoder.latents([square]))
    return torch.cat(rows).clone()  # made in inference mode, needed outside of it


def states_of(tokens: Any, reader: Any, prompts: Sequence[str]) -> torch.Tensor:
    """Return the text tower's states, shape (prompts, context, width), as AuraFlowPipeline does."""
    import torch

    given = tokens(
        list(prompts),
        truncation=True,
        max_length=tokens.model_max_length,
        padding="max_length",
        return_tensors="pt",
    )
    with torch.no_grad():
        states: torch.Tensor = reader(**given)[0] * given["attention_mask"][..., None]
    return states


def _save(model: Any, tokens: Any, reader: Any, vae: Path, out: Path) -> None:
    """Write the pipeline in half precision; its VAE is the starter VAE, byte for byte."""
    from diffusers import AuraFlowPipeline, AutoencoderKL, FlowMatchEulerDiscreteScheduler

    pipeline: Any = AuraFlowPipeline(
        tokenizer=tokens,
        text_encoder=reader.half(),
        vae=AutoencoderKL.from_pretrained(vae),
        transformer=model.half(),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    pipeline.save_pretrained(out, safe_serialization=True)
    for name in ("config.json", "diffusion_pytorch_model.safetensors"):
        shutil.copyfile(vae / name, out / "vae" / name)
