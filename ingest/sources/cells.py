"""What a cell of a table means: yes or no, nothing, a text, a year, keywords.

This is the one table of words for yes and no. Whatever is neither is an error, never a default.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from numbers import Number
from typing import Any

from attribution.catalog.models import PURPOSES
from attribution.catalog.names import visible
from attribution.errors import BadInput
from attribution.images import against_training
from ingest.sources.item import GRANTED_BY_DEFAULT

YES = {"true", "yes", "y", "t", "on", "1", "ja", "oui", "si", "sí", "sim", "да"}
YES |= {"wahr", "vrai", "vero", "verdadero", "verdadeiro"}  # as spreadsheets write them
NO = {"false", "no", "n", "f", "off", "0", "nein", "non", "nee", "não", "nao", "нет"}
NO |= {"falsch", "faux", "falso", "onwaar"}
EMPTY = {"", "nan", "none", "<na>", "null", "nat", "n/a", "#n/a"}  # "nothing", as programs write it
YEAR = re.compile(r"-?\d{1,5}(?:\.0*)?")
DATE = re.compile(  # 1999-05-03, 03/05/1999, 3.5.1999, 1999-05, an ISO time
    r"(?:(\d{4})[-/.]\d{1,2}(?:[-/.]\d{1,2})?(?:[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}))"
)
LAST_YEAR = 10_000  # and as many before our era
DEEPEST = 8  # objects within objects that are searched
LONGEST_LIST = 20_000  # characters of a list that is written as a text

Values = Mapping[str, Any]
"""Cells of one row by the names of known columns."""


def is_empty(value: object) -> bool:
    """Tell whether a cell says nothing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return isinstance(value, str) and (value == "NA" or value.strip().casefold() in EMPTY)


def says(value: object) -> bool | None:
    """Return what a cell says, yes or no; None where it says nothing. Raises ValueError."""
    if is_empty(value):
        return None
    if isinstance(value, bool):
        return value
    word = visible(str(value)).casefold()
    if re.fullmatch(r"[01]\.0*", word):
        word = word[0]
    if word in YES | NO and isinstance(value, str | Number):
        return word in YES
    raise ValueError(word)


def is_answer(value: object) -> bool:
    """Tell whether a cell is a yes or a no, and no number that something else may have."""
    if isinstance(value, str):
        return value.strip().casefold() in (YES | NO) - {"0", "1"}
    return isinstance(value, bool)


def denies(value: object) -> bool:
    """Tell whether a cell plainly says no, whatever else is wrong with its row."""
    try:
        return says(value) is False
    except ValueError:
        return False


def forbids_training(value: object, depth: int = 0) -> bool:
    """Tell whether a cell holds words against training, alone or within lists and objects."""
    if depth > DEEPEST:
        return False
    if isinstance(value, Mapping):
        return any(forbids_training(part, depth + 1) for part in (*value, *value.values()))
    if isinstance(value, list | tuple):
        return any(forbids_training(part, depth + 1) for part in value)
    if isinstance(value, bytes):
        value = value[:LONGEST_LIST].decode("utf-8", "ignore")
    return isinstance(value, str) and against_training(value) is not None


def strictness(value: object) -> int:
    """Rank what a cell says: 0 nothing against it, 1 no, 2 nobody knows what."""
    try:
        said = says(value)
    except ValueError:
        return 2
    return 1 if said is False else 0


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
            raise BadInput(f"its {column} is {str(word)[:60]!r}; say yes or no") from None
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
