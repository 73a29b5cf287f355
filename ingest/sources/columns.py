"""What a column of a table is called, and what it means.

A name that nobody knows is passed over and listed, unless it may hold a no: one that is nearly the
name of a known column, or that speaks about permission, makes its table unreadable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches

from attribution.catalog.models import PURPOSES
from ingest.sources.raw import Unreadable

CONSENTS = tuple(f"consent_{purpose}" for purpose in PURPOSES)
COLUMNS = {  # column -> other spellings of it
    "file_name": ("file", "image_file"),
    "path": ("file_path", "image_path"),
    "artist": (),
    "title": (),
    "text": (),
    "caption": (),
    "tags": (),
    "year": (),
    "dated": ("date",),
    "licence": ("license",),
    "source": (),
} | dict.fromkeys(CONSENTS, ())
FILE_COLUMNS = ("file_name", "path")
# Words about permission: a column so called may say no, in a way that this program cannot read.
PERMISSION = re.compile(
    r"(?:^|_)(?:consent|permi(?:t|ss|so)|allow|opt_?(?:out|in)(?:_|$)|no_?ai(?:_|$)|ai_(?:train|use|ok)"
    r"|no_?train|training|trainable|data_?mining|tdm|forbid|prohibit|den(?:y|ied)(?:_|$)|revoke"
    r"|withdraw|withh[eo]ld|embargo|restrict|confidential|private(?:_|$)|secret(?:_|$)|hidden(?:_|$)"
    r"|do_?not|einwilligung|zustimmung|erlaubnis|freigabe|toestemming|autoris|autoriz)"
)
PURPOSE = {"index", "display", "train", "generate"}  # numbers there are row numbers or splits
FURTHEST = 2  # letters that are wrong, missing or exchanged in a longer name


def fold(header: str) -> str:
    """Return what spellings of one header have in common: case, spaces, hyphens do not count."""
    plain = unicodedata.normalize("NFKC", header).casefold()
    return "".join(re.findall(r"[^\W_]+", plain))


KNOWN = {fold(name): column for column, more in COLUMNS.items() for name in (column, *more)}
FOLDED_CONSENTS = {fold(column) for column in CONSENTS}


def understand(headers: Sequence[str], shown: str) -> tuple[dict[str, str], list[str]]:
    """Return the known columns by their header, and the headers that are passed over.

    `shown` names the table. Raises Unreadable naming the column that makes it unreadable.
    """
    known: dict[str, str] = {}
    unused, first = [], dict[str, int]()
    for number, header in enumerate(headers, 1):
        folded = fold(header)
        if not folded:
            continue
        where = f"{shown}, column {number} {header.strip()[:60]!r}"
        if folded in first:
            raise Unreadable(f"{where} is called as column {first[folded]} is; remove one of them")
        first[folded] = number
        if folded in KNOWN:
            known[header] = KNOWN[folded]
        elif because := _danger(header, folded):
            raise Unreadable(f"{where} {because}; rename it, or remove it")
        else:
            unused.append(header.strip())
    return known, unused


def _danger(header: str, folded: str) -> str | None:
    """Say why an unknown column cannot be passed over."""
    for name, column in KNOWN.items():
        if _is_near(folded, name):
            return f"may mean {column}"
    if folded.startswith("consent") or PERMISSION.search(words_of(header)):
        close = get_close_matches(folded, [fold(one) for one in CONSENTS], n=1)
        meant = KNOWN[close[0]] if close else ", ".join(CONSENTS)
        return f"speaks about permission; this program reads {meant}"
    return None


def words_of(header: str) -> str:
    """Return the words of a header in small letters: "optOut" and "Opt out" as "opt_out"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    return "_".join(re.findall(r"[^\W_]+", apart.casefold()))


def _is_near(one: str, other: str) -> bool:
    """Tell whether two names differ by a slip of the pen: a letter in short ones, two in long."""
    allowed = FURTHEST if len(other) > 8 else 1
    if len(other) < 4 or abs(len(one) - len(other)) > allowed:
        return False
    return _distance(one, other) <= allowed


def _distance(one: str, other: str) -> int:
    """Count letters that are wrong, missing, too many or exchanged with their neighbour."""
    before, row = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        above, row = row, [i]
        for j, wanted in enumerate(other, 1):
            row.append(min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != wanted)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                row[j] = min(row[j], before[j - 2] + 1)
        before = above
    return row[-1]
