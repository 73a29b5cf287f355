"""The works that the starter generator may learn from, and what they are called in prompts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from attribution.errors import BadInput

PROMPTS = 12  # a work: the most different ones that can be made of its words


@dataclass(frozen=True)
class Lesson:
    """One work with the words that stand for it."""

    path: Path
    sha256: str  # of the file
    artist: str
    subject: str  # the title without its serial number
    tags: tuple[str, ...]

    @classmethod
    def of(cls, path: Path, sha256: str, artist: str, title: str, tags: Sequence[str]) -> Self:
        """Return a lesson in small letters, its title without serial number."""
        subject = title.lower().replace("_", " ").rstrip("0123456789 -.#")
        words = tuple(tag.replace("_", " ").lower() for tag in tags)
        return cls(path, sha256, artist, subject, words)

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
