"""A torch-free generator: the same words and seed, the same blocks of colour. For tests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
from PIL import Image

from attribution.generation.generator import Drawing, Drawn, GeneratorInfo, ImageRequest

STEPS = 4
SIDE_PX = 64
STRENGTH = 0.5


class StubGenerator:
    """Draws sixteen blocks whose colours are a hash of prompt and seed."""

    info = GeneratorInfo("stub", "StubGenerator", "1")

    def generate(
        self,
        request: ImageRequest,
        *,
        on_step: Callable[[int, int], None],
        given: Image.Image | None = None,
    ) -> Drawing:
        """Draw, a given picture under the blocks; see `generator.Generator`."""
        steps = request.steps or STEPS
        for step in range(1, steps + 1):
            on_step(step, steps)
        size = (request.width or SIDE_PX, request.height or SIDE_PX)
        seeds = range(request.seed, request.seed + request.count)
        drawn = {seed: _blocks(request.prompt, seed, size) for seed in seeds}
        if given is not None:
            under, strength = given.resize(size), request.strength or STRENGTH
            drawn = {seed: Image.blend(under, one, strength) for seed, one in drawn.items()}
        return Drawing(tuple(Drawn(seed, one) for seed, one in drawn.items()), ())


def _blocks(prompt: str, seed: int, size: tuple[int, int]) -> Image.Image:
    digest = hashlib.sha256(f"{seed} {prompt}".encode()).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    blocks = random.integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize(size, Image.Resampling.NEAREST)
