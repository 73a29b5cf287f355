"""The works that the starter models may see: those of the partition's training half."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from attribution.errors import BadInput


@dataclass(frozen=True)
class Work:
    """One picture with what is said about it."""

    path: Path
    artist: str  # folder name
    title: str
    tags: tuple[str, ...]
    place: str  # the words of its file name and folders in the library that it came from


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
                Work(
                    data / row["file_name"],
                    artist,
                    row["title"] or "",
                    tuple(row["tags"]),
                    _place(row.get("source") or ""),
                )
            )
    return works


def _place(source: str) -> str:
    """Return "wild cat animals mammals" of "a library: animals/mammals/wild_cat_01.svg"."""
    path = PurePosixPath(source.rpartition(": ")[2])
    return " ".join(re.findall("[a-z]+", f"{path.stem} {path.parent}".lower()))


def training_works(data: Path) -> list[Work]:
    """Return the works of the training half; raises BadInput when there are none."""
    works = read_works(data, partition()["train"])
    if not works:
        raise BadInput(f"{data} has no works of the artists in the training half")
    return works
