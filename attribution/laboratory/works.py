"""Labelled files become works: vectors of every space, hashes, lineage groups, and a digest."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from attribution.catalogue.names import fold, slugify
from attribution.copies.hashes import hashes
from attribution.encoders.encoder import Lane, of_lane, voting
from attribution.encoders.encoder_set import EncoderSet
from attribution.errors import BadImage, BadInput
from attribution.images import CheckedImage, lineages, read_image_file
from attribution.laboratory.starter.works import partition
from attribution.types import Matrix

BATCH = 32
PART_OF_TRAINING = 0.2  # of the training half's folders; with fewer a folder is other data

Ints = npt.NDArray[np.int64]
Progress = Callable[[str, int, int], None]
"""Called with (what is done, steps done, steps in all)."""


@dataclass(frozen=True)
class Labelled:
    """One file and who made it."""

    path: Path
    artist: str
    subject: str = ""  # what it shows, where several artists may show the same


@dataclass(frozen=True)
class Works:
    """What is known of the readable works, in the order of their files."""

    paths: tuple[Path, ...]
    subjects: tuple[str, ...]
    names: tuple[str, ...]  # of the artists, by number
    artist: Ints  # number of each work's artist
    group: Ints  # number of each work's lineage
    vectors: Mapping[str, Matrix]  # by space, shape (works, dim)
    lanes: Mapping[str, str]  # of each space
    hashes: npt.NDArray[np.uint64]  # perceptual, upright, turned and mirrored: shape (works, 8)
    sha256: tuple[str, ...]  # of the bytes
    pixel_sha256: tuple[str, ...]
    unreadable: int
    refusing: int  # left out: files that say no to training, which the baselines are
    shared: int  # left out: near-duplicates of a work by another artist

    @property
    def voting(self) -> list[str]:
        """The spaces that vote."""
        return voting(self.lanes)

    @property
    def digest(self) -> str:
        """SHA-256 over the sorted lines "hash of the bytes, artist": the data's identity."""
        pairs = zip(self.sha256, (self.names[one] for one in self.artist), strict=True)
        lines = sorted(f"{sha256} {name}\n" for sha256, name in pairs)
        return hashlib.sha256("".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Indexed:
    """The works that a system may know; artists are 0 … n-1, each with at least one."""

    vectors: Mapping[str, Matrix]  # by space that votes, shape (works, dim)
    artist: Ints
    group: Ints  # lineage
    lanes: Mapping[str, str]  # of these spaces, and of others

    @property
    def artists(self) -> int:
        """How many artists there are."""
        return int(self.artist.max()) + 1

    @property
    def plainest(self) -> str:
        """The space that B1 and B2 look at: the first of content, or where there is none of all."""
        return min(of_lane(self.lanes, Lane.CONTENT) or self.vectors)

    def take(self, rows: Ints) -> Indexed:
        """Return some of the works, with the artists' numbers as they are."""
        vectors = {space: matrix[rows] for space, matrix in self.vectors.items()}
        return Indexed(vectors, self.artist[rows], self.group[rows], self.lanes)


def choose_half(items: Iterable[Labelled], data: Path, half: str) -> tuple[list[Labelled], str]:
    """Leave out what the starter models were trained on; returns the rest and what was done.

    `half` is "evaluation", "train" or "all". It counts only for the data that the starter models
    come from: a folder that has a fifth of the training half's artists.
    """
    items = list(items)
    seen, unseen = (set(partition()[part]) for part in ("train", "evaluation"))
    folders = [_folder(item, data) for item in items]
    if half == "all" or len(seen & set(folders)) < PART_OF_TRAINING * len(seen):
        return items, "all works"
    if half == "train":
        kept = [item for item, folder in zip(items, folders, strict=True) if folder in seen]
        return kept, "the half of the artists that the starter models were trained on"
    kept = [
        item
        for item, folder in zip(items, folders, strict=True)
        if folder in unseen or (folder not in seen and slugify(item.artist) not in seen)
    ]
    return kept, "only the artists that the starter models never saw"


def embed(items: Sequence[Labelled], encoders: EncoderSet, progress: Progress) -> Works:
    """Read and encode files; what is no image, or says no to training, is counted and left out."""
    kept: list[Labelled] = []
    refusing = 0
    facts, turned = [], []
    parts: dict[str, list[Matrix]] = {}
    for start in range(0, len(items), BATCH):
        read = [
            (item, image)
            for item in items[start : start + BATCH]
            if (image := _read(item.path)) is not None
        ]
        batch = [pair for pair in read if "train" not in pair[1].facts.forbids]
        refusing += len(read) - len(batch)
        kept += [item for item, _ in batch]
        facts += [image.facts for _, image in batch]
        turned += [_positions(image) for _, image in batch]
        if batch:
            for space, rows in encoders.encode([image.rgb for _, image in batch]).items():
                parts.setdefault(space, []).append(rows)
        progress("encoding", min(start + BATCH, len(items)), len(items))
    names, artist = _one_name_an_artist([item.artist for item in kept])
    positions = np.array(turned, dtype=np.uint64)
    works = Works(
        paths=tuple(item.path for item in kept),
        subjects=tuple(item.subject for item in kept),
        names=names,
        artist=artist,
        group=lineages(positions),
        vectors={space: np.concatenate(rows) for space, rows in parts.items()},
        lanes=encoders.lanes,
        hashes=positions,
        sha256=tuple(one.sha256 for one in facts),
        pixel_sha256=tuple(one.pixel_sha256 for one in facts),
        unreadable=len(items) - len(kept) - refusing,
        refusing=refusing,
        shared=0,
    )
    return _one_artist_a_lineage(works)


def embed_others(folder: Path, encoders: EncoderSet, progress: Progress) -> dict[str, Matrix]:
    """Encode the images below a folder, whoever made them, in the spaces that vote.

    What is no image is left out. Raises BadInput where there is none.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    spaces, parts = voting(encoders.lanes), defaultdict[str, list[Matrix]](list)
    for start in range(0, len(files), BATCH):
        read = [_read(path) for path in files[start : start + BATCH]]
        if batch := [image.rgb for image in read if image is not None]:
            for space, rows in encoders.encode(batch, spaces).items():
                parts[space].append(rows)
        progress("encoding strangers", min(start + BATCH, len(files)), len(files))
    if not parts:
        raise BadInput(f"{folder} has no image that can be read")
    return {space: np.concatenate(rows) for space, rows in parts.items()}


def _one_name_an_artist(names: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Return one spelling of each name, and of each work the number of its artist's.

    Spellings of one name are one artist: else every work by the other spelling is held against
    whoever names the artist rightly.
    """
    folded, numbers = np.unique([fold(name) for name in names], return_inverse=True)
    spellings = [Counter[str]() for _ in folded]
    for name, number in zip(names, numbers.tolist(), strict=True):
        spellings[number][name] += 1
    return tuple(one.most_common(1)[0][0] for one in spellings), numbers.astype(np.int64)


def _one_artist_a_lineage(works: Works) -> Works:
    """Leave each lineage to the artist with the most works in it: a twin cannot be told apart."""
    keep = np.ones(len(works.artist), dtype=bool)
    for group in np.unique(works.group):
        members = np.flatnonzero(works.group == group)
        owner = np.bincount(works.artist[members]).argmax()
        keep[members[works.artist[members] != owner]] = False
    rows = np.flatnonzero(keep)
    numbers, artist = np.unique(works.artist[rows], return_inverse=True)
    return Works(
        paths=tuple(works.paths[row] for row in rows),
        subjects=tuple(works.subjects[row] for row in rows),
        names=tuple(works.names[number] for number in numbers),
        artist=artist.astype(np.int64),
        group=works.group[rows],
        vectors={space: matrix[rows] for space, matrix in works.vectors.items()},
        lanes=works.lanes,
        hashes=works.hashes[rows],
        sha256=tuple(works.sha256[row] for row in rows),
        pixel_sha256=tuple(works.pixel_sha256[row] for row in rows),
        unreadable=works.unreadable,
        refusing=works.refusing,
        shared=len(keep) - len(rows),
    )


def _folder(item: Labelled, data: Path) -> str:
    """Return the folder of an artist as the partition names it."""
    root = data if data.is_dir() else data.parent
    below = item.path.relative_to(root) if item.path.is_relative_to(root) else item.path
    return below.parts[0]


def _positions(image: CheckedImage) -> list[int]:
    return [int(one, 16) for one in hashes(image.rgb).values()]


def _read(path: Path) -> CheckedImage | None:
    try:
        return read_image_file(path)
    except BadImage:
        return None
