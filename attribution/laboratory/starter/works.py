"""The works that the starter models may see: those of the partition's training half."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Self


@dataclass(frozen=True)
class Work:
    """One picture with what is said about it."""

    path: Path
    artist: str  # folder name
    title: str
    tags: tuple[str, ...]
    place: str  # the words of its file name and folders in the library that it came from

    @classmethod
    def of(cls, path: Path, artist: str, title: str, tags: Sequence[str], source: str) -> Self:
        """Return a work; `source` is such as "a library: animals/mammals/wild_cat_01.svg"."""
        place = PurePosixPath(source.rpartition(": ")[2])
        words = " ".join(re.findall("[a-z]+", f"{place.stem} {place.parent}".lower()))
        return cls(path, artist, title, tuple(tags), words)


def partition() -> dict[str, list[str]]:
    """Return the folder names of the artists under "train" and "evaluation"."""
    text = (files("attribution.starter") / "partition.json").read_text(encoding="utf-8")
    parts = json.loads(text)
    return {"train": parts["train"], "evaluation": parts["evaluation"]}
