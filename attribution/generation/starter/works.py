"""The works that the starter generator may learn from, and what they are called in prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attribution.errors import BadInput, NotAllowed

FREE = {"public domain", "CC0-1.0"}  # licences under which a work may train without being asked
YES, NO = {"yes", "true", "1"}, {"no", "false", "0"}
PROMPTS = 12  # a work: the most different ones that can be made of its words


@dataclass(frozen=True)
class Lesson:
    """One work with the words that stand for it."""

    path: Path
    sha256: str  # of the file
    artist: str
    subject: str  # the title without its serial number
    tags: tuple[str, ...]

    def prompts(self) -> list[str]:
        """Return what may be typed to mean this work: subject, tags and hand in every mixture.

        The empty prompt comes last: without it nothing could be guided away from.
        """
        hand = f"by {self.artist.lower()}"
        subjects = [self.subject, *self.tags, ", ".join([self.subject, *self.tags])]
        named = [f"{subject} {hand}" for subject in dict.fromkeys(subjects) if subject]
        bare = [subject for subject in dict.fromkeys(subjects) if subject]
        mixed = [prompt for pair in zip(named, bare, strict=True) for prompt in pair]
        return [*mixed[: PROMPTS - 2], hand, ""]


def read_lessons(data: Path) -> list[Lesson]:
    """Return the works of a folder with metadata.jsonl, in its order.

    Raises BadInput when there are none, NotAllowed naming the first whose licence or consent does
    not let it train.
    """
    metadata = data / "metadata.jsonl"
    if not metadata.is_file():
        raise BadInput(f"{metadata} is missing; give a folder with works and their metadata.jsonl")
    rows = [json.loads(line) for line in metadata.read_text(encoding="utf-8").splitlines()]
    if not rows:
        raise BadInput(f"{metadata} lists no works")
    return [_lesson(data, row) for row in rows]


def of_artist(lessons: Sequence[Lesson], artist: str) -> list[Lesson]:
    """Return one artist's works; raises BadInput naming the artists that there are."""
    own = [one for one in lessons if one.artist.lower() == artist.lower()]
    if not own:
        known = ", ".join(sorted({one.artist for one in lessons}))
        raise BadInput(f"no works by {artist!r} here; known: {known}")
    return own


def write_training_set(lessons: Sequence[Lesson], path: Path) -> None:
    """Write which works a model was trained on, by the hashes of their files."""
    works = [{"sha256": one.sha256, "artist": one.artist, "title": one.subject} for one in lessons]
    path.write_text(json.dumps({"works": works}, indent=1) + "\n", encoding="utf-8")


def _lesson(data: Path, row: dict[str, Any]) -> Lesson:
    file_name, licence = row["file_name"], row.get("licence")
    said = str(row.get("consent_train", "")).lower()
    if said in NO or (licence not in FREE and said not in YES):
        raise NotAllowed(
            f"{file_name} may not train a model: its licence is {licence!r}, its consent_train "
            f"{said or 'not given'!r}; leave it out"
        )
    path = data / file_name
    return Lesson(
        path,
        hashlib.sha256(path.read_bytes()).hexdigest(),
        row["artist"],
        _subject(row.get("title") or ""),
        tuple(tag.replace("_", " ").lower() for tag in row.get("tags") or ()),
    )


def _subject(title: str) -> str:
    return title.lower().replace("_", " ").rstrip("0123456789 -.#")
