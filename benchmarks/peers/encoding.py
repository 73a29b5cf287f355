"""Encoders beside what their libraries offer: `python -m benchmarks.peers.encoding DATA`.

Towers of random weights in the real architectures, images in memory, batches of 32 (8 for the large
VAE), all cores for each. What a round does: all images, from pixels to vectors in numpy.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from benchmarks.peers.turns import Peer, Work, arguments, by_turns, keep, table

if TYPE_CHECKING:
    pass

ARCHITECTURE = "ViT-B-32"
NARROW = "lawful, bfloat16"  # where `lawful tune` finds it right: random weights do not tell
SIZE_PX = 256  # of a VAE's input
WIDTHS = (128, 256, 512, 512)  # Stable Diffusion's VAE
CORES = {"OMP_NUM_THREADS": str(os.cpu_count() or 1)}


def main() -> None:
    """Print images a second of each tower and peer."""
    parser = arguments(__doc__)
    parser.add_argument("--images", type=int, default=128)
    chosen = parser.parse_args()
    said: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tower, (make, images, peers) in towers(chosen.images).items():
            make(folder / tower)
            given = (folder / tower, chosen.data, images)
            found = by_turns(
                [Peer(who, prepare, given, CORES) for who, prepare in peers.items()], chosen.rounds
            )
            print(f"\n{tower}, {images} images\n\n{table(found, images, 'images')}", flush=True)
            said[tower] = {"images": images, "rounds": found}
        said["ViT-B-32, peak"] = peak(folder / ARCHITECTURE)
    print(f"\n{said['ViT-B-32, peak']}")
    keep(chosen.json, said)


def towers(images: int) -> dict[str, tuple[Any, int, dict[str, Any]]]:
    """Return what is compared: how it is made, how many images, who takes part."""
    clip = {
        "open_clip": open_clip_loop,
        "sentence-transformers": sentences,
        "lawful": lawful_clip,
        NARROW: narrow_clip,
    }
    vae = {"diffusers": diffusers_loop, "lawful": lawful_vae, NARROW: narrow_vae}
    return {
        ARCHITECTURE: (make_clip, images, clip),
        "AutoencoderTiny": (make_tiny, images, vae),
        "AutoencoderKL": (make_kl, max(8, images // 8), vae),
    }


def pictures(data: Path, count: int) -> list[Image.Image]:
    """Read so many images."""
    paths = islice(sorted(data.rglob("*.png")), count)
    return [Image.open(path).convert("RGB") for path in paths]


def batches(images: Sequence[Image.Image], size: int) -> Iterator[Sequence[Image.Image]]:
    """Cut images into batches."""
    for start in range(0, len(images), size):
        yield images[start : start + size]


def make_clip(folder: Path) -> None:
    """Write a tower of random weights as open_clip and as sentence-transformers load it."""
    import open_clip
    import torch
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPProcessor, CLIPTokenizer

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    model = open_clip.create_model(ARCHITECTURE)
    torch.save(model.state_dict(), folder / "open_clip.pt")
    tokens = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2}
    CLIPModel(CLIPConfig()).save_pretrained(folder / "hf")
    CLIPProcessor(CLIPImageProcessor(), CLIPTokenizer(vocab=tokens, merges=[])).save_pretrained(
        folder / "hf"
    )


def make_tiny(folder: Path) -> None:
    """Write a TAESD of random weights."""
    from diffusers import AutoencoderTiny

    AutoencoderTiny().save_pretrained(folder)


def make_kl(folder: Path) -> None:
    """Write Stable Diffusion's VAE with random weights."""
    from diffusers import AutoencoderKL

    AutoencoderKL(
        block_out_channels=WIDTHS,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
    ).save_pretrained(folder)


def open_clip_loop(folder: Path, data: Path, count: int) -> Work:
    """Encode as open_clip's README does."""
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms(
        ARCHITECTURE, pretrained=str(folder / "open_clip.pt")
    )
    model.eval()
    images = pictures(data, count)

    def work() -> Mapping[str, float]:
        for batch in batches(images, 32):
            with torch.no_grad():
                pixels = torch.stack([preprocess(image) for image in batch])
                features = model.encode_image(pixels)
                (features / features.norm(dim=-1, keepdim=True)).numpy()
        return {}

    return work


