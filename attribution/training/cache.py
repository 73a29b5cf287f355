"""Vectors of files that were encoded before, by the hash of their bytes, as safetensors.

A part is written for each batch, beside and renamed: what is interrupted is done up to its last
batch. One folder holds vectors of one set of encoders. What a file says of its rights is not kept:
a cached yes would outlive a better reader.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from attribution.types import Matrix, Vector
from attribution.whole import written_whole

CACHE = "cache"  # the folder of these folders, below LAWFUL_TRAINED
HASHES, LIKENESS = "sha256", "phash"
FORBIDDEN = "forbidden"  # in parts of earlier versions: whether the file opted out, as they read it


@dataclass(frozen=True, eq=False)
class Encoded:
    """What is kept of one file."""

    sha256: str
    phash: int  # perceptual, 64 bits
    vectors: Mapping[str, Vector]


class Cache:
    """The vectors in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, Encoded] = {}
        for part in sorted(folder.glob("*.safetensors")):
            self._known |= {one.sha256: one for one in _read(part)}

    def get(self, sha256: str) -> Encoded | None:
        """Return a file's vectors, if they are known."""
        return self._known.get(sha256)

    def add(self, files: Sequence[Encoded]) -> None:
        """Keep the vectors of some files."""
        self._folder.mkdir(parents=True, exist_ok=True)
        _write(self._folder / f"{uuid4().hex}.safetensors", files)
        self._known |= {one.sha256: one for one in files}


def forget(folder: Path, hashes: Collection[str]) -> int:
    """Delete the vectors of these files in all folders below; returns how many there were."""
    gone = 0
    for begun in folder.glob("*/.*.new"):  # by a process that was killed: nobody knows what it has
        begun.unlink(missing_ok=True)
    for part in folder.glob("*/*.safetensors"):
        files = _read(part)
        kept = [one for one in files if one.sha256 not in hashes]
        gone += len(files) - len(kept)
        if not kept:
            part.unlink()
        elif len(kept) < len(files):
            _write(part, kept)
    return gone


def _read(part: Path) -> list[Encoded]:
    """Return what a part holds; nothing of one that is damaged: it is encoded again."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: dict[str, npt.NDArray[np.generic]] = load_file(part)
        hashes, likeness = arrays.pop(HASHES), arrays.pop(LIKENESS)
    except (SafetensorError, KeyError):
        return []
    arrays.pop(FORBIDDEN, None)
    spaces: dict[str, Matrix] = {name: rows.astype(np.float32) for name, rows in arrays.items()}
    return [
        Encoded(
            row.tobytes().hex(),
            int(likeness[number]),
            {name: rows[number] for name, rows in spaces.items()},
        )
        for number, row in enumerate(hashes)
    ]


def _write(part: Path, files: Sequence[Encoded]) -> None:
    from safetensors.numpy import save_file

    hashes = np.stack([np.frombuffer(bytes.fromhex(one.sha256), np.uint8) for one in files])
    arrays: dict[str, npt.NDArray[np.generic]] = {
        HASHES: hashes,
        LIKENESS: np.array([one.phash for one in files], np.uint64),
    }
    for name in files[0].vectors:
        arrays[name] = np.stack([one.vectors[name] for one in files])
    with written_whole(part) as new:
        save_file(arrays, new)
