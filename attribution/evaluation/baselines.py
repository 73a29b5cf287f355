"""What was there before: the seed's classifier (B0) and logistic regression on CLIP (B2).

Both are tuned on held-out lineages of the indexed works, then fitted on all of them. torch is
imported by the functions that use it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attribution.evaluation.metrics import Floats
from attribution.evaluation.splits import hold_out
from attribution.evaluation.systems import CONTENT, Answer, Indexed, nearest_works
from attribution.evaluation.works import Ints
from attribution.types import Matrix

if TYPE_CHECKING:
    import torch

HEADS = 3
HIDDEN = 512
EPOCHS = 200
PATIENCE = 20  # epochs without a better validation
BATCH = 64
RATES = (3e-4, 1e-3, 3e-3)
DROPOUTS = (0.2, 0.5)
STRENGTHS = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)  # C, as scikit-learn writes it


def digits(artist: Ints, artists: int) -> tuple[Ints, int]:
    """Return each artist's number as HEADS digits, shape (n, HEADS), and their base ⌈n^(1/3)⌉."""
    base = max(2, next(b for b in range(1, artists + 2) if b**HEADS >= artists))
    powers = base ** np.arange(HEADS - 1, -1, -1)
    return artist[:, None] // powers % base, base


@dataclass(frozen=True)
class Trained:
    """A network with its inputs' mean and spread."""

    network: torch.nn.Module
    centre: Floats
    spread: Floats
    base: int


class Seed:
    """B0: an MLP on the concatenated vectors of all spaces, with three heads of artist codes.

    The loss is the sum of the heads' cross entropies, an artist's logit the sum of the logarithms
    of its three digits' probabilities, and "known" the largest of these.
    """

    def __init__(self) -> None:
        self.rate, self.dropout, self.epochs = RATES[1], DROPOUTS[0], EPOCHS // 4

    def tune(self, indexed: Indexed, seed: int) -> None:
        """Choose rate, dropout and epochs by hits on held-out lineages, then by their loss."""
        fitted, held = hold_out(indexed.artist, indexed.group, seed)
        if not len(held):
            return
        best = (-1.0, -math.inf)
        for rate in RATES:
            for dropout in DROPOUTS:
                self.rate, self.dropout, self.epochs = rate, dropout, EPOCHS
                trials = self._train(indexed, fitted, held, seed)
                if trials[:2] > best:
                    best, chosen = trials[:2], (rate, dropout, trials[2])
        self.rate, self.dropout, self.epochs = chosen

    def fit(self, indexed: Indexed, artists: int, seed: int) -> None:
        """Train on all works for the chosen number of epochs."""
        self._indexed, self._artists = indexed, artists
        self._trained = _prepare(indexed, artists, self.dropout, seed)
        for _ in _epochs(self._trained, indexed, artists, self.rate, seed, self.epochs):
            pass

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer with the sums of the heads' logarithms; works by the cosine of the inputs."""
        scores = _scores(self._trained, _joined(queries), self._artists)
        works = nearest_works(_joined(queries), _joined(self._indexed.vectors))
        return Answer(scores, scores.max(1), works)

    def _train(
        self, indexed: Indexed, fitted: Ints, held: Ints, seed: int
    ) -> tuple[float, float, int]:
        """Return (hits, minus loss, epochs) at the best epoch: most hits, then smallest loss."""
        part, truth = indexed.take(fitted), indexed.artist[held]
        rows = _joined(indexed.take(held).vectors)
        trained = _prepare(part, indexed.artists, self.dropout, seed)
        best, best_epoch = (-1.0, -math.inf), 0
        steps = _epochs(trained, part, indexed.artists, self.rate, seed, self.epochs)
        for epoch in steps:
            scores = _scores(trained, rows, indexed.artists)
            found = (
                float((scores.argmax(1) == truth).mean()),
                float(scores[np.arange(len(truth)), truth].mean()),
            )
            if found > best:
                best, best_epoch = found, epoch
            elif epoch - best_epoch >= PATIENCE:
                break
        return (*best, best_epoch)


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
        rows = np.asarray(indexed.vectors[CONTENT], dtype=np.float64)
        self._weights = _regress(rows, indexed.artist, artists, self.strength)

    def answer(self, queries: Mapping[str, Matrix]) -> Answer:
        """Answer with log-probabilities; "known" is the largest; works by the cosine of CLIP."""
        logits = queries[CONTENT] @ self._weights[:-1] + self._weights[-1]
        logits -= logits.max(1, keepdims=True)
        scores = logits - np.log(np.exp(logits).sum(1, keepdims=True))
        works = nearest_works(queries[CONTENT], self._indexed.vectors[CONTENT])
        return Answer(scores, scores.max(1), works)


def _joined(vectors: Mapping[str, Matrix]) -> Matrix:
    return np.concatenate([vectors[space] for space in sorted(vectors)], axis=1)


def _prepare(indexed: Indexed, artists: int, dropout: float, seed: int) -> Trained:
    import torch

    rows = _joined(indexed.vectors)
    _, base = digits(indexed.artist, artists)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = torch.nn.Sequential(
            torch.nn.Linear(rows.shape[1], HIDDEN),
            torch.nn.ReLU(),
            torch.nn.Dropout(dropout),
            torch.nn.Linear(HIDDEN, HEADS * base),
        )
    return Trained(network, rows.mean(0), np.maximum(rows.std(0), 1e-6), base)


def _epochs(
    trained: Trained, indexed: Indexed, artists: int, rate: float, seed: int, epochs: int
) -> Iterator[int]:
    """Train, yielding the number of every epoch that was done."""
    import torch
    from torch.nn import functional

    rows = _inputs(trained, _joined(indexed.vectors))
    codes = torch.from_numpy(digits(indexed.artist, artists)[0])
    optimizer = torch.optim.Adam(trained.network.parameters(), lr=rate)
    order = torch.Generator().manual_seed(seed)
    for epoch in range(1, epochs + 1):
        trained.network.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed * EPOCHS + epoch)  # of the dropout
            shuffled = torch.randperm(len(rows), generator=order)
            for batch in torch.split(shuffled, BATCH):
                outputs = trained.network(rows[batch]).view(-1, HEADS, trained.base)
                loss = functional.cross_entropy(
                    outputs.transpose(1, 2), codes[batch], reduction="none"
                ).sum(1)
                optimizer.zero_grad()
                loss.mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
                optimizer.step()
        trained.network.eval()
        yield epoch


def _scores(trained: Trained, rows: Matrix, artists: int) -> Floats:
    import torch

    with torch.inference_mode():
        outputs = trained.network(_inputs(trained, rows)).view(-1, HEADS, trained.base)
        parts = outputs.log_softmax(2).double().numpy()
    codes, _ = digits(np.arange(artists), artists)
    scores: Floats = sum(parts[:, head, codes[:, head]] for head in range(HEADS))
    return scores


def _inputs(trained: Trained, rows: Matrix) -> torch.Tensor:
    import torch

    return torch.from_numpy(((rows - trained.centre) / trained.spread).astype(np.float32))


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
