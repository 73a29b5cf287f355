"""What a person asks a search for; a command reads it before anything heavy is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from attribution.errors import BadInput

if TYPE_CHECKING:
    from attribution.images import CheckedImage


class SearchBy(StrEnum):
    """What works are compared by."""

    SUBJECT = "subject"  # what is shown: picture and words in the spaces of content
    STYLE = "style"  # how it is drawn: the picture in the spaces of style
    WORDS = "words"  # the letters of title, tags and artist


@dataclass(frozen=True)
class SearchQuery:
    """What a person asks for: words, a picture, or both, within a filter."""

    text: str | None = None
    image: CheckedImage | None = None
    by: tuple[SearchBy, ...] = (SearchBy.SUBJECT, SearchBy.WORDS)
    artists: tuple[str, ...] = ()  # slugs
    licences: tuple[str, ...] = ()  # in any spelling; what names none, by its exact text
    year_from: int | None = None
    year_to: int | None = None


def check_query(query: SearchQuery) -> None:
    """Raise BadInput for a query without words or picture, or with one that `by` cannot use."""
    has_words, by = bool((query.text or "").strip()), set(query.by)
    if query.image is None and not has_words:
        raise BadInput("nothing to search for: give words, an image or both")
    if has_words and by == {SearchBy.STYLE}:
        raise BadInput("by style: words have no style; give an image alone, or search by subject")
    if query.image is not None and by == {SearchBy.WORDS}:
        raise BadInput("by words: an image has no words; leave it out, or search by subject")
