"""How the bundled starter models were made: `lawful train-starter` runs `train_starter`.

Two models, both trained on the works of one half of the artists only (`partition.json`): a CLIP
whose image trunk is a frozen ImageNet network (`clip`), and a small AutoencoderKL (`vae`).
Seeded and resumable: killed and started again, it goes on from its last checkpoint.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attribution.laboratory.starter.works import Work

PARTS = ("clip", "vae")

Progress = Callable[[str, int, int, float], None]
"""Called with (model, step, steps, loss)."""


@dataclass(frozen=True)
class Plan:
    """How long to train; the defaults made the bundled models."""

    clip_steps: int = 2_400
    vae_steps: int = 4_000
    batch: int = 256  # words of a CLIP step; of captions it takes a quarter
    crops: int = 16  # crops of a VAE step
    seed: int = 20261124


def train_starter(
    works: Sequence[Work], out: Path, *, plan: Plan, parts: tuple[str, ...], progress: Progress
) -> None:
    """Train the starter models on some works into the folder `out`.

    `parts` names what to train, "clip", "vae" or both. Writes `clip/` (open_clip), `vae/`
    (diffusers), `curves-*.json` (losses) and, while it runs, `*.checkpoint.pt`.
    """
    from attribution.laboratory.starter import clip, vae

    out.mkdir(parents=True, exist_ok=True)
    for part in parts:
        train = {"clip": clip.train, "vae": vae.train}[part]
        curve = train(works, out, plan=plan, progress=progress)
        text = json.dumps({"works": len(works), "loss": curve}, indent=1)
        (out / f"curves-{part}.json").write_text(text + "\n", encoding="utf-8")
