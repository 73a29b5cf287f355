"""How to train: the numbers that a person may choose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Scaling = Literal["numbers", "spaces", "lengths"]
"""What inputs are brought to: "numbers" each number to mean 0 and variance 1; "spaces" each number
to mean 0 and each space to a mean variance of 1; "lengths" each space's vectors to length √dim."""


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults were chosen on the training half of the artists."""

    scaling: Scaling = "spaces"
    hidden: int = 512
    rate: float = 1e-3
    dropout: float = 0.5
    weight_decay: float = 0.1
    batch: int = 64
    epochs: int = 200
    patience: int = 20  # epochs without a better validation
    seed: int = 0
