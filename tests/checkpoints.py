"""Small random models, saved in the formats that people's own models come in."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

Configuration = Mapping[str, Any]

TINY_CLIP: Configuration = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49_408, "width": 16, "heads": 1, "layers": 1},
}


def _of_timm(model: str, pool: str, side: int, text: Configuration) -> Configuration:
    return {
        "embed_dim": 16,
        "custom_text": True,
        "vision_cfg": {
            "image_size": side,
            "timm_model_name": model,
            "timm_model_pretrained": False,
            "timm_pool": pool,
            "timm_proj": "linear",
        },
        "text_cfg": {"context_length": 8, "width": 16, "heads": 1, "layers": 1, **text},
    }


FAMILIES: Mapping[str, Configuration] = {
    # The towers, text towers and tokenizers of the four families, as small as they get.
    "siglip 2": _of_timm(
        "test_vit3",
        "map",
        160,
        {
            "vocab_size": 64,
            "hf_tokenizer_name": "tokenizer",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    ),
    "pe core": _of_timm("vit_pe_core_tiny_patch16_384", "map", 384, {"vocab_size": 49_408}),
    "mobileclip 2": _of_timm(
        "fastvit_mci0", "avg", 64, {"vocab_size": 49_408, "no_causal_mask": True}
    ),
    "metaclip 2": {
        "embed_dim": 16,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": 28,
            "layers": 1,
            "width": 64,
            "head_width": 32,
            "patch_size": 14,
        },
        "text_cfg": {
            "hf_tokenizer_name": "tokenizer",
            "pool_type": "eos",
            "eos_id": 2,
            "context_length": 8,
            "vocab_size": 64,
            "width": 16,
            "heads": 1,
            "layers": 1,
        },
    },
}


def save_clip(folder: Path, configuration: Configuration = TINY_CLIP) -> str:
    """Save a model of open_clip; returns its `local-dir:` name."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    size = configuration["vision_cfg"]["image_size"]
    text = {
        "model_cfg": configuration,
        "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3, "size": size},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(text), encoding="utf-8")
    if "hf_tokenizer_name" in configuration["text_cfg"]:
        _save_tokenizer(folder)
    model = open_clip.create_model(f"local-dir:{folder}", load_weights=False)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return f"local-dir:{folder}"


def save_vaes(folder: Path) -> None:
    """Save an AutoencoderKL and an AutoencoderTiny, in `kl` and `tiny`."""
    import torch

    diffusers: Any = import_module("diffusers")  # it ships no types
    torch.manual_seed(0)
    diffusers.AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        block_out_channels=(8, 8),
        norm_num_groups=4,
        shift_factor=0.1,
    ).save_pretrained(folder / "kl")
    diffusers.AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(1, 1),
        num_decoder_blocks=(1, 1),
    ).save_pretrained(folder / "tiny")


def halve(folder: Path) -> None:
    """Leave a VAE's folder with half-precision weights of the variant `fp16` alone."""
    import torch

    diffusers: Any = import_module("diffusers")
    model = diffusers.AutoencoderKL.from_pretrained(folder, torch_dtype=torch.float16)
    (folder / "diffusion_pytorch_model.safetensors").unlink()
    model.save_pretrained(folder, variant="fp16")


def pickle_weights(folder: Path) -> None:
    """Leave a folder of diffusers with pickled weights alone."""
    import torch
    from safetensors.torch import load_file

    weights = folder / "diffusion_pytorch_model.safetensors"
    torch.save(load_file(weights), weights.with_suffix(".bin"))
    weights.unlink()


def save_timm(folder: Path) -> str:
    """Save a ViT with the registers and layer scales of DINOv2; returns its `local-dir:` name."""
    import timm
    import torch
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "img_size": 28,
        "embed_dim": 64,
        "depth": 1,
        "num_heads": 1,
        "num_classes": 0,
    }
    model = timm.create_model("vit_small_patch14_reg4_dinov2", **sizes)
    save_file(model.state_dict(), folder / "model.safetensors")
    configuration = {
        "architecture": "vit_small_patch14_reg4_dinov2",
        "num_classes": 0,
        "model_args": sizes,
        "pretrained_cfg": {"input_size": [3, 28, 28], "num_classes": 0},
    }
    (folder / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    return f"local-dir:{folder}"


def save_torchscript(path: Path) -> str:
    """Save a network of one file, as copy detectors are published; returns its path."""
    import torch

    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 4, stride=4),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(32, 16),
    )
    return script(network, path)


def script(network: torch.nn.Module, path: Path) -> str:
    """Save a network as TorchScript, which torch deprecates to make; returns its path."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.jit.script(network).save(str(path))  # type: ignore[no-untyped-call]  # torch's
    return str(path)


def save_csd(path: Path) -> str:
    """Save a small tower under the names of the published checkpoint; returns its path."""
    import torch
    from open_clip.transformer import QuickGELU, VisionTransformer
    from safetensors.torch import save_file

    torch.manual_seed(0)
    tower = VisionTransformer(
        image_size=28,
        patch_size=14,
        width=128,
        layers=2,
        heads=2,
        mlp_ratio=4.0,
        output_dim=24,
        act_layer=QuickGELU,
    )
    weights = {f"backbone.{name}": value for name, value in tower.state_dict().items()}
    weights["last_layer_style"] = torch.randn(128, 24)
    weights["last_layer_content"] = torch.randn(128, 24)
    save_file(weights, path)
    return str(path)


def _save_tokenizer(folder: Path) -> None:
    """Save a tokenizer of a few words in the form of the hub."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    first, pad, last, unknown = "<s>", "<pad>", "</s>", "<unk>"
    words = [first, pad, last, unknown, "red", "sailing", "boat", "word", "width"]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token=unknown))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first} $A {last}", special_tokens=[(first, 0), (last, 2)]
    )
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]  # of transformers
        tokenizer_object=tokenizer,
        bos_token=first,
        eos_token=last,
        pad_token=pad,
        unk_token=unknown,
    ).save_pretrained(folder)
