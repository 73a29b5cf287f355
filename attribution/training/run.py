"""Where a training stands, in memory and on disk.

The file is written beside and renamed, after an epoch when the last writing was a while ago: a kill
at any moment costs seconds of work and tears nothing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from attribution.training.network import Network
from attribution.whole import written_whole

log = logging.getLogger(__name__)

EVERY_S = 2.0  # between two writings


@dataclass(frozen=True)
class Epoch:
    """What was measured after one pass; the last two of held-out works, None without any."""

    number: int
    loss: float
    top1: float | None
    log_score: float | None  # mean score of the true artist
    seconds: float

    @property
    def rank(self) -> tuple[float, float]:
        """How good it is: by held-out works; without any the latest is the best."""
        if self.top1 is None or self.log_score is None:
            return (self.number, 0.0)
        return (self.top1, self.log_score)


@dataclass
class Run:
    """The network as it is, the best so far, the optimiser's memory, every epoch's figures."""

    network: Network
    best: Network
    best_epoch: int = 0
    history: list[Epoch] = field(default_factory=list)
    moments: dict[str, np.ndarray[Any, Any]] = field(default_factory=dict)

    @classmethod
    def begin(cls, network: Network) -> Self:
        """Return a run that has done nothing."""
        return cls(network, network)

    @property
    def epochs(self) -> int:
        """How many are done."""
        return len(self.history)

    def finished(self, epochs: int, patience: int, *, stops_early: bool) -> bool:
        """Whether all epochs are done, or the last `patience` brought nothing better."""
        waited = self.epochs - self.best_epoch
        return self.epochs >= epochs or (stops_early and waited >= patience)

    def works_per_s(self, works: int) -> float:
        """Return how many works a second were trained on, of so many in an epoch."""
        seconds = sum(one.seconds for one in self.history)
        return works * self.epochs / seconds if seconds else 0.0

    def add(self, epoch: Epoch, network: Network, moments: dict[str, np.ndarray[Any, Any]]) -> None:
        """Note an epoch."""
        if not self.best_epoch or epoch.rank > self.history[self.best_epoch - 1].rank:
            self.best, self.best_epoch = network, epoch.number
        self.network, self.moments = network, moments
        self.history.append(epoch)


class State:
    """A run as one safetensors file; `identity` names what is trained on, and how."""

    def __init__(self, path: Path, identity: str) -> None:
        self._path, self._identity = path, identity
        self._written = -EVERY_S

    def load(self) -> Run | None:
        """Return the run as it was written; None where there is none of this identity."""
        from safetensors import SafetensorError, safe_open

        if not self._path.exists():
            return None
        try:
            with safe_open(self._path, "numpy") as file:
                facts = json.loads(file.metadata()["run"])
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be read (%s): the training starts again", self._path, error)
            return None
        if facts["identity"] != self._identity:
            log.warning("%s belongs to other works or settings: starting again", self._path)
            return None
        return Run(
            Network.of(_below("network", arrays)),
            Network.of(_below("best", arrays)),
            facts["best_epoch"],
            [Epoch(**one) for one in facts["history"]],
            _below("moments", arrays),
        )

    def save(self, run: Run, *, now: bool = False) -> None:
        """Write the run, if the last writing was a while ago or it has to be `now`."""
        from safetensors.numpy import save_file

        if not now and time.monotonic() - self._written < EVERY_S:
            return
        facts = {
            "identity": self._identity,
            "best_epoch": run.best_epoch,
            "history": [asdict(one) for one in run.history],
        }
        arrays = {
            f"{part}/{name}": np.ascontiguousarray(value)
            for part, named in (
                ("network", run.network.arrays()),
                ("best", run.best.arrays()),
                ("moments", run.moments),
            )
            for name, value in named.items()
        }
        with written_whole(self._path) as new:
            save_file(arrays, new, metadata={"run": json.dumps(facts)})
        self._written = time.monotonic()


def _below(part: str, arrays: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(f"{part}/"): value
        for name, value in arrays.items()
        if name.startswith(f"{part}/")
    }
