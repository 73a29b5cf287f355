"""Searches in pages: an opaque cursor holds what earlier pages have shown.

A search has no sort key that lasts: a work that arrives moves the ranks of others, and so their
scores. What was shown is left out instead, so that no work is shown twice, and none that was found
is passed over, whatever arrives or goes meanwhile.
"""

from __future__ import annotations

import binascii
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from attribution.errors import BadInput
from attribution.index.points import Hit
from attribution.lookup.search_query import SearchQuery

MOST = 400  # works that a search lists: a cursor names them all, and an index looks twice as deep
MARK = 4  # bytes of an id, which derives from a hash: 400 of them clash once in 50,000 searches
LONGEST_CURSOR = 4 * -(-(MARK * MOST) // 3)  # characters
END = f"a search lists {MOST} works at most; add words or filters to find others"


@dataclass(frozen=True)
class SearchPage:
    """Some hits of a search, and the cursor of the next ones; None at the end."""

    hits: tuple[Hit, ...] = ()
    next: str | None = None
    notes: tuple[str, ...] = ()  # why it ends where it does
    counted: tuple[Hit, ...] = ()  # the first ones of all pages, where they are to be counted


@dataclass(frozen=True)
class Shown:
    """What earlier pages of one search have shown."""

    query: bytes  # which search it was
    marks: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, query: SearchQuery, cursor: str | None) -> Self:
        """Read a cursor of this search, None at its begin; raises BadInput for any other one."""
        if cursor is None:
            return cls(_name(query))
        try:
            read = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (binascii.Error, ValueError):
            read = b""
        if len(read) % MARK or not MARK < len(read) <= MARK * MOST:
            raise BadInput(f"{cursor[:60]!r} is not a cursor of a search; start again without one")
        name, *marks = (read[start : start + MARK] for start in range(0, len(read), MARK))
        if name != _name(query):
            raise BadInput(
                f"{cursor[:60]!r} is the cursor of another search; repeat its words, image and "
                f"filters, or start again without one"
            )
        return cls(name, tuple(marks))

    def page(
        self, search: Callable[[int], Sequence[Hit]], limit: int, *, counting: int = 0
    ) -> SearchPage:
        """Return the best hits that were not shown; `search` gives as many as it is asked for.

        With the first `counting` ones, shown or not.
        """
        stop = min(len(self.marks) + limit, MOST)
        every = search(max(stop + 1, counting))
        counted, found = tuple(every[:counting]), every[: stop + 1]
        new = [hit for hit in found if hit.id.bytes[:MARK] not in self.marks]
        hits = tuple(new[: stop - len(self.marks)])
        if len(new) == len(hits):
            return SearchPage(hits, counted=counted)
        if stop == MOST:
            return SearchPage(hits, notes=(END,), counted=counted)
        marks = (*self.marks, *(hit.id.bytes[:MARK] for hit in hits))
        following = urlsafe_b64encode(self.query + b"".join(marks)).decode().rstrip("=")
        return SearchPage(hits, following, counted=counted)


def _name(query: SearchQuery) -> bytes:
    """Return a name of what is asked for, the same for the same search."""
    image = query.image.facts.sha256 if query.image else None
    years = (query.year_from, query.year_to)
    said = [query.text, image, *map(sorted, (query.by, query.artists, query.licences)), *years]
    return sha256(json.dumps(said).encode()).digest()[:MARK]
