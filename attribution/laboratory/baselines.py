"""What was there before: the seed's classifier (B0) and logistic regression on CLIP (B2).

Both are tuned on held-out lineages of the indexed works, then fitted on all of them. torch is
imported by the functions that use it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, get_args

import numpy as np

from attribution.laboratory.metrics import Floats
from attribution.laboratory.splits import hold_out
from attribution.laboratory.systems import Answer, nearest_works
from attribution.laboratory.works import Indexed, Ints
from attribution.training.network import joined, start
from attribution.training.recipe import Recipe, Scaling
from attribution.training.run import Run
from attribution.training.trainer import Examples, train
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch

EPOCHS = 200
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
RATES = (1e-3, 3e-3)
DROPOUTS = (0.5, 0.8)
DECAYS = (0.1, 1.0)
STRENGTHS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # C, as scikit-learn writes it


class Seed:
    """B0: an MLP on the concatenated vectors of all spaces, with three heads of artist codes.

    `attribution.training` as it is; "known" is the largest of the artists' scores.
    """

    def __init__(self) -> None:
        self.recipe = Recipe(epochs=EPOCHS)

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Choose scaling and rate, then dropout and decay, and epochs, on held-out lineages.

        By hits, then by loss.
        """
        fitted, held = hold_out(indexed.artist, indexed.group, seed)
        if not len(held):
            return
        best = (-1.0, -math.inf)
        chosen = self.recipe
        for scaling in SCALINGS:
            for rate in RATES:
                trial = replace(self.recipe, scaling=scaling, rate=rate, seed=seed)
                best, chosen = max((best, chosen), _tried(indexed, fitted, held, trial), key=_first)
        for dropout in DROPOUTS:
            for decay in DECAYS:
                trial = replace(chosen, dropout=dropout, weight_decay=decay, epochs=EPOCHS)
                best, chosen = max((best, chosen), _tried(indexed, fitted, held, trial), key=_first)
        self.recipe = chosen

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Train on all works for the chosen number of epochs."""
        self._indexed, self._artists = indexed, artists
        self._network = _train(indexed, artists, replace(self.recipe, seed=seed)).network

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer with the sums of the heads' logarithms; works by the cosine of the inputs."""
        scores = self._network.scores(joined(queries), self._artists)
        works = nearest_works(joined(queries), joined(self._indexed.vectors))
        return Answer(scores, scores.max(1), works)


class Logistic:
    """B2: multinomial logistic regression on the CLIP vector, L2-regularised; C is tuned."""

    def __init__(self) -> None:
        self.strength = STRENGTHS[2]

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Choose C by the hits on held-out lineages, then by their loss."""
        fitted, held = hold_out(indexed.artist, indexed.group, seed)
        if not len(held):
            return
        best, truth = (-1.0, -math.inf), indexed.artist[held]
        for strength in STRENGTHS:
            trial = Logistic()
            trial.strength = strength
            trial.fit(indexed.take(fitted), indexed.artists, seed)
            scores = trial.answer(indexed.take(held).vectors).scores
            found = (
                float((scores.argmax(1) == truth).mean()),
                float(scores[np.arange(len(truth)), truth].mean()),
            )
            if found > best:
                best, self.strength = found, strength

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Minimise C Σ cross entropy + ½ ‖W‖² by L-BFGS (Hastie et al. 2009, 4.4)."""
        del seed
        self._indexed = indexed
        rows = np.asarray(indexed.vectors[indexed.plainest], dtype=np.float64)
        self._weights = _regress(rows, indexed.artist, artists, self.strength)

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer with log-probabilities; "known" is the largest; works by the cosine of CLIP."""
        space = self._indexed.plainest
        logits = queries[space] @ self._weights[:-1] + self._weights[-1]
        logits -= logits.max(1, keepdims=True)
        scores = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        works = nearest_works(queries[space], self._indexed.vectors[space])
        return Answer(scores, scores.max(1), works)


Tried = tuple[tuple[float, float], Recipe]
"""How good the best epoch of a recipe was, and the recipe with so many epochs."""


def _tried(indexed: Indexed, fitted: Ints, held: Ints, recipe: Recipe) -> Tried:
    part, asked = indexed.take(fitted), indexed.take(held)
    validation = Examples(joined(asked.vectors), asked.artist)
    run = _train(part, indexed.artists, recipe, validation)
    return run.history[run.best_epoch - 1].rank, replace(recipe, epochs=run.best_epoch)


def _first(tried: Tried) -> tuple[float, float]:
    return tried[0]


def _train(indexed: Indexed, artists: int, recipe: Recipe, held: Examples | None = None) -> Run:
    examples = Examples(joined(indexed.vectors), indexed.artist)
    dims = {space: matrix.shape[1] for space, matrix in indexed.vectors.items()}
    network = start(examples.rows, dims, artists, recipe)
    return train(network, examples, recipe, artists=artists, held=held)


def _regress(rows: Floats, artist: Ints, artists: int, strength: float) -> Floats:
    """Return weights and, in the last row, offsets; shape (dim + 1, artists)."""
    import torch
    from torch.nn import functional

    inputs, truth = torch.from_numpy(rows), torch.from_numpy(artist)
    weights = torch.zeros(rows.shape[1] + 1, artists, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        logits = inputs @ weights[:-1] + weights[-1]
        size = 0.5 * weights[:-1].square().sum() / (strength * len(rows))
        value = functional.cross_entropy(logits, truth) + size
        value.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return weights.detach().numpy()
