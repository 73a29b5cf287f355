"""Words as a sparse vector: BM25 term weights; the inverse document frequency is the engine's part.

Robertson & Zaragoza 2009, with the document length normalised by a fixed average instead of the
collection's own: titles and tags are short, and a changing average would change every vector.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter

K1 = 1.2
B = 0.75
AVERAGE_WORDS = 12  # title, tags and artist of a usual work

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Split into words, folded: case, accents and compatibility forms do not count."""
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return _WORD.findall(plain.replace("_", " "))


def document_vector(text: str) -> tuple[list[int], list[float]]:
    """Return (indices, values) of a document: the saturated frequency of each of its words."""
    counts = Counter(map(_index, words(text)))
    length = K1 * (1 - B + B * counts.total() / AVERAGE_WORDS)
    items = sorted(counts.items())
    return [word for word, _ in items], [n * (K1 + 1) / (n + length) for _, n in items]


def query_vector(text: str) -> tuple[list[int], list[float]]:
    """Return (indices, values) of a query: every word counts once."""
    indices = sorted({_index(word) for word in words(text)})
    return indices, [1.0] * len(indices)


def _index(word: str) -> int:
    """Hash a word to 32 bits: no dictionary to keep, and the same on every machine."""
    return zlib.crc32(word.encode())
