"""No picture is taken against a "no" that a careful person would read in a table.

Random tables: formats, forms, names, places, delimiters, encodings, headers, spellings, rows twice,
rows without a picture, damage; sidecars; manifests. What each row was meant to say is known; what
the reader grants is held against it.
"""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from attribution.errors import BadInput
from ingest.sources import read_source
from ingest.sources.tables import is_called_ours
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
STEMS = ("metadata", "Metadata", "metadata (1)", "works", "METADATA", ".metadata", "Consents")
ELSEWHERE = "tables"  # a folder without pictures
LOOSE = ("*,,no", ",Ann,no", "all,,no", "Ann/Boat 1.jpg,,no", "Boat 1.png.png,,No", "-,,maybe")
SPECIFIC = LOOSE[3:5]  # about the first picture
LONG = (("purpose", "granted?"), ("use", "answer"), ("kind", "value"))  # a row for each purpose
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
    folder = draw(st.sampled_from(("", "Ann", "José", ELSEWHERE)))
    said = draw(rows("" if folder == ELSEWHERE else folder))
    if folder == ELSEWHERE and draw(st.booleans()):
        said = [replace(one, name=f"../{one.name}") for one in said]
    headers = [draw(st.sampled_from(HEADERS[purpose])) for purpose in PURPOSES]
    columns = ["file_name", "title", *headers, "collection"]
    order = draw(st.permutations(range(len(columns))))
    lines = [[one.name, one.title, *one.cells, "c"] for one in said]
    lines = [[line[at] for at in order] for line in lines]
    columns = [columns[at] for at in order]
    kind = draw(st.sampled_from((".csv", ".CSV", ".tsv", ".jsonl", ".json", ".parquet")))
    stem = draw(st.sampled_from(STEMS))
    if draw(st.integers(0, 4)) == 0:
        columns = ["file_name", *draw(st.sampled_from(LONG))]
        lines = [
            [one.name, purpose, cell]
            for one in said
            for purpose, cell in zip(PURPOSES, one.cells, strict=True)
        ]
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
        by_name = {one["file_name"]: _without_name(one) for one in objects}
        is_by_name = len(by_name) == len(objects) and draw(st.booleans())  # as kohya's scripts do
        return json.dumps(by_name if is_by_name else objects).encode()
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


def _without_name(one: dict[str, str]) -> dict[str, str]:
    return {header: cell for header, cell in one.items() if header != "file_name"}


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


@st.composite
def sidecars(draw: st.DrawFn) -> Written:
    """Draw a .json next to a picture, which is said to deny something."""
    about = draw(st.sampled_from(PICTURES))
    answers = tuple(draw(st.sampled_from(YES + NO + NOTHING + ODD)) for _ in PURPOSES)
    said = dict(
        zip((draw(st.sampled_from(HEADERS[one])) for one in PURPOSES), answers, strict=True)
    )
    wrapped = {"image": said} if draw(st.booleans()) else said
    ending = draw(st.sampled_from((".json", ".JSON", f"{Path(about).suffix}.json")))
    place = str(Path(about).with_suffix(ending))
    return Written(place, json.dumps(wrapped).encode(), (Said(about, "", "", answers),))


@settings(max_examples=400, suppress_health_check=list(HealthCheck))
@given(
    st.lists(tables(), max_size=2, unique_by=lambda one: one.place.casefold()),
    st.lists(sidecars(), max_size=1),
    st.booleans(),
    st.sampled_from(("", *LOOSE)),
)
def test_no_is_never_taken_for_yes(
    written: list[Written],
    beside: list[Written],
    is_manifest: bool,  # noqa: FBT001  hypothesis gives it
    loose: str,
) -> None:
    """Whatever the cause, a picture that a row denies is refused or not granted."""
    heard = [one for one in written if not is_manifest or _is_beside_a_manifest(one)]
    tied = {*PICTURES} if is_manifest else set[str]()
    denied = _denied([row for table in [*heard, *beside] for row in table.rows], tied)
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ELSEWHERE).mkdir()
        for seed, name in enumerate(PICTURES):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            picture(seed, side=8).save(root / name)
        for table in [*written, *beside]:
            (root / table.place).write_bytes(table.data)
        source = root
        if is_manifest:
            source = root / "list of works.csv"
            listed = (f"{one},Ann," for one in PICTURES)
            source.write_text("\n".join(["file_name,artist,consent_index", *listed, loose]))
        try:
            items = list(read_source(source, granted=GRANTED))
        except BadInput as error:
            event(f"refused as a whole: {str(error)[:30]}")
            return
        taken = {
            item.path.relative_to(root).as_posix(): item for item in items if item.refused is None
        }
    event(f"{len(taken)} of {len(PICTURES)} taken")
    for name, item in taken.items():
        has_row = any(row.about == name for table in [*heard, *beside] for row in table.rows)
        is_meant = name == PICTURES[0] if loose in SPECIFIC else not has_row
        if is_manifest and loose and is_meant:
            assert "index" not in item.consent, (name, loose)
        assert not denied[name] & set(item.consent), (name, item, written, beside)


def _is_beside_a_manifest(table: Written) -> bool:
    """Tell whether a table is heard that the manifest was not chosen before."""
    path = Path(table.place)
    return path.parts[0] != ELSEWHERE and is_called_ours(path)


def _denied(said: Sequence[Said], tied: set[str]) -> dict[str, set[str]]:
    """Return what a careful person would not do, by picture.

    A misspelt row beside a right one may be about anything: nobody could know.
    """
    tied = tied | {row.about for row in said if not row.is_misspelt}
    denied: dict[str, set[str]] = {one: set() for one in PICTURES}
    for row in said:
        if not (row.is_misspelt and row.about in tied):
            denied[row.about] |= row.denied
    return denied
