"""What a column of a table is called, and what it means.

A name that nobody knows is passed over and listed, unless it may hold a no: one that is nearly the
name of a known column, or that speaks about permission, makes its table unreadable.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache

from attribution.catalogue.models import PURPOSES
from attribution.catalogue.names import visible
from ingest.sources.pictures import NAMES_PICTURE
from ingest.sources.raw import Unreadable

CONSENTS = tuple(f"consent_{purpose}" for purpose in PURPOSES)
DOCUMENT = "consent_document"  # where the consent of a row is written: a URL, or words
COLUMNS = {  # column -> other spellings of it
    "file_name": ("file", "files", "image_file"),
    "path": ("file_path", "image_path"),
    "artist": (),
    "title": (),
    "text": (),
    "caption": (),
    "tags": ("tag", "keywords"),
    "year": (),
    "dated": ("date",),
    "licence": ("license",),
    "source": (),
    DOCUMENT: (),
} | dict.fromkeys(CONSENTS, ())
FILE_COLUMNS = ("file_name", "path")
# Words about permission: a column so called may say no, in a way that this program cannot read.
PLAINLY = (  # of a file as well
    r"consent|permission|(?:^|_)(?:opt(?:ed)?_?(?:s_?)?(?:out|in)(?:_|$)|no_?ai(?:_|$)|no_?train|do_?not_|dont_|don_t_"
    r"|deny_?list|einwilligung|zustimmung|erlaubnis|widerspruch|toestemming|permisos?(?:_|$)"
    r"|autoris|autoriz|samtykke|zgoda)|同意|согласие"
)
PERMISSION = re.compile(
    rf"{PLAINLY}|(?:^|_)(?:permi(?:t|ss|so)|allow|opt(?:ed|_out)"
    r"|(?:gen_?)?ai(?:_(?:train|use|ok|opt|ml)|$)|aitrain|genai|machine_learning|training"
    r"|trainable|train_ok|data_?mining|tdm|no_?(?:index|display|show|publish)|(?:may|can)_"
    r"|forbid|prohibit|den(?:y|ied)(?:_|$)|revoke|withdraw|withh[eo]ld|embargo|restrict|confidential"
    r"|private(?:_|$)|secret(?:_|$)|hidden(?:_|$)|exclu|take_?down|blocked|veto|objection|refus(?:e|ed)(?:_|$)"
    r"|unlisted|robots|public(?:_|$)|publish|visible|searchable|indexable|index_ok|approved|agreed|released"
    r"|freigabe|anzeigen|veroffentlich|permis|accord(?:_|$)|afficher)"
)
LISTS = (  # of files whose works are not to be taken
    rf"{PLAINLY}|(?:^|_)(?:withdr[ae]wn?|exclu(?:de|ded|sions?)|block_?list(?:ed)?|black_?list(?:ed)?"
    r"|take_?downs?|embargo(?:ed)?|revoked|refused|declined)(?:_|$)"
)
PURPOSE = {"index", "display", "train", "generate"}  # numbers there are row numbers or splits
SHORT = {"file", "files", "path", "text", "tag", "date", "dated"}  # many words are near them
CARRY_OVER = "copy each no in it to a column that is read, and take it out"
MOST_COLUMNS = 1_000
MOST_NAMED = 8  # columns in one sentence
FURTHEST = 2  # letters that are wrong, missing or exchanged in a longer name


@lru_cache(maxsize=10_000)
def fold(header: str) -> str:
    """Return what spellings of one header have in common: case, spaces, hyphens do not count."""
    plain = unicodedata.normalize("NFKC", header).casefold()
    return "".join(re.findall(r"[^\W_]+", plain))


KNOWN = {fold(name): column for column, more in COLUMNS.items() for name in (column, *more)}
# What people call these columns elsewhere: never passed over, or an artist and a licence are lost.
ELSEWHERE = {
    "file_name": "datei dateiname bilddatei filnamn fichier archivo fichero bestand arquivo",
    "artist": "künstler kuenstler künstlerin urheber autor artiste auteur artista kunstenaar "
    "konstnär author creator painter photographer",
    "title": "titel titre titulo título titolo bildtitel",
    "year": "jahr année annee año anno ano jaar baujahr entstehungsjahr",
    "licence": "lizenz licenz licencia licenza licença licentie rechte",
    "tags": "schlagworte stichworte schlüsselwörter motsclés palabrasclave parolechiave",
}
MEANT = {fold(word): column for column, words in ELSEWHERE.items() for word in words.split()}
FOLDED_CONSENTS = {fold(column) for column in CONSENTS}


def understand(headers: Sequence[str], shown: str) -> tuple[dict[str, str], list[str]]:
    """Return the known columns by their header, and the headers that are passed over.

    `shown` names the table. Raises Unreadable naming the column that makes it unreadable.
    """
    if len(headers) > MOST_COLUMNS:
        raise Unreadable(f"{shown} has {len(headers):,} columns; {MOST_COLUMNS} are read at most")
    known: dict[str, str] = {}
    dangers: list[str] = []
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
            dangers.append(f"{where} {because}")
        else:
            unused.append(visible(header)[:60])
    if dangers:
        what = "it" if len(dangers) == 1 else "each"
        raise Unreadable(f"{'; '.join(dangers[:MOST_NAMED])}; rename {what}, or {CARRY_OVER}")
    return known, unused


def _danger(header: str, folded: str) -> str | None:
    """Say why an unknown column cannot be passed over."""
    if NAMES_PICTURE.search(header):
        return "is called as a picture: give each picture a row"
    if folded in MEANT:
        return f"may mean {MEANT[folded]}"
    for name, column in KNOWN.items():
        if name not in SHORT and _is_near(folded, name):
            return f"may mean {column}"
    if permits(header):
        close = get_close_matches(folded, [fold(one) for one in CONSENTS], n=1)
        meant = KNOWN[close[0]] if close else ", ".join(CONSENTS)
        return f"speaks about permission; this program reads {meant}"
    return None


def permits(name: str) -> bool:
    """Tell whether a header or a key speaks about permission, or is nearly one that does."""
    folded = fold(name)
    is_near = any(_is_near(folded, consent) for consent in FOLDED_CONSENTS)
    return is_near or PERMISSION.search(words_of(name)) is not None


def permits_in_name(stem: str) -> bool:
    """Tell whether the name of a file says that it is about permission."""
    return re.search(LISTS, words_of(stem)) is not None


def words_of(header: str) -> str:
    """Return the words of a header in small letters: "optOut" and "Opt out" as "opt_out"."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", header)
    plain = unicodedata.normalize("NFKD", apart).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return "_".join(re.findall(r"[^\W_]+", plain))


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
