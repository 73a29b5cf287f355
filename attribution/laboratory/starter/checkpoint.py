"""What both trainings share: where a run stands, its learning rate, its curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attribution.whole import written_whole

if TYPE_CHECKING:
    import torch

EVERY = 100  # steps between checkpoints, and to a point of the curve
WARMUP = 200  # steps


def rate(step: int, steps: int, *, peak: float) -> float:
    """Return the learning rate: a linear warm-up, then a cosine down to a twentieth."""
    if step < WARMUP:
        return peak * (step + 1) / WARMUP
    done = (step - WARMUP) / max(steps - WARMUP, 1)
    return peak * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)


def curve(losses: Sequence[float]) -> list[float]:
    """Return the mean loss of every `EVERY` steps."""
    chunks = [losses[start : start + EVERY] for start in range(0, len(losses), EVERY)]
    return [round(sum(chunk) / len(chunk), 5) for chunk in chunks]


class Checkpoint:
    """The state of one run on disk, written next to it and renamed: a kill never tears it.

    It is that of a run over the same works: a work that has said no since begins the run again.
    """

    def __init__(
        self,
        path: Path,
        model: torch.nn.Module,
        optimiser: torch.optim.Optimizer,
        works: Sequence[object],
    ) -> None:
        self._path = path
        self._model = model
        self._optimiser = optimiser
        self._works = sha256("\n".join(map(repr, works)).encode()).hexdigest()

    def load(self) -> list[float]:
        """Restore the last state; returns the losses so far, one a step."""
        import torch

        if not self._path.exists():
            return []
        state: dict[str, Any] = torch.load(self._path, weights_only=True)
        if state.get("works") != self._works:
            return []
        self._model.load_state_dict(state["model"])
        self._optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["rng"])
        losses: list[float] = state["losses"]
        return losses

    def save(self, losses: list[float]) -> None:
        """Store the present state."""
        import torch

        state = {
            "model": self._model.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "rng": torch.get_rng_state(),
            "losses": losses,
            "works": self._works,
        }
        with written_whole(self._path) as new:
            torch.save(state, new)

    def clear(self) -> None:
        """Forget the run: it is done."""
        self._path.unlink(missing_ok=True)
