"""Epochs of gradient descent over encoded works, until held-out ones are named no better.

The loss is the sum of the heads' cross entropies, the optimiser Adam with decoupled weight decay
(Loshchilov & Hutter 2019). On a GPU with bfloat16 the products are made in it; the weights stay
float32. Everything random follows from the recipe's seed and the number of the epoch, so a run
that is continued from its `run.State` goes on exactly as it would have.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attribution.encoders.memory import ran_out
from attribution.errors import BadInput
from attribution.training.coding import Ints, codes
from attribution.training.network import Network
from attribution.training.recipe import Recipe
from attribution.training.run import Epoch, Run, State
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch

TRUNK = ("trunk", "trunk_offset")
HEADS = ("heads", "heads_offset")


@dataclass(frozen=True)
class Examples:
    """Encoded works: all spaces side by side, shape (works, width), and the artists' numbers."""

    rows: Matrix
    artist: Ints

    def take(self, rows: Ints) -> Examples:
        """Return some of them."""
        return Examples(self.rows[rows], self.artist[rows])


def train(  # noqa: PLR0913  what is trained, on what, how, where
    network: Network,
    examples: Examples,
    recipe: Recipe,
    *,
    artists: int,
    held: Examples | None = None,
    device: str = "cpu",
    heads_only: bool = False,
    state: State | None = None,
    progress: Callable[[Epoch], None] = lambda _: None,
) -> Run:
    """Train from `network` on; returns the best epoch by `held`, or the last one without.

    Best: most of `held` named right, then the smallest loss on it. `state` is where the run stands
    on disk: begun there, continued from there. Raises BadInput when a number is not finite, or the
    device has too little memory; the state is then that of the last good epoch.
    """
    if not np.isfinite(examples.rows).all():
        raise BadInput("a vector is not finite; the model that encoded it is at fault")
    run = (state and state.load()) or Run.begin(network)
    try:
        with _out_of_memory(device, examples):
            loop = _Loop(run, examples, recipe, artists, device, heads_only=heads_only)
            while not run.finished(recipe.epochs, recipe.patience, stops_early=held is not None):
                progress(_pass(loop, run, recipe, held, artists))
                if state:
                    state.save(run)
    finally:  # interrupted or failed: what is done stays
        if state:
            state.save(run, now=True)
    return run


def _pass(loop: _Loop, run: Run, recipe: Recipe, held: Examples | None, artists: int) -> Epoch:
    """Do one epoch and note it in the run."""
    started, number = time.monotonic(), run.epochs + 1
    loss = loop.epoch(number)
    if not math.isfinite(loss):
        raise BadInput(
            f"the loss became {loss} in epoch {number}: it diverges; try --rate below "
            f"{recipe.rate:g}"
        )
    current = loop.network()
    hits, likelihood = _validate(current, held, artists) if held else (None, None)
    epoch = Epoch(number, loss, hits, likelihood, time.monotonic() - started)
    run.add(epoch, current, loop.moments())
    return epoch


def _validate(network: Network, held: Examples, artists: int) -> tuple[float, float]:
    """Return (share named right, mean score of the true artist)."""
    scores = network.scores(held.rows, artists)
    return (
        float((scores.argmax(1) == held.artist).mean()),
        float(scores[np.arange(len(held.artist)), held.artist].mean()),
    )


class _Loop:
    """Parameters, optimiser and examples on a device."""

    def __init__(
        self,
        run: Run,
        examples: Examples,
        recipe: Recipe,
        artists: int,
        device: str,
        *,
        heads_only: bool,
    ) -> None:
        import torch

        self._network, self._recipe, self._device = run.network, recipe, torch.device(device)
        self._rows = torch.from_numpy(run.network.scaled(examples.rows)).to(self._device)
        self._codes = torch.from_numpy(codes(artists)[examples.artist]).to(self._device)
        arrays = run.network.arrays()
        trained = HEADS if heads_only else TRUNK + HEADS
        self._weights = {
            name: torch.tensor(arrays[name], device=self._device, requires_grad=name in trained)
            for name in TRUNK + HEADS
        }
        self._optimiser = torch.optim.AdamW(
            [self._weights[name] for name in trained],
            lr=recipe.rate,
            weight_decay=recipe.weight_decay,
        )
        if run.moments:
            self._restore(run.moments)

    def epoch(self, number: int) -> float:
        """Go over all examples once; returns their mean loss."""
        import torch

        generator = torch.Generator().manual_seed(self._recipe.seed * 1_000_003 + number)
        order = torch.randperm(len(self._rows), generator=generator).to(self._device)
        dropout_seed = int(torch.randint(2**62, (), generator=generator))
        total = torch.zeros((), device=self._device)
        with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
            torch.manual_seed(dropout_seed)
            for batch in torch.split(order, self._recipe.batch):
                loss = self._loss(batch)
                self._optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                self._optimiser.step()
                total += loss.detach() * len(batch)
        return float(total) / len(self._rows)

    def network(self) -> Network:
        """Return the parameters as they are now."""
        arrays = self._network.arrays() | {
            name: value.detach().cpu().numpy().copy() for name, value in self._weights.items()
        }
        return Network.of(arrays)

    def moments(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return the optimiser's memory, by the number of a parameter and its own name."""
        return {
            f"{number}.{name}": value.detach().cpu().numpy().copy()
            for number, kept in self._optimiser.state_dict()["state"].items()
            for name, value in kept.items()
        }

    def _restore(self, moments: dict[str, np.ndarray[Any, Any]]) -> None:
        import torch

        kept: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in moments.items():
            number, name = key.split(".", 1)
            kept.setdefault(int(number), {})[name] = torch.from_numpy(value)
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": kept})

    def _loss(self, batch: torch.Tensor) -> torch.Tensor:
        import torch
        from torch.nn import functional

        weights = self._weights
        with _mixed_precision(self._device):
            hidden = functional.relu(
                functional.linear(self._rows[batch], weights["trunk"], weights["trunk_offset"])
            )
            hidden = functional.dropout(hidden, self._recipe.dropout)
            outputs = torch.einsum("bh,kdh->bdk", hidden, weights["heads"])
            outputs = outputs + weights["heads_offset"].T
        losses = functional.cross_entropy(outputs.float(), self._codes[batch], reduction="none")
        return losses.sum(1).mean()


def _mixed_precision(device: torch.device) -> Any:
    import torch

    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


@contextmanager
def _out_of_memory(device: str, examples: Examples) -> Iterator[None]:
    """Say what could not be held, and what to do."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise
        works, width = examples.rows.shape
        raise BadInput(
            f"{device} has too little memory for {works} works of {width} numbers "
            f"({works * width * 4 / 2**20:.0f} MiB, and as much again to train); "
            f"train on fewer with --limit, or set LAWFUL_DEVICE=cpu"
        ) from error
