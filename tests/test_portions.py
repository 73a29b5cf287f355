"""How many images a model gets at once: the vectors do not depend on it, and memory may run out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from attribution.encoders import portions
from attribution.encoders.clip import ClipSpec
from attribution.encoders.encoder import Encoder, Lane, PatchEncoder
from attribution.encoders.spec import Spec
from attribution.encoders.torchscript import TorchScriptSpec
from attribution.encoders.vae import VaeSpec
from attribution.errors import ShortOfMemory
from tests import checkpoints


def noise(count: int) -> list[Image.Image]:
    """Draw pictures that differ."""
    numbers = np.random.default_rng(0).integers(0, 256, (count, 40, 40, 3), dtype=np.uint8)
    return [Image.fromarray(one) for one in numbers]


def kl(folder: Path) -> Spec:
    """Save a VAE."""
    checkpoints.save_vaes(folder)
    return VaeSpec(model=str(folder / "kl"), size_px=32, license="MIT")


def clip(folder: Path) -> Spec:
    """Save a CLIP that gives two vectors."""
    return ClipSpec(model=checkpoints.save_clip(folder / "clip"), style=True, license="MIT")


def torchscript(folder: Path, network: torch.nn.Module) -> Encoder:
    """Return an encoder of a network of one's own."""
    spec = TorchScriptSpec(
        kind="torchscript",
        model=checkpoints.script(network, folder / "own.pt"),
        size_px=16,
        vector="own",
        lane=Lane.COPY,
        license="MIT",
    )
    return spec.encoder("cpu")


class Means(torch.nn.Module):
    """Colours, of no more images at once than there is memory for."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Ask for more memory than there is if there are too many."""
        if pixels.shape[0] > self.most:
            return torch.ones([1 << 50, 3])  # used, or TorchScript leaves it out
        return pixels.mean((2, 3))


class Broken(torch.nn.Module):
    """Does not fit its images."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Multiply what cannot be multiplied."""
        return pixels @ torch.zeros(3, 3)


@pytest.mark.parametrize("made", [kl, clip])
def test_vectors_are_the_same_in_smaller_portions(
    made: Callable[[Path], Spec], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All at once, and one image after another."""
    spec, pictures = made(tmp_path), noise(5)
    at_once = spec.encoder("cpu")
    monkeypatch.setattr(portions, "MOST_BYTES", 1)
    singly = spec.encoder("cpu")

    together = at_once.encode(pictures)
    for name, rows in singly.encode(pictures).items():
        np.testing.assert_allclose(rows, together[name], atol=1e-5)
    if isinstance(singly, PatchEncoder) and isinstance(at_once, PatchEncoder):
        places = at_once.encode_patches(pictures)
        np.testing.assert_allclose(singly.encode_patches(pictures), places, atol=1e-5)


def test_images_of_512_pixels_share_two_gibibytes() -> None:
    """Three of a VAE at once, and all of a batch of a CLIP."""
    asked: list[int] = []

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor]:
        asked.append(len(pixels))
        return (pixels.mean((2, 3)),)

    def run(bytes_per_pixel: int, side: int, count: int) -> None:
        run = portions.Portions("a model", device="cpu", bytes_per_pixel=bytes_per_pixel).run
        run([Image.new("RGB", (1, 1))] * count, lambda _: torch.zeros(3, side, side), forward)

    run(portions.OF_A_VAE, 512, 8)
    run(portions.OF_A_TOWER, 224, 32)

    assert asked == [3, 3, 2, 32]


def test_memory_that_runs_out_halves_the_portion(tmp_path: Path) -> None:
    """The allocator's own error; as many are tried from then on as have fitted."""
    pictures = noise(7)
    expected = torchscript(tmp_path, Means(7)).encode(pictures)["own"]
    short = torchscript(tmp_path, Means(2))

    np.testing.assert_allclose(short.encode(pictures)["own"], expected, atol=1e-5)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"),
        RuntimeError("FIND was unable to find an engine to execute this computation"),
    ],
    ids=["torch", "cuBLAS", "cuDNN", "no engine"],
)
def test_an_accelerators_error_halves_too(error: RuntimeError) -> None:
    """Whichever library says it. It is remembered: the next call begins with what has fitted."""
    asked: list[int] = []

    def forward(pixels: torch.Tensor) -> tuple[torch.Tensor]:
        asked.append(len(pixels))
        if len(pixels) > 2:
            raise error
        return (pixels.mean((2, 3)),)

    few = portions.Portions("a model", device="cpu", bytes_per_pixel=portions.OF_A_TOWER)
    for _ in range(2):
        (rows,) = few.run(noise(4), lambda _: torch.zeros(3, 8, 8), forward)
        assert rows.shape == (4, 3)

    assert asked == [4, 2, 2, 2, 2]


def test_one_image_that_does_not_fit_is_explained(tmp_path: Path) -> None:
    """By model, device and size, with the ways out; another error stays what it is."""
    with pytest.raises(
        ShortOfMemory, match=r"own\.pt ran out of memory on cpu .* 16 × 16 .*size_px"
    ):
        torchscript(tmp_path, Means(0)).encode(noise(3))
    with pytest.raises(RuntimeError, match="multiplied"):
        torchscript(tmp_path, Broken()).encode(noise(3))


def test_an_accelerator_that_is_too_small_has_one_more_way_out() -> None:
    """The CPU, which has more memory; `meta` is a device that every machine has."""
    accelerator = portions.Portions("a model", device="meta", bytes_per_pixel=portions.OF_A_VAE)

    def forward(_pixels: torch.Tensor) -> tuple[torch.Tensor]:
        raise torch.OutOfMemoryError

    with pytest.raises(ShortOfMemory, match=r"on meta .*; choose LAWFUL_DEVICE=cpu, a smaller"):
        accelerator.run(noise(1), lambda _: torch.zeros(3, 8, 8), forward)
