"""No picture is taken against a "no" that a careful person would read in a table.

Random tables: formats, delimiters, encodings, headers, spellings, rows twice, rows without a
picture, damage. What each row was meant to say is known; what the reader grants is held against it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from attribution.errors import BadInput
from ingest.sources import read_source
from tests.portfolios import picture

PURPOSES = ("index", "display", "train", "generate")
GRANTED = ("index", "display", "train")  # as a training that is given a folder takes it
PICTURES = ("Ann/Boat 1.png", "Ann/Café.png", "Ann/series/b.png", "José/ship.png", "José/ß.png")
YES = ("yes", "Y", "TRUE", "1", "1.0", " on ")
NO = ("no", " n", "off", "FALSE", "0", "0.0", "Nein", "NO ")
NOTHING = ("", "nan", "None", "<NA>")
ODD = ("maybe", "no (see mail)", "2", "ask me")  # a careful person asks
HEADERS = {
    purpose: (
        f"consent_{purpose}",
        f"Consent_{purpose.title()}",
        f"CONSENT {purpose.upper()}",
        f" consent-{purpose} ",
        f"consent{purpose.title()}",
        f"consent_{purpose[:-1]}",  # misspelt: nobody may pass it over
        f"cosnent_{purpose}",
    )
    for purpose in PURPOSES
}
SPELLINGS = (
    lambda name: name,
    lambda name: name.replace("/", "\\"),
    lambda name: f"./{name}",
    lambda name: unicodedata.normalize("NFD", name),
    str.upper,
)
TITLES = ("Red boat", "Ölberg", '5" disk', "a, b; c", "two\nlines", "", "x" * 30)


@dataclass(frozen=True)
class Said:
    """One row, as its writer meant it."""

    about: str
    name: str
    title: str
    cells: tuple[str, ...]  # of the purposes
    is_misspelt: bool = False

    @property
    def denied(self) -> set[str]:
        """What a careful person would not do with the picture."""
        return {
            purpose
            for purpose, cell in zip(PURPOSES, self.cells, strict=True)
            if cell in NO or cell in ODD
        }


@dataclass(frozen=True)
class Written:
    """One table on the disk."""

    place: str
    data: bytes
    rows: tuple[Said, ...]


@st.composite
def rows(draw: st.DrawFn, folder: str) -> list[Said]:
    """Draw rows about some pictures of a folder, a few of them twice or misspelt."""
    own = [one for one in PICTURES if one.startswith(folder)]
    cell = st.sampled_from(YES + NO + NOTHING + ODD)
    said: list[Said] = []
    for about in draw(st.lists(st.sampled_from(own), max_size=len(own) + 2)):
        spell = draw(st.sampled_from(SPELLINGS))
        name = about.removeprefix(folder).lstrip("/")
        is_misspelt = draw(st.integers(0, 9)) == 0
        said.append(
            Said(
                about,
                f"{name[1:]}x" if is_misspelt else spell(name),
                draw(st.sampled_from(TITLES)),
                tuple(draw(cell) for _ in PURPOSES),
                is_misspelt,
            )
        )
    return said


@st.composite
def tables(draw: st.DrawFn) -> Written:
    """Draw a table: where it lies, how it is written, what is damaged."""
    folder = draw(st.sampled_from(("", "Ann", "José")))
    said = draw(rows(folder))
    headers = [draw(st.sampled_from(HEADERS[purpose])) for purpose in PURPOSES]
    columns = ["file_name", "title", *headers, "collection"]
    order = draw(st.permutations(range(len(columns))))
    lines = [[one.name, one.title, *one.cells, "c"] for one in said]
    lines = [[line[at] for at in order] for line in lines]
    columns = [columns[at] for at in order]
    kind = draw(st.sampled_from((".csv", ".CSV", ".tsv", ".jsonl", ".json", ".parquet")))
    stem = draw(st.sampled_from(("metadata", "Metadata", "metadata (1)", "works", "METADATA")))
    data = draw(_written(kind.lower(), columns, lines))
    return Written(str(Path(folder) / f"{stem}{kind}"), data, tuple(said))


@st.composite
def _written(
    draw: st.DrawFn, kind: str, columns: Sequence[str], lines: Sequence[Sequence[str]]
) -> bytes:
    objects = [dict(zip(columns, line, strict=True)) for line in lines]
    if kind == ".jsonl":
        return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects).encode()
    if kind == ".json":
        return json.dumps(objects).encode()
    if kind == ".parquet":
        buffer = io.BytesIO()
        table = pa.Table.from_pylist(objects, pa.schema([(name, pa.string()) for name in columns]))
        parquet.write_table(table, buffer)
        return buffer.getvalue()
    text = io.StringIO(newline="")
    delimiter = "\t" if kind == ".tsv" else draw(st.sampled_from(",;|\t"))
    writer = csv.writer(text, delimiter=delimiter, lineterminator=draw(st.sampled_from("\r\n")))
    writer.writerows([columns, *lines])
    written = draw(_damaged(text.getvalue(), delimiter))
    encoding = draw(st.sampled_from(("utf-8", "utf-8-sig", "utf-16", "cp1252")))
    return written.encode(encoding, "ignore" if encoding == "cp1252" else "strict")


@st.composite
def _damaged(draw: st.DrawFn, text: str, delimiter: str) -> str:
    """Leave a text as it is, or hurt it as people and programs do: one sign too many."""
    damage = draw(st.sampled_from(("", "", '"', delimiter)))
    head = text.find("\n") + 1 or text.find("\r") + 1
    if not damage or len(text) <= head:
        return text
    at = draw(st.integers(head, len(text) - 1))
    for part in re.finditer(r"[^,;|\t\r\n]*\.pngx?|[^,;|\t\r\n]*\.PNG", text):
        if part.start() < at < part.end():
            at = part.end()  # a name that is hurt is a misspelt one, which is drawn above
    return text[:at] + damage + text[at:]


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(st.lists(tables(), max_size=2, unique_by=lambda one: one.place.casefold()))
def test_no_is_never_taken_for_yes(written: list[Written]) -> None:
    """Whatever the cause, a picture that a row denies is refused or not granted."""
    said = [row for table in written for row in table.rows]
    tied = {row.about for row in said if not row.is_misspelt}
    denied: dict[str, set[str]] = {one: set() for one in PICTURES}
    for row in said:
        # A misspelt row beside a right one may be about anything: nobody could know.
        if not (row.is_misspelt and row.about in tied):
            denied[row.about] |= row.denied
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for seed, name in enumerate(PICTURES):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            picture(seed, side=8).save(root / name)
        for table in written:
            (root / table.place).write_bytes(table.data)
        try:
            items = list(read_source(root, granted=GRANTED))
        except BadInput as error:
            event(f"refused as a whole: {str(error)[:30]}")
            return
        taken = {
            item.path.relative_to(root).as_posix(): item for item in items if item.refused is None
        }
    event(f"{len(taken)} of {len(PICTURES)} taken")
    for name, item in taken.items():
        assert not denied[name] & set(item.consent), (name, item, written)
