"""What works are compared by in a search; a command reads it before anything heavy is loaded."""

from __future__ import annotations

from enum import StrEnum


class SearchBy(StrEnum):
    """What works are compared by."""

    SUBJECT = "subject"  # what is shown: picture and words in the spaces of content
    STYLE = "style"  # how it is drawn: the picture in the spaces of style
    WORDS = "words"  # the letters of title, tags and artist
