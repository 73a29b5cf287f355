"""Several rows about one picture: the first one's words count, and every no of any of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from attribution.catalogue.models import PURPOSES
from attribution.consents import ConsentSource
from ingest.sources import cells
from ingest.sources.columns import FILE_COLUMNS
from ingest.sources.tables import Row

NAMED = 3  # examples in a sentence
MOST_COMPARED = 20  # rows about one picture that are held against its first


def joined(rows: Sequence[Row]) -> Row:
    """Make one row of all about a picture: the first word for each column, every no of any."""
    if not rows:
        return Row("", {})
    first = rows[0]
    values: dict[str, Any] = {}
    for row in reversed(rows):
        values |= {column: value for column, value in row.values.items() if _speaks(value)}
    values = {**first.values, **values}
    heard: dict[str, str] = {}
    for purpose in PURPOSES:
        column = f"consent_{purpose}"
        speaking = [row for row in rows if _speaks(row.values.get(column))]
        if not speaking:
            continue
        # Of equally strict ones the first; the first of all where none says no.
        strictest = max(speaking, key=lambda row: cells.strictness(row.values[column]))
        values[column] = strictest.values[column]
        if (source := strictest.heard.get(purpose, strictest.source)) != ConsentSource.TABLE:
            heard[purpose] = source
    refused = next((row.refused for row in rows if row.refused), None)
    return Row(first.where, values, first.name, refused, heard=heard)


def of_one_table(rows: Sequence[Row]) -> Row:
    """Make one row of all that a table says about a picture; two artists are too many."""
    row = joined(
        [replace(one, refused=one.refused and f"{one.where}: {one.refused}") for one in rows]
    )
    artists = {str(one.values["artist"]) for one in rows if _speaks(one.values.get("artist"))}
    if row.refused is None and len(artists) > 1:
        names = " and ".join(sorted(artists)[:NAMED])
        return replace(row, refused=f"{row.where}: its artist is {names}; name one")
    return row


def _speaks(value: object) -> bool:
    return not cells.is_empty(value)


def _differing(one: Row, other: Row) -> list[str]:
    """Return the columns in which two rows about one picture say different things."""
    both = (one.values.keys() & other.values.keys()) - set(FILE_COLUMNS)
    return sorted(
        column
        for column in both
        if _speaks(one.values[column])
        and _speaks(other.values[column])
        and one.values[column] != other.values[column]
    )


def contradictions(rows: Sequence[Row]) -> Iterator[str]:
    """Say which rows of one table say something else about a picture than its first one."""
    for other in rows[1 : MOST_COMPARED + 1]:
        if differs := _differing(rows[0], other):
            first = rows[0].where.rpartition(", ")[2]
            yield (
                f"{other.where}: says something else about it than {first} "
                f"({', '.join(differs)}); the stricter consent is kept"
            )
