"""The words against AI training that people write into tables and into metadata of pictures."""

from __future__ import annotations

import re
import unicodedata

SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015]+")
UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
LEARN = r"(?:train(?:ing|ed)?|machine learning|deep learning|data mining|tdm|text and data mining)"
MIND = r"(?:(?:gen(?:erative)? ?)?a\.?i\.?|ki|ia|ml|machine learning)"
AGAINST = re.compile(
    rf"(?<![^\W_])(?:no ?(?:image ?)?{MIND}"
    rf"|no (?:use (?:for|in|by) )?(?:{MIND} )?{LEARN}|notrain"
    rf"|(?:do not|don'?t|never|not to|not for|must not|may not|cannot) (?:to )?(?:be )?"
    rf"(?:used? )?(?:for |to |in )?"
    rf"(?:(?:the )?{MIND} (?:model )?)?{LEARN}"
    rf"|donottrain|not for {MIND}|{MIND} ?: ?no"
    rf"|(?:{MIND} )?{LEARN} (?:is |are )?(?:prohibited|forbidden|not allowed|not permitted|denied)"
    rf"|opt(?:ed)? ?out (?:of|from) (?:{MIND}|{LEARN})|dmi prohibited"
    r"|kein(?:e|er|en)? ki|nicht (?:fur|zum) (?:ki|training)|pas d'ia|nessuna ia|sin ia"
    r"|tdm ?: ?reservation ?= ?[\"']?1)(?![^\W\d_])",
)


def against_training(text: str) -> str | None:
    """Return the words of a text that forbid training; None where it has none."""
    plain = unicodedata.normalize("NFKD", UNSEEN.sub("", text)).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    plain = SEPARATORS.sub(" ", plain.replace("\u2019", "'"))
    found = AGAINST.search(plain)
    return found[0] if found else None
