"""Which characters the bytes of a table stand for: told by what they are, refused in doubt."""

from __future__ import annotations

import codecs
import re

from ingest.sources.raw import Unreadable

MARKS = (  # the longer first: UTF-32's begins with UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# What Windows-1252 makes of other encodings: signs within words, capitals behind small letters,
# three letters with accents in a row. No language of Western Europe writes so.
SIGNS = "\u0192\u2020\u2021\u02c6\u2030\u00a4\u00a6\u00ac\u00af\u00b6"
WITHIN = (
    "\u201a\u201e\u2039\u203a\u00a7\u00a8\u00a9\u00ab\u00ae\u00b0\u00b1\u00b8\u00b9\u00bb-\u00bf"
    "\u00d7\u00f7"
)
NOT_WESTERN = re.compile(
    f"[A-Za-z][{SIGNS}]|[{SIGNS}][A-Za-z]|[A-Za-z][{WITHIN}][A-Za-z]"
    "|[a-z\u00df-\u00ff][\u00c0-\u00d6\u00d8-\u00de\u0160\u0152\u017d\u0178]"
    "|[^\\W\\d_a-zA-Z]{3}"
)


def decode(data: bytes, shown: str) -> str:
    """Return the text of a table in UTF-8, UTF-16 or Windows-1252; raises Unreadable for others."""
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return _strictly(data, encoding, shown)
    if encoding_of_zeros := _without_mark(data):
        return _strictly(data, encoding_of_zeros, shown)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        text = _strictly(data, "cp1252", shown)
    if found := NOT_WESTERN.search(text):
        raise _unknown(shown, text[max(0, found.start() - 10) : found.end() + 10])
    return text


def _without_mark(data: bytes) -> str | None:
    """Recognise UTF-16 without its mark: the head of a table is plain ASCII."""
    head = data[:64]
    if b"\0" not in head or len(head) < 4:
        return None
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
