"""The starter CLIP's text tower as transformers' own classes, with weights that answer the same."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

START, END = "<|startoftext|>", "<|endoftext|>"


def tokenizer(clip: Path, folder: Path) -> Any:
    """Make a CLIPTokenizer from the byte pair merges of `clip`; its files go to `folder`.

    The entries have the numbers that open_clip gives them: 256 bytes, the same at the end of a
    word, the merges, two marks.
    """
    from open_clip.tokenizer import bytes_to_unicode
    from transformers import CLIPTokenizer

    packed = clip / "bpe_vocabulary.txt.gz"
    merges = gzip.decompress(packed.read_bytes()).decode().split("\n")[1:]
    characters = list(bytes_to_unicode().values())
    entries = [*characters, *(f"{one}</w>" for one in characters)]
    entries += ["".join(merge.split()) for merge in merges]
    entries += [START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {entry: number for number, entry in enumerate(entries)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]), encoding="utf-8")
    return CLIPTokenizer(
        str(folder / "vocab.json"),
        str(folder / "merges.txt"),
        model_max_length=_text(clip)["context_length"],
    )


def text_encoder(clip: Path) -> Any:
    """Return the tower of the open_clip model in `clip` as a CLIPTextModel."""
    from safetensors.torch import load_file
    from transformers import CLIPTextConfig, CLIPTextModel

    text = _text(clip)
    configuration = CLIPTextConfig(
        vocab_size=text["vocab_size"],
        hidden_size=text["width"],
        intermediate_size=4 * text["width"],
        num_hidden_layers=text["layers"],
        num_attention_heads=text["heads"],
        max_position_embeddings=text["context_length"],
        hidden_act="gelu",
        bos_token_id=text["vocab_size"] - 2,
        eos_token_id=text["vocab_size"] - 1,
        pad_token_id=text["vocab_size"] - 1,
    )
    model = CLIPTextModel(configuration)
    weights = load_file(clip / "open_clip_model.safetensors")
    state = _translated({name: value.float() for name, value in weights.items()}, text["layers"])
    prefix = "text_model." if any(n.startswith("text_model.") for n in model.state_dict()) else ""
    model.load_state_dict({f"{prefix}{name}": value for name, value in state.items()}, strict=True)
    model.requires_grad_(requires_grad=False)
    return model.eval()


def _text(clip: Path) -> dict[str, Any]:
    configuration = json.loads((clip / "open_clip_config.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = configuration["model_cfg"]["text_cfg"]
    return found


def _translated(theirs: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Return open_clip's weights under transformers' names; what it packs is taken apart."""
    ours = {
        "embeddings.token_embedding.weight": theirs["token_embedding.weight"],
        "embeddings.position_embedding.weight": theirs["positional_embedding"],
        "final_layer_norm.weight": theirs["ln_final.weight"],
        "final_layer_norm.bias": theirs["ln_final.bias"],
    }
    parts = {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "self_attn.out_proj": "attn.out_proj",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
    }
    for layer in range(layers):
        here, there = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for our, their in parts.items():
                ours[f"{here}.{our}.{kind}"] = theirs[f"{there}.{their}.{kind}"]
            packed = theirs[f"{there}.attn.in_proj_{kind}"].chunk(3)
            for our, value in zip(("q_proj", "k_proj", "v_proj"), packed, strict=True):
                ours[f"{here}.self_attn.{our}.{kind}"] = value
    return ours
