"""What the starter models and LoRAs may learn from: works whose licence or consent lets them.

A work trains where its source grants it, or its licence is free and nothing says no: neither the
table, nor the file itself. Whatever cannot be read trains nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from attribution.catalogue.licences import identify
from attribution.errors import BadImage, BadInput, NotAllowed, NotFound
from attribution.images import ImageFacts, file_sha256, read_image_file
from attribution.laboratory.starter.generator.works import Lesson
from attribution.laboratory.starter.works import Work, partition
from ingest.sources import GRANTED_BY_DEFAULT, SourceItem, read_source
from ingest.sources.folder import WAITS

FREE = {"CC-PDM-1.0", "CC0-1.0"}  # licences under which a work may train without being asked
SAYS_NO, NOT_GRANTED = "says no to training", "neither its licence nor its consent allows training"
UNUSABLE = "cannot be used"


LeftOut = Mapping[str, int]
"""How many works may not train, by reason."""


def judged(items: Iterable[SourceItem]) -> Iterator[tuple[SourceItem, str | None]]:
    """Yield each work with why its source lets it not train; None where it does.

    A no is about the bytes: it counts for every file that has them.
    """
    reasons = [(item, _why_not(item)) for item in items]
    denied = {
        file_sha256(item.path)
        for item, because in reasons
        if because in {SAYS_NO, WAITS} or "train" in item.denied
    } - {None}
    for item, because in reasons:
        is_copy = because is None and denied and file_sha256(item.path) in denied
        yield item, SAYS_NO if is_copy else because


def _why_not(item: SourceItem) -> str | None:
    if item.refused is not None:
        return WAITS if item.refused.startswith(WAITS) else UNUSABLE
    if "index" not in item.consent and "consent_train" not in item.said:
        return SAYS_NO  # who may not even be found was not asked about training
    return None if "train" in item.consent else SAYS_NO


def read_lessons(data: Path) -> tuple[list[Lesson], LeftOut]:
    """Return the works that may train, with the words that stand for them, and who is left out.

    `data` is a folder or manifest as `lawful ingest` takes it. Raises BadInput where there are no
    works, NotAllowed where none may train.
    """
    works, left_out = _read_permitted(data)
    lessons = [
        Lesson.of(item.path, facts.sha256, item.artist, _title(item), item.tags)
        for item, facts in works
    ]
    return lessons, left_out


def read_starter_works(data: Path, half: str = "train") -> tuple[list[Work], LeftOut]:
    """Return the works that may train by the artists in one half of the partition.

    Raises as `read_lessons`, and BadInput where none is by these artists.
    """
    permitted, left_out = _read_permitted(data)
    folders = set(partition()[half])
    works = [
        Work.of(item.path, folder, _title(item), item.tags, item.source or "")
        for item, _ in permitted
        if (folder := _folder(item, data)) in folders
    ]
    if not works:
        raise BadInput(f"{data} has no works of the artists in the half {half!r}")
    return works, left_out


def _read_permitted(data: Path) -> tuple[list[tuple[SourceItem, ImageFacts]], LeftOut]:
    left_out = Counter[str]()
    works = list(_permitted(data, left_out))
    if not works:
        reasons = ", ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise NotAllowed(
            f"no work of {data} may train a model ({reasons}); it takes a free licence "
            f"({', '.join(sorted(FREE))}) or consent_train"
        )
    return works, left_out


def _permitted(data: Path, left_out: Counter[str]) -> Iterator[tuple[SourceItem, ImageFacts]]:
    for item, denied in judged(read_source(data, granted=(*GRANTED_BY_DEFAULT, "train"))):
        because = denied
        if because is None and "consent_train" not in item.said and not _is_free(item):
            because = NOT_GRANTED
        if because is None:
            try:
                facts = read_image_file(item.path).facts
            except (BadImage, NotFound):
                because = UNUSABLE
            else:
                because = SAYS_NO if "train" in facts.forbids else None
        if because is None:
            yield item, facts
        else:
            left_out[because] += 1


def _is_free(item: SourceItem) -> bool:
    return identify(item.licence) in FREE


def _title(item: SourceItem) -> str:
    """Return what the source calls a work; the name of its file is no title to learn."""
    return item.title if "title" in item.said else ""


def _folder(item: SourceItem, data: Path) -> str:
    root = data if data.is_dir() else data.parent
    return item.path.relative_to(root).parts[0]
