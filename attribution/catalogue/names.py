"""Names of artists: how they are kept, compared and turned into slugs. No database here.

Spellings that fold alike are one artist, unless something in them tells two people apart. Names
that are merely alike are two artists until a person says otherwise.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from hashlib import sha256

from attribution.catalogue import encodings
from attribution.errors import BadInput

LONGEST_NAME = 200
LONGEST_SLUG = 60
REMEMBERED = 65_536  # names: of a job the same ones come again and again
NEIGHBOURS = 20  # names compared with one, on each side of it and in each of two orders
ALIKE = 0.85  # "Exampel" and "Example" are, "John Smith" and "Jane Smith" are not

BRACKETED = re.compile(r"\([^)]*\)|\[[^\]]*\]|<[^>]*>")
MAIL = re.compile(r"[^\s@()<>\[\]]+@[^\s@()<>\[\]]+")
SITE = re.compile(
    r"(https?://|www\.)[^\s()<>\[\]]+"
    r"|\b([a-z0-9-]+\.)+((com|net|org|art|info|io)\b(/[^\s()<>\[\]]*)?|[a-z]{2,}/[^\s()<>\[\]]*)"
)
MARKED = re.compile(r"\S*@\S*")  # addresses, and what is left of them
LOST = "\N{REPLACEMENT CHARACTER}"  # where a program could not read what stood there
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
BLANKS = "\u115f\u1160\u3164\uffa0\u034f"  # letters and a mark that are not to be seen
BLANK = "\N{BRAILLE PATTERN BLANK}"  # a sign that looks like a space
SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # of a glyph for one character
MARKS = re.compile("[\u0300-\u036f]")  # the accents of Latin, Greek and Cyrillic
WORD = re.compile(r"[^\W_]+")
FOLDED_WORD = re.compile(r"[^\W_]+|[&+$]")  # with the signs that make another name
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


@lru_cache(maxsize=REMEMBERED)
def tidy(name: str) -> str:
    """Return a name as it is kept: composed, in one line, without invisible characters.

    Raises BadInput when nothing is left, more than 200 characters are, or some cannot be read.
    """
    text = visible(unicodedata.normalize("NFC", readable(name)))
    if not text:
        raise BadInput(f"{name!r} is not a valid artist name: give at least one visible character")
    if len(text) > LONGEST_NAME:
        raise BadInput(
            f"the artist's name {text[:40]!r}… has {len(text)} characters; "
            f"at most {LONGEST_NAME} are kept"
        )
    return text


def visible(text: str) -> str:
    """Return text in one line, without characters that control, hide or turn what is around.

    The joiners of Persian and Indic words and of emoji stay where they join something.
    """
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    seen: list[str] = []
    for char in text:
        kind = unicodedata.category(char)
        if char.isspace() or char == BLANK:
            seen.append(" ")
        elif kind == "Cs":
            seen.append(LOST)
        elif char in JOINERS or (kind not in {"Cc", "Cf"} and char not in BLANKS):
            seen.append(char)
    joined = (char for at, char in enumerate(seen) if char not in JOINERS or _joins(seen, at))
    return " ".join("".join(joined).split())


def readable(name: str) -> str:
    """Return a name that a file system gave as text.

    Bytes that are not UTF-8 are decoded where only one reading makes words. Raises BadInput where a
    person has to read them, and where another program has lost characters of the name.
    """
    if LOST in name:
        raise BadInput(
            f"the name {name[:60]!r} has lost characters ({LOST}) in some program; write it again"
        )
    try:
        name.encode()
    except UnicodeEncodeError:
        pass
    else:
        return name
    try:
        raw = name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise BadInput(
            f"{ascii(name)[:80]} is not a valid artist name: it has half a character"
        ) from None
    if reading := encodings.certain([raw]):
        return reading.names[0]
    raise BadInput(
        f"the name '{encodings.shown_bytes(name)[:80]}' is not UTF-8 text and may mean several "
        f"({encodings.choices([raw])}); rename it, or name the artist by an option or an artist "
        f"column"
    )


@lru_cache(maxsize=REMEMBERED)
def fold(name: str) -> str:
    """Return what the spellings of one name have in common.

    Case, accents, punctuation, invisible characters, the order of words, e-mail addresses and sites
    do not count; initials that stand together are one word ("A. J." is "AJ"). What tells people of
    one name apart stays: years, numerals, whatever else stands in brackets, `&` between two. A name
    without letters and digits is itself.
    """
    seen = _without_glyphs(name)
    words: list[str] = []
    was_initial = False
    for word in FOLDED_WORD.findall(_plain(_without_addresses(seen))):
        is_initial = len(word) == 1 and word.isalpha()
        if is_initial and was_initial:
            words[-1] += word
        else:
            words.append(word)
        was_initial = is_initial
    return " ".join(sorted(words)) or seen or name


def turned(name: str) -> str:
    """Return the fold of a name with its words from the last to the first.

    Sorted by both, a name has those as neighbours that share its first or its last words.
    """
    return " ".join(reversed(fold(name).split()))


def tells_apart(one: str, other: str) -> bool:
    """Tell whether two names that fold alike belong to different people: by their addresses."""
    addresses = [_addresses(name) for name in (one, other)]
    return all(addresses) and not addresses[0] & addresses[1]


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
    match = SequenceMatcher(None, fold(one), fold(other))
    # The ratio is at most what the two quick ones say, which rule out nearly all.
    looks = (match.real_quick_ratio, match.quick_ratio, match.ratio)
    return all(look() >= ALIKE for look in looks)


def may_be_one(one: str, other: str) -> bool:
    """Whether two names are likely spellings of one, and nothing in them tells two people apart."""
    return resemble(one, other) and not tells_apart(one, other)


def near(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of names that may be one artist's, some of them twice.

    Compared are the neighbours where names are sorted by their folds, forwards and backwards.
    """
    for order in (fold, turned):
        ordered = sorted(names, key=order)
        for at, name in enumerate(ordered, 1):
            for other in ordered[at : at + NEIGHBOURS]:
                if may_be_one(name, other):
                    yield name, other