def sentences(folder: Path, data: Path, count: int) -> Work:
    """Encode as sentence-transformers does."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import CLIPModel

    model = SentenceTransformer(modules=[CLIPModel(str(folder / "hf"))], device="cpu")
    images = pictures(data, count)

    def work() -> Mapping[str, float]:
        model.encode(images, batch_size=32, show_progress_bar=False)
        return {}

    return work


def diffusers_loop(folder: Path, data: Path, count: int) -> Work:
    """Encode as diffusers' pipelines do."""
    import torch
    from diffusers import AutoencoderKL, AutoencoderTiny
    from diffusers.image_processor import VaeImageProcessor

    large = folder.name == "AutoencoderKL"
    model = (AutoencoderKL if large else AutoencoderTiny).from_pretrained(folder).eval()
    processor = VaeImageProcessor()
    images = pictures(data, count)

    def work() -> Mapping[str, float]:
        for batch in batches(images, 8 if large else 32):
            pixels = torch.cat([processor.preprocess(image, SIZE_PX, SIZE_PX) for image in batch])
            with torch.no_grad():
                coded = model.encode(pixels)
            (coded.latent_dist.mode() if large else coded.latents).numpy()
        return {}

    return work


def lawful_clip(folder: Path, data: Path, count: int, runtime: str = "torch float32") -> Work:
    """Encode as this program does."""
    from attribution.encoders.clip import ClipSpec

    own = str(folder / "open_clip.pt")
    spec = ClipSpec(model=ARCHITECTURE, pretrained=own, license="MIT")
    return _ours(spec, pictures(data, count), 32, runtime)


def narrow_clip(folder: Path, data: Path, count: int) -> Work:
    """Encode as this program does on a machine that was tuned so."""
    return lawful_clip(folder, data, count, "torch bfloat16")


def lawful_vae(folder: Path, data: Path, count: int, runtime: str = "torch float32") -> Work:
    """Encode as this program does."""
    from attribution.encoders.vae import VaeSpec

    spec = VaeSpec.model_validate(
        {
            "model": str(folder),
            "architecture": folder.name,
            "size_px": SIZE_PX,
            "license": "MIT",
        }
    )
    size = 8 if folder.name == "AutoencoderKL" else 32
    return _ours(spec, pictures(data, count), size, runtime)


def narrow_vae(folder: Path, data: Path, count: int) -> Work:
    """Encode as this program does on a machine that was tuned so."""
    return lawful_vae(folder, data, count, "torch bfloat16")


def _ours(spec: Any, images: Sequence[Image.Image], size: int, runtime: str) -> Work:
    from attribution.encoders.memory import keep_memory
    from attribution.encoders.runtimes import Runtime
    from attribution.encoders.tuned import Tuned

    keep_memory()
    encoder = spec.encoder("cpu", Tuned(Path(), "cpu", Runtime(runtime)))

    def work() -> Mapping[str, float]:
        for batch in batches(images, size):
            encoder.encode(batch)
        return {}

    return work


def peak(folder: Path) -> dict[str, float]:
    """Return what part of the fastest matrix product a tower of ViT-B-32 reaches, by precision."""
    import open_clip
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    model = open_clip.create_model(ARCHITECTURE, pretrained=str(folder / "open_clip.pt")).eval()
    pixels = torch.rand(32, 3, 224, 224)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        model.encode_image(pixels)
    shares = {}
    for precision in (torch.float32, torch.bfloat16):
        tower, given = model.to(precision), pixels.to(precision)
        square = torch.rand(2048, 2048, dtype=precision)
        with torch.inference_mode():
            best = 2 * 2048**3 / _fastest(lambda: square @ square)  # noqa: B023  run at once
            reached = counter.get_total_flops() / _fastest(lambda: tower.encode_image(given))  # noqa: B023
        shares[str(precision)] = reached / best
        shares[f"{precision}, GFLOP/s of the product"] = best / 1e9
    return shares


def _fastest(run: Any) -> float:
    run()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return float(np.min(times))


if __name__ == "__main__":
    main()
