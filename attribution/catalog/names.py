"""Names of artists: how they are kept, compared and turned into slugs. No database here.

Two spellings are two artists until a person says otherwise: equal folded names only *propose* an
alias. Merging by itself would mix the works of namesakes, and could not be undone.
"""

from __future__ import annotations

import html
import re
import unicodedata
from difflib import SequenceMatcher
from hashlib import sha256

from attribution.errors import BadInput

LONGEST_NAME = 200
LONGEST_SLUG = 60
ALIKE = 0.85  # "Exampel" and "Example" are, "John Smith" and "Jane Smith" are not

BRACKETED = re.compile(r"\([^)]*\)|\[[^\]]*\]|<[^>]*>")
ADDRESS = re.compile(r"\S*@\S*")
MARKS = re.compile("[\u0300-\u036f]")  # the accents of Latin, Greek and Cyrillic
WORD = re.compile(r"[^\W_]+")
PLAIN = str.maketrans(  # letters of Latin alphabets that have no decomposition
    {
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "æ": "ae",
        "œ": "oe",
        "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    }
)


def tidy(name: str) -> str:
    """Return a name as it is kept: composed, without control characters or spare spaces.

    Raises BadInput when nothing is left or more than 200 characters are.
    """
    text = unicodedata.normalize("NFC", name)
    text = " ".join("".join(" " if _is_control(char) else char for char in text).split())
    if not text:
        raise BadInput(f"{name!r} is no name of an artist: give at least one visible character")
    if len(text) > LONGEST_NAME:
        raise BadInput(
            f"the artist's name {text[:40]!r}… has {len(text)} characters; "
            f"at most {LONGEST_NAME} are kept"
        )
    return text


def fold(name: str) -> str:
    """Return what likely spellings of one name have in common.

    Case, accents, punctuation, the order of words, additions in brackets and e-mail addresses do
    not count; initials that stand together are one word ("A. J." is "AJ"). A name without letters
    and digits is itself.
    """
    words: list[str] = []
    was_initial = False
    for word in WORD.findall(_plain(name)):
        is_initial = len(word) == 1 and word.isalpha()
        if is_initial and was_initial:
            words[-1] += word
        else:
            words.append(word)
        was_initial = is_initial
    return " ".join(sorted(words)) or name


def resemble(one: str, other: str) -> bool:
    """Whether two names are likely spellings of one.

    They fold to the same; or all words of one, at least two, are among the other's; or their
    folds are alike to 0.85 (difflib). Numbers in them have to be the same ones.
    """
    if fold(one) == fold(other):
        return True
    words, others = (set(fold(name).split()) for name in (one, other))
    if _numbers(words) != _numbers(others):
        return False
    fewer, more = sorted((words, others), key=len)
    if len(fewer) > 1 and fewer <= more:
        return True
    return SequenceMatcher(None, fold(one), fold(other)).ratio() >= ALIKE


def slugify(name: str) -> str:
    """Return a stable public identifier of ASCII letters, digits and hyphens, at most 60 long.

    E-mail addresses and additions in brackets are left out: slugs stand in URLs. Where letters
    have no ASCII form, a part of the name's hash keeps different names apart.
    """
    words = WORD.findall(_plain(name))
    ascii_words = re.findall(r"[a-z0-9]+", " ".join(words))
    slug = "-".join(ascii_words)[:LONGEST_SLUG].strip("-")
    if slug and "".join(words).isascii():
        return slug
    digest = sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{slug[: LONGEST_SLUG - 9] or 'artist'}-{digest}"


def _plain(name: str) -> str:
    """Fold case and accents; drop addresses and brackets, unless nothing else is there."""
    text = html.unescape(name)
    outside = ADDRESS.sub(" ", BRACKETED.sub(" ", text))
    if not WORD.search(outside):
        outside = ADDRESS.sub(" ", text)
    decomposed = unicodedata.normalize("NFKD", outside.casefold())
    return unicodedata.normalize("NFC", MARKS.sub("", decomposed)).translate(PLAIN)


def _numbers(words: set[str]) -> set[str]:
    return {word for word in words if any(map(str.isdigit, word))}


def _is_control(char: str) -> bool:
    return unicodedata.category(char) in {"Cc", "Cs"}
