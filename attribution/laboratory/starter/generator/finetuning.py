"""Teaches the starter generator one hand: a LoRA (Hu et al. 2022) on one artist's works."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.errors import BadInput
from attribution.generation.pipelines import quieten
from attribution.laboratory.starter.generator.training import flow_loss, latents_of, states_of
from attribution.whole import written_whole

if TYPE_CHECKING:
    from attribution.laboratory.starter import Progress
    from attribution.laboratory.starter.generator.works import Lesson

RANK = 8
BATCH = 8
RATE = 2e-3
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "linear_1", "linear_2", "out_projection")
EVERY = 10  # steps between two reports


def finetune(
    model: Path, lessons: Sequence[Lesson], out: Path, *, steps: int, seed: int, progress: Progress
) -> None:
    """Train a LoRA for the pipeline folder `model` and write it, whole, to the file `out`.

    `LAWFUL_GENERATOR_LORA` takes the file. Raises BadInput when the loss is no number any more.
    """
    import torch
    from diffusers import AuraFlowPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    quieten()
    torch.manual_seed(seed)
    pipeline: Any = AuraFlowPipeline.from_pretrained(model, dtype=torch.float32)
    latents = latents_of(lessons, model / "vae")
    prompts = [
        states_of(pipeline.tokenizer, pipeline.text_encoder, one.prompts()) for one in lessons
    ]
    transformer = pipeline.transformer.requires_grad_(requires_grad=False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=list(LAYERS)))
    trained = [one for one in transformer.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    for step in range(1, steps + 1):
        loss = flow_loss(transformer, latents, prompts, batch=BATCH)
        if not math.isfinite(float(loss.detach())):
            raise BadInput(f"the loss is not a number at step {step}; try another --seed")
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimiser.step()
        if step % EVERY == 0 or step == steps:
            progress("lora", step, steps, float(loss.detach()))
    with written_whole(out) as new:
        AuraFlowPipeline.save_lora_weights(
            out.parent, get_peft_model_state_dict(transformer), weight_name=new.name
        )
