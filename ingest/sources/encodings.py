"""Which characters the bytes of a table stand for: told by what they are, refused in doubt."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from ingest.sources.raw import Unreadable

MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Windows-1252 makes of other encodings: signs within words, capitals behind small letters,
# letters with accents in a row or by themselves, and those of several languages in one word.
# Icelandic and S and Z with a caron are read as well as another encoding: they are asked for.
SIGNS = "\u0192\u2020\u2021\u02c6\u2030\u00a4\u00a6\u00ac\u00af\u00b6"
WITHIN = (
    "\u201a\u201c-\u201e\u2026\u2039\u203a\u00a1-\u00a3\u00a5\u00a7\u00a8\u00a9-\u00ab\u00ae\u00b0-\u00b3"
    "\u00b8-\u00bf\u00d7\u00f7"
)
ACCENTED = "\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u00ff\u0152\u0153\u0160\u0161\u017d\u017e\u0178"
LANGUAGES = (  # letters that stand together in a word
    "äöüßéèêàáóåëïç",  # German, Swedish, Finnish, Dutch, and names in them
    "àâçéèêëîïôùûüÿœ",  # French
    "áéíóúñüïàèòç",  # Spanish, Catalan, Italian
    "áéíóúâêôãõàçüì",  # Portuguese, Italian
    "æøåéäöüóè",  # Danish, Norwegian
    "àèéìíîòóùú",  # Italian
)
WORD = re.compile(r"[^\W\d_]+")
ODD = (
    r"[a-z][\u201a\u201e]|ç(?![aouàáâãóôõúûü]|\b)|õ(?!e)|œ(?![uit])|(?<!\w)ß|iæ\b"
    "|[a-z][\u2013\u2014][a-z]"  # Mac Roman's n and o with accents
    r"|[a-z][a-tv-z]\u2019(?:a|o|n|as|os|nez|nguez)\b(?!\u2019)"  # and its i
)
NOT_WESTERN = re.compile(
    f"[A-Za-z][{SIGNS}]|[{SIGNS}][A-Za-z]|[A-Za-z][{WITHIN}][A-Za-z]"
    "|[a-z\u00df-\u00ff][\u00c0-\u00d6\u00d8-\u00de\u0160\u0152\u017d\u0178]"
    "|[^\\W\\d_a-zA-Z]{3}"
    f"|[{ACCENTED}][{SIGNS}\u00a2\u00a3\u00a5\u00a7\u00b0\u00b1\u00d7\u00f7]|[{SIGNS}\u00a3\u00b1\u00d7\u00f7][{ACCENTED}A-Za-z]"
    f"|{ODD}"
)
SHIFTED = re.compile(r"\+[A-Za-z0-9+/]{3,}-|\x1b")  # of UTF-7, and of ISO-2022


def decode(data: bytes, shown: str) -> str:
    """Return the text of a table in UTF-8, UTF-16 or Windows-1252; raises Unreadable for others."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding, shown)
    if encoding_of_zeros := _without_mark(data):
        return _strictly(data, encoding_of_zeros, shown)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = _strictly(data, "cp1252", shown)
        found = NOT_WESTERN.search(text) or next(filter(_is_of_no_language, _words(text)), None)
    else:
        found = next(filter(_is_shifted, SHIFTED.finditer(text)), None)
    if found:
        raise _unknown(shown, text[max(0, found.start() - 10) : found.end() + 10])
    return text


def is_wide(head: bytes) -> bool:
    """Tell whether bytes begin like a table of two or four bytes a character."""
    marked = (name for mark, name in MARKS if head.startswith(mark))
    encoding = next(marked, None) or _without_mark(head)
    try:
        return encoding is not None and head[:64].decode(encoding).isascii()
    except UnicodeDecodeError:
        return False


def _words(text: str) -> Iterator[re.Match[str]]:
    return (word for word in WORD.finditer(text) if not word[0].isascii())


def _is_of_no_language(word: re.Match[str]) -> bool:
    """Tell whether letters of a word stand together in no language of Western Europe."""
    accented = {char for char in word[0].lower() if not char.isascii()} - {"ª", "º"}
    if len(word[0]) > 1 and all(not char.isascii() for char in word[0]):
        return True
    return not any(accented <= set(letters) for letters in LANGUAGES)


def _is_shifted(found: re.Match[str]) -> bool:
    """Tell whether ASCII stands for other letters, as in UTF-7 ("J+APY-rg")."""
    try:
        return found[0] == "\x1b" or not found[0].encode().decode("utf-7").isascii()
    except UnicodeDecodeError:
        return False


def _without_mark(data: bytes) -> str | None:
    """Recognise UTF-16 and UTF-32 without its mark: the head of a table is plain ASCII."""
    head = data[:64]
    if b"\0" not in head or len(head) < 4:
        return None
    if head[1:4] == b"\0\0\0" or head[:3] == b"\0\0\0":
        return "utf-32-le" if head[0] else "utf-32-be"
    return "utf-16-le" if head[1] == 0 else "utf-16-be" if head[0] == 0 else None


def _strictly(data: bytes, encoding: str, shown: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        around = data[max(0, error.start - 10) : error.start + 10]
        raise _unknown(shown, around.decode("ascii", "backslashreplace")) from None


def _unknown(shown: str, around: str) -> Unreadable:
    return Unreadable(
        f"{shown}: its encoding cannot be told (near {' '.join(around.split())!r}); "
        f"save it as UTF-8"
    )
