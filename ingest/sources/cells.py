"""What a cell of a table means: yes or no, nothing, a text, a year, keywords.

This is the one table of words for yes and no. Whatever is neither is an error, never a default.
"""

from __future__ import annotations

import ast
import json
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from numbers import Number
from typing import Any, cast

from attribution.catalogue.models import PURPOSES
from attribution.catalogue.names import visible
from attribution.consents import GRANTED_BY_DEFAULT
from attribution.errors import BadInput
from attribution.images import against_training

YES = {"true", "yes", "y", "t", "on", "1", "ja", "oui", "si", "sí", "sim", "да"}
YES |= {"allow", "wahr", "vrai", "vero", "verdadero", "verdadeiro"}  # as spreadsheets write them
NO = {"false", "no", "n", "f", "off", "0", "nein", "non", "nee", "não", "nao", "нет"}
NO |= {"deny", "falsch", "faux", "falso", "onwaar"}
ASK = "ask"  # somebody is to be asked first: no for a machine
CROSSES = frozenset("✗✘✕✖❌❎×☒🚫⛔👎否") | {
    "不可",
    "いいえ",
    "아니요",
}  # no, and no word of a consent
TICKS = frozenset("✓✔✅☑👍可是") | {"はい", "네"}
EMPTY = {"", "nan", "none", "<na>", "null", "nat", "n/a", "#n/a"}  # "nothing", as programs write it
YEAR = re.compile(r"-?\d{1,5}(?:\.0*)?")
DATE = re.compile(  # 1999-05-03, 03/05/1999, 3.5.1999, 1999-05, an ISO time
    r"(?:(\d{4})[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}))"
)
LAST_YEAR = 10_000  # and as many before our era
DEEPEST = 8  # objects within objects that are searched
LONGEST_ANSWER = 20  # characters of a yes or a no
LONGEST_LIST = 20_000  # characters of a list that is written as a text

Values = Mapping[str, Any]
"""Cells of one row by the names of known columns."""


def is_empty(value: object) -> bool:
    """Tell whether a cell says nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and (value == "NA" or value.strip().casefold() in EMPTY)


def says(value: object) -> bool | None:
    """Return what a cell says to a machine; None where it says nothing. Raises ValueError."""
    if is_empty(value):
        return None
    if asks(value):
        return False
    if isinstance(value, bool):
        return value
    word = visible(str(value)).casefold()
    if re.fullmatch(r"[01]\.0*", word):
        word = word[0]
    if word in YES | NO and isinstance(value, str | Number):
        return word in YES
    raise ValueError(word)


def asks(value: object) -> bool:
    """Tell whether a cell says that somebody is to be asked first."""
    return isinstance(value, str) and visible(value).casefold() == ASK


def answer(value: object) -> bool | None:
    """Return the yes or no of a cell that nobody has to read, in words or marks; None for others.

    A number is none: something else may have it.
    """
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or len(value) > LONGEST_ANSWER:
        return None
    word = unicodedata.normalize("NFKC", visible(value)).casefold().strip(" .!,;-\ufe0f")
    if word in CROSSES or word in NO - {"0"}:
        return False
    return True if word in TICKS or word in YES - {"1"} else None


def denies(value: object) -> bool:
    """Tell whether a cell plainly says no, whatever else is wrong with its row."""
    try:
        return says(value) is False
    except ValueError:
        return False


def forbids_training(value: object) -> bool:
    """Tell whether a cell holds words against training, alone or within lists and objects."""
    return any(against_training(said) is not None for said in texts_within(value))


def texts_within(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the texts of a cell: itself, or what is in its lists and objects, names among it."""
    if isinstance(value, bytes):
        value = value[:LONGEST_LIST].decode("utf-8", "ignore")
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple) and depth <= DEEPEST:
        for part in (*value, *value.values()) if isinstance(value, Mapping) else value:
            yield from texts_within(part, depth + 1)


def keys_within(value: object, depth: int = 0) -> Iterator[str]:
    """Yield the names of what is in the objects of a cell, also where a text spells an object."""
    if isinstance(value, str) and value.strip()[:1] in {"{", "["}:
        value = _spelt(value.strip())
    if depth > DEEPEST:
        return
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str):
        value = {value[0]: value[1]}  # of a map, as Parquet has it
    if isinstance(value, Mapping):
        yield from map(str, value)
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from keys_within(part, depth + 1)


def _spelt(text: str) -> object:
    """Return the object that a text spells, as JSON and Python write it; else None."""
    if len(text) > LONGEST_LIST:
        return None
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return cast("object", read(text))
    return None


def strictness(value: object) -> int:
    """Rank what a cell says: 0 nothing against it, 1 ask first, 2 no, 3 nobody knows what."""
    try:
        said = says(value)
    except ValueError:
        return 3
    return 0 if said is not False else 1 if asks(value) else 2


def consent(values: Values, granted: Sequence[str]) -> tuple[str, ...]:
    """Return the purposes granted: what the row says, else what is `granted` by default.

    A cell in which a program has written "nothing" grants no training and no generation. Raises
    BadInput for what is neither yes nor no.
    """
    purposes = []
    for purpose in PURPOSES:
        column = f"consent_{purpose}"
        try:
            said = says(values.get(column))
        except ValueError as word:
            raise BadInput(f"its {column} is {str(word)[:60]!r}; say yes or no, or ask") from None
        if said is None and column in values and purpose not in GRANTED_BY_DEFAULT:
            said = False
        if said or (said is None and purpose in granted):
            purposes.append(purpose)
    return tuple(purposes)


def text(values: Values, *columns: str) -> str | None:
    """Return what the first of some columns says that says anything; raises BadInput."""
    for column in columns:
        value = _listed(values.get(column))
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        if (said := _text(column, value)) is not None:
            return said
    return None


def _text(column: str, value: object) -> str | None:
    if is_empty(value):
        return None
    if isinstance(value, date):
        value = value.isoformat()
    if not isinstance(value, str | Number):
        raise BadInput(f"its {column} is a {type(value).__name__}; give a text or a number")
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)  # a spreadsheet knows no other numbers
    return visible(str(value)) or None


def tags(values: Values) -> tuple[str, ...]:
    """Return keywords, from a list or a text with commas or semicolons; raises BadInput."""
    value = _listed(values.get("tags"))
    if not isinstance(value, list):
        value = re.split(r"[,;]", _text("tags", value) or "")
    found = (_text("tags", part) for part in value)
    return tuple(dict.fromkeys(tag for tag in found if tag))


def _listed(value: object) -> object:
    """Return the list that a text spells, as pandas and JSON write it; else the value itself."""
    if isinstance(value, tuple):
        return list(value)
    if not isinstance(value, str) or not (value.startswith("[") and value.endswith("]")):
        return value
    try:
        spelt = ast.literal_eval(value) if len(value) <= LONGEST_LIST else None
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return value
    return spelt if isinstance(spelt, list) else value


def dated(values: Values) -> tuple[int | None, str | None]:
    """Return the year, and the source's own words where they are more than a year.

    "1999" is a year, "1999-05-03" one with its words, "ca. 1999" words alone: nothing is guessed.
    """
    value = values.get("year")
    if is_empty(value):
        value = values.get("dated")
    if isinstance(value, datetime | date):
        return value.year, value.isoformat()
    said = _text("year", value)
    if said is None:
        return None, None
    words = _text("dated", values.get("dated"))
    if YEAR.fullmatch(said):
        year = int(float(said))
        return (year, words if words != said else None) if abs(year) <= LAST_YEAR else (None, said)
    if found := DATE.fullmatch(said):
        return int(found[1] or found[2]), words or said
    return None, words or said
