"""How far altered copies and strangers are from a work: `python benchmarks/copies.py DATA`.

Distances of 64-bit perceptual hashes, over one work of every near-duplicate group; a stranger is
the nearest of all other works. The limit in use is `NEAR_COPY_BITS`.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from attribution.attributor import NEAR_COPY_BITS
from attribution.errors import BadImage
from attribution.images import read_image_file
from attribution.images.facts import perceptual_hash, pixel_sha256
from ingest.sources import read_source

SHOWN = (0, 2, 4, 6, 8, 10)


def jpeg(quality: int) -> Callable[[Image.Image], Image.Image]:
    """Compress at this quality."""

    def attack(image: Image.Image) -> Image.Image:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        return Image.open(buffer).convert("RGB")

    return attack


def crop(side: float) -> Callable[[Image.Image], Image.Image]:
    """Keep the middle, this part of each side."""

    def attack(image: Image.Image) -> Image.Image:
        cut = (1 - side) / 2
        w, h = image.size
        return image.crop((int(w * cut), int(h * cut), int(w * (1 - cut)), int(h * (1 - cut))))

    return attack


ATTACKS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 75": jpeg(75),
    "JPEG 30": jpeg(30),
    "resize to a half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "blur, 2 px": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "crop to 0.9": crop(0.9),
    "crop to 0.7": crop(0.7),
    "rotation by 5°": lambda image: image.rotate(5, fillcolor="white"),
    "mirrored": ImageOps.mirror,
}


def main() -> None:
    """Print one row an attack, and one of strangers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    works = distinct(parser.parse_args().data)
    hashes = np.array([int(perceptual_hash(work), 16) for work in works], dtype=np.uint64)
    print(f"{len(works)} works; share within … bits (in use: {NEAR_COPY_BITS})")
    print("| | " + " | ".join(f"≤ {bits}" for bits in SHOWN) + " |")
    for name, attack in ATTACKS.items():
        altered = [int(perceptual_hash(attack(work)), 16) for work in works]
        show(name, np.bitwise_count(hashes ^ np.array(altered, dtype=np.uint64)))
    nearest = []
    for number, own in enumerate(hashes):
        distances = np.bitwise_count(hashes ^ own)
        distances[number] = 64
        nearest.append(distances.min())
    show("nearest other work", np.array(nearest))


def distinct(data: Path) -> list[Image.Image]:
    """Return the readable works, each picture once."""
    found: dict[str, Image.Image] = {}
    for item in read_source(data):
        try:
            image = read_image_file(item.path).rgb
        except BadImage:
            continue
        found.setdefault(pixel_sha256(image), image)
    return list(found.values())


def show(name: str, distances: np.ndarray) -> None:
    """Print one row of the table."""
    print(f"| {name} | " + " | ".join(f"{np.mean(distances <= b):.3f}" for b in SHOWN) + " |")


if __name__ == "__main__":
    main()
