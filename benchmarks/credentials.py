"""What Content Credentials cost: `python benchmarks/credentials.py`.

Signing and reading images of noise (the worst case for hashing), and reading images without any, by
format and size: the median of the wall clock, and in brackets the mean of the processor time,
children included, which a busy machine changes less.
"""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from attribution.config import Settings
from attribution.images import State, read_credentials
from attribution.provenance import GenerationClaim, load_signer, sign
from attribution.provenance.development import make_development_chain

TIMES = 20
SIDES_PX = (512, 1024, 4096)
FORMATS = ("PNG", "JPEG", "WEBP")


def main() -> None:
    """Print one row a format and size."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_development_chain(folder, days=1)
        settings = Settings(sign_cert=folder / "chain.pem", sign_key=folder / "key.pem")
        signer = load_signer(settings)
        anchors = (folder / "root.pem").read_text()
    if signer is None:
        raise SystemExit("the settings name no certificate")
    claim = GenerationClaim("toy", "r1", "a boat", 7)
    print("| format, px | file | more bytes | sign | read | read, nothing in it |")
    print("|---|---|---|---|---|---|")
    for kind in FORMATS:
        for side in SIDES_PX:
            plain, media = noise(kind, side), f"image/{kind.lower()}"
            signed = sign(plain, media, claim, signer)
            if read_credentials(signed, anchors).state is not State.VALID:
                raise SystemExit(f"{kind}, {side} px: what was signed is not valid")
            cells = (
                f"{kind}, {side}",
                f"{len(plain) / 2**20:.1f} MiB",
                str(len(signed) - len(plain)),
                timed(lambda plain=plain, media=media: sign(plain, media, claim, signer)),
                timed(lambda signed=signed: read_credentials(signed, anchors)),
                timed(lambda plain=plain: read_credentials(plain, anchors)),
            )
            print(f"| {' | '.join(cells)} |", flush=True)


def noise(kind: str, side: int) -> bytes:
    """Return an image that does not compress."""
    pixels = np.random.default_rng(side).integers(0, 256, (side, side, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, quality=90)
    return buffer.getvalue()


def timed(work: Callable[[], object]) -> str:
    """Return the median of the wall clock and the mean processor time, in milliseconds."""
    wall, processor = [], []
    for _ in range(TIMES):
        before, spent = time.perf_counter(), sum(os.times()[:4])
        work()
        wall.append(time.perf_counter() - before)
        processor.append(sum(os.times()[:4]) - spent)
    return f"{statistics.median(wall) * 1e3:.1f} ms ({statistics.mean(processor) * 1e3:.1f} ms)"


if __name__ == "__main__":
    main()