def slugify(name: str) -> str:
    """Return a stable public identifier of ASCII letters, digits and hyphens, at most 60 long.

    E-mail addresses and additions in brackets are left out: slugs stand in URLs. Where letters
    have no ASCII form, a part of the name's hash keeps different names apart.
    """
    words = WORD.findall(_plain(_without_brackets(name)))
    ascii_words = re.findall(r"[a-z0-9]+", " ".join(words))
    slug = "-".join(ascii_words)[:LONGEST_SLUG].strip("-")
    if slug and "".join(words).isascii():
        return slug
    digest = sha256(unicodedata.normalize("NFC", name).encode("utf-8", "replace")).hexdigest()[:8]
    return f"{slug[: LONGEST_SLUG - 9] or 'artist'}-{digest}"


def _plain(text: str) -> str:
    """Fold case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", MARKS.sub("", decomposed)).translate(PLAIN)


def _numbers(words: set[str]) -> set[str]:
    return {word for word in words if any(map(str.isdigit, word))}


def _without_addresses(name: str) -> str:
    """Leave out e-mail addresses and sites, unless nothing else is there."""
    text = html.unescape(name)
    outside = SITE.sub(" ", MAIL.sub(" ", text))
    return outside if WORD.search(outside) else MARKED.sub(" ", text)


def _without_brackets(name: str) -> str:
    """Leave out addresses and what stands in brackets, unless nothing else is there."""
    text = html.unescape(name)
    outside = MARKED.sub(" ", BRACKETED.sub(" ", text))
    return outside if WORD.search(outside) else MARKED.sub(" ", text)


def _addresses(name: str) -> set[str]:
    text = html.unescape(name)
    sites = SITE.finditer(MAIL.sub(" ", text))
    return {found.group().casefold() for found in (*MAIL.finditer(text), *sites)}


def _without_glyphs(name: str) -> str:
    """Leave out everything that is not to be seen, joiners and the choice of a glyph among it."""
    return SELECTORS.sub("", visible(name)).translate({ord(char): None for char in JOINERS})


def _joins(text: list[str], at: int) -> bool:
    """Tell whether a joiner stands between letters, marks or emoji."""
    around = (text[at - 1] if at else " ", text[at + 1] if at + 1 < len(text) else " ")
    return all(
        char not in JOINERS and unicodedata.category(char)[0] in "LMS" and not char.isascii()
        for char in around
    )
