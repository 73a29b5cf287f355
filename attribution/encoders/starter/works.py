"""The works that the starter models may see: those of the partition's training half."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from attribution.errors import BadInput


@dataclass(frozen=True)
class Work:
    """One picture with what is said about it."""

    path: Path
    artist: str  # folder name
    title: str
    tags: tuple[str, ...]


def partition() -> dict[str, list[str]]:
    """Return the folder names of the artists under "train" and "evaluation"."""
    text = (files("attribution.starter") / "partition.json").read_text(encoding="utf-8")
    parts = json.loads(text)
    return {"train": parts["train"], "evaluation": parts["evaluation"]}


def read_works(data: Path, artists: Sequence[str]) -> list[Work]:
    """Return the works of these artists in the folder's metadata.jsonl, in its order."""
    metadata = data / "metadata.jsonl"
    if not metadata.is_file():
        raise BadInput(f"{metadata} is missing; give a folder with works and their metadata.jsonl")
    wanted = set(artists)
    works = []
    for line in metadata.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        artist = row["file_name"].split("/")[0]
        if artist in wanted:
            works.append(
                Work(data / row["file_name"], artist, row["title"] or "", tuple(row["tags"]))
            )
    return works


def training_works(data: Path) -> list[Work]:
    """Return the works of the training half; raises BadInput when there are none."""
    works = read_works(data, partition()["train"])
    if not works:
        raise BadInput(f"{data} has no works of the artists in the training half")
    return works
