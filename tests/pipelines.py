"""Makers of tiny text-to-image pipelines with random weights, saved by diffusers' own classes.

One of every family, so that loading, asking, progress, cancellation and attribution run through the
code that real weights would run through.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AuraFlowPipeline,
    AuraFlowTransformer2DModel,
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    T5Config,
    T5EncoderModel,
    T5Tokenizer,
    UMT5Config,
    UMT5EncoderModel,
)

WIDTH = 32  # of the text models
CONTEXT = 16  # tokens
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def save_sd(folder: Path, **changed: Any) -> Path:
    """Save a pipeline of the family of Stable Diffusion 1 and 2."""
    torch.manual_seed(0)
    parts: dict[str, Any] = {
        "vae": _vae(4),
        "text_encoder": _clip_text(CLIPTextModel),
        "tokenizer": _clip_tokenizer(folder),
        "unet": _unet(),
        "scheduler": DDIMScheduler(clip_sample=False, steps_offset=1),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }
    return _save(StableDiffusionPipeline(**parts | changed), folder)


def save_sdxl(folder: Path) -> Path:
    """Save a pipeline of the family of Stable Diffusion XL and its Turbo."""
    torch.manual_seed(0)
    pipeline = StableDiffusionXLPipeline(
        vae=_vae(4),
        text_encoder=_clip_text(CLIPTextModel),
        text_encoder_2=_clip_text(CLIPTextModelWithProjection),
        tokenizer=_clip_tokenizer(folder),
        tokenizer_2=_clip_tokenizer(folder),
        unet=_unet(
            cross_attention_dim=2 * WIDTH,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=6 * 8 + WIDTH,
        ),
        scheduler=EulerDiscreteScheduler(),
    )
    return _save(pipeline, folder)


def save_flux(folder: Path) -> Path:
    """Save a pipeline of the family of FLUX.1."""
    torch.manual_seed(0)
    pipeline = FluxPipeline(
        vae=_vae(1, shift_factor=0.0609, scaling_factor=1.5035),
        text_encoder=_clip_text(CLIPTextModel),
        text_encoder_2=T5EncoderModel(T5Config(**_T5)),
        tokenizer=_clip_tokenizer(folder),
        tokenizer_2=_t5_tokenizer(),
        transformer=FluxTransformer2DModel(
            in_channels=4,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            axes_dims_rope=(4, 4, 8),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    return _save(pipeline, folder)


def save_auraflow(folder: Path) -> Path:
    """Save a pipeline of the family of AuraFlow."""
    torch.manual_seed(0)
    pipeline = AuraFlowPipeline(
        vae=_vae(4),
        text_encoder=UMT5EncoderModel(UMT5Config(**_T5)),
        tokenizer=_t5_tokenizer(),
        transformer=AuraFlowTransformer2DModel(
            sample_size=8,
            num_mmdit_layers=1,
            num_single_dit_layers=1,
            attention_head_dim=8,
            num_attention_heads=4,
            joint_attention_dim=WIDTH,
            caption_projection_dim=WIDTH,
            pos_embed_max_size=256,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(),
    )
    return _save(pipeline, folder)


FAMILIES: dict[str, Callable[[Path], Path]] = {
    "StableDiffusionPipeline": save_sd,
    "StableDiffusionXLPipeline": save_sdxl,
    "FluxPipeline": save_flux,
    "AuraFlowPipeline": save_auraflow,
}

_T5: dict[str, Any] = {
    "vocab_size": len(LETTERS) + 3,
    "d_model": WIDTH,
    "d_kv": 8,
    "d_ff": 37,
    "num_layers": 1,
    "num_heads": 4,
}


def _save(pipeline: Any, folder: Path) -> Path:
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _vae(channels: int, **changed: Any) -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 8, 8, 8),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=channels,
        norm_num_groups=4,
        **changed,
    )


def _unet(**changed: Any) -> UNet2DConditionModel:
    shape: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (8, 16),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
        "cross_attention_dim": WIDTH,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
    }
    return UNet2DConditionModel(**shape | changed)


def _clip_text(kind: type[Any]) -> Any:
    configuration = CLIPTextConfig(
        vocab_size=2 * len(LETTERS) + 2,
        hidden_size=WIDTH,
        intermediate_size=37,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=CONTEXT,
        bos_token_id=2 * len(LETTERS),
        eos_token_id=2 * len(LETTERS) + 1,
        pad_token_id=2 * len(LETTERS) + 1,
    )
    return kind(configuration).eval()


def _clip_tokenizer(folder: Path) -> CLIPTokenizer:
    """Make a tokenizer that knows letters alone."""
    folder = folder / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    entries = [*LETTERS, *(f"{one}</w>" for one in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({entry: number for number, entry in enumerate(entries)}))
    merges.write_text("#version: 0.2\n")
    return CLIPTokenizer(str(vocabulary), str(merges), model_max_length=CONTEXT)


def _t5_tokenizer() -> T5Tokenizer:
    """Make a unigram tokenizer that knows letters alone."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -10.0), *((one, -1.0) for one in LETTERS)]
    return T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=CONTEXT)
