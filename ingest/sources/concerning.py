"""Whether texts that are no rows of ours may be about these pictures, or about permission."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from attribution.images import against_training
from ingest.sources.columns import FOLDED_CONSENTS, MEANT, fold, permits, words_of
from ingest.sources.pictures import NAMES_PICTURE
from ingest.sources.showing import against_showing

LONGEST_HEAD = 60  # characters; what is longer is prose, in which such words mean little
SHORTEST = 3  # letters and digits of a name that is known by itself


def concerning(texts: Iterable[str], stems: Collection[str]) -> str | None:
    """Return the first text that names a picture, or speaks about permission; None for none.

    `stems` are the names of the pictures without their endings, as `words_of` gives them.
    """
    return next((text for text in dict.fromkeys(texts) if _is_concerning(text, stems)), None)


def _is_concerning(text: str, stems: Collection[str]) -> bool:
    if NAMES_PICTURE.search(text) or against_training(text) or against_showing(text):
        return True
    if len(text) > LONGEST_HEAD:
        return False
    name, folded = words_of(text), fold(text)
    is_name = name in stems and len(name) >= SHORTEST and not name.isdecimal()
    return is_name or folded in FOLDED_CONSENTS or folded in MEANT or permits(text)
