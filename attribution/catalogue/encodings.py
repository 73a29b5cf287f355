"""Names whose bytes are not UTF-8: which encodings make words of them. No guess is made here.

A reading is plausible when it consists of words: one script a word, capitals where words have them,
no box drawings or stray symbols. Names are certain when all plausible readings agree. Otherwise a
person is asked, with the likeliest readings to choose from.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from attribution.errors import BadInput

CANDIDATES = tuple(  # the likeliest first, where several readings are plausible
    """cp932 gb18030 cp949 cp950 cp1252 cp850 cp437 cp1251 cp866 cp1250 cp852 koi8_r euc_jp cp1253
    cp737 cp1255 cp862 cp1256 cp1254 cp857 cp1257 cp775 cp874 cp1258 mac_roman""".split()  # noqa: SIM905  prose
)
COMMON = {"gb18030": "gb2312", "cp949": "euc_kr"}  # the characters that most texts keep to
SIGNS = frozenset("‘’“”„«»‹›–—…•·°ºª©®™№€£§¡¿´「」『』【】（）、。・！？：～ー々　")
EAST_ASIAN = frozenset("CJK HIRAGANA KATAKANA HANGUL HALFWIDTH FULLWIDTH KATAKANA-HIRAGANA".split())  # noqa: SIM905
SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s!-~’·]+(?=[^\W\d_])")
ODDITIES = 1_000  # a sample of names is enough to tell words from none
CHOICES = 4  # readings shown to a person


@dataclass(frozen=True)
class Reading:
    """Names as one encoding reads them."""

    encoding: str
    names: tuple[str, ...]
    oddities: int  # places that no word has


def check_encoding(name: str) -> str:
    """Return the name of an encoding; raises BadInput for one that cannot be one of file names."""
    try:
        known = b"a/b.png".decode(name) == "a/b.png" and "a".encode(name) == b"a"
    except (LookupError, UnicodeError, ValueError):
        known = False
    if not known:
        raise BadInput(
            f"{name[:40]!r} is not an encoding of names; such are utf-8, cp932 (Japanese), gb18030 "
            f"(Chinese), cp949 (Korean), cp1252 and cp850 (Western Europe), cp866 (Russian)"
        )
    return name


def readings(names: Sequence[bytes]) -> list[Reading]:
    """Return every reading of a few names that all candidates give, the likeliest first."""
    found: dict[tuple[str, ...], Reading] = {}
    for one in _each_reading(names):
        found.setdefault(one.names, one)
    return sorted(found.values(), key=lambda one: (one.oddities, _rare(one)))


def certain(names: Sequence[bytes], *, without: frozenset[str] = frozenset()) -> Reading | None:
    """Return the only plausible reading of names; None where there are several or none.

    Of names without number two readings at most are held at a time.
    """
    only: Reading | None = None
    for one in _each_reading(names, without):
        if one.oddities:
            continue
        if only is not None and one.names != only.names:
            return None
        only = only or one
    return only


def _each_reading(
    names: Sequence[bytes], without: frozenset[str] = frozenset()
) -> Iterator[Reading]:
    for encoding in CANDIDATES:
        if encoding in without:
            continue
        try:
            texts = tuple(name.decode(encoding) for name in names)
        except UnicodeDecodeError:
            continue
        yield Reading(encoding, texts, _oddities(texts))


def choices(names: Sequence[bytes]) -> str:
    """Say how names would read in the likeliest encodings."""
    few = names[:3]
    return "; ".join(
        f"as {one.encoding}: {', '.join(map(_shown, one.names))}" for one in readings(few)[:CHOICES]
    )


def shown_bytes(name: str) -> str:
    r"""Return a name with the bytes that are no text as `\xe9`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _oddities(names: Sequence[str]) -> int:
    return sum(_odd(name) for name in names[:ODDITIES])


def _odd(name: str) -> int:
    """Count what no word has."""
    signs = sum(not (char.isascii() or char in SIGNS or _is_of_words(char)) for char in name)
    words = "".join(char if _is_of_words(char) else " " for char in name).split()
    return signs + sum(not _is_word(word) for word in words) + len(SIGN_IN_WORD.findall(name))


def _is_of_words(char: str) -> bool:
    return unicodedata.category(char)[0] in "LM"


def _is_word(word: str) -> bool:
    """Tell whether letters are of one script, with capitals where words have them."""
    if word.isascii():
        return True
    scripts = {unicodedata.name(char, "?").split(" ")[0] for char in word}
    if len(scripts - {"COMBINING"}) > 1 and not scripts <= EAST_ASIAN:
        return False
    return not any(_is_odd_capital(word, at) for at in range(1, len(word)))


def _is_odd_capital(word: str, at: int) -> bool:
    """Tell whether a capital stands amid small letters; where both are ASCII, anything goes."""
    before, char, after = word[at - 1], word[at], word[at + 1 : at + 2]
    if not char.isupper() or (before + char).isascii():
        return False
    return before.islower() or (at == 1 and after.islower())


def _rare(reading: Reading) -> int:
    """Count characters that texts in an encoding seldom have."""
    common = COMMON.get(reading.encoding)
    if common is None:
        return sum("HALFWIDTH" in unicodedata.name(char, "") for char in "".join(reading.names))
    text = "".join(reading.names)
    return len(text) - len(text.encode(common, "ignore").decode(common))


def _shown(name: str) -> str:
    return repr(
        "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in name)
    )
