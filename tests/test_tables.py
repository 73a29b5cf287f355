"""Tables as people make them: formats, encodings, headers, cells; what makes one unreadable."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from ingest.sources import SourceItem, read_source
from ingest.sources.raw import Unreadable
from ingest.sources.tables import read_table
from tests.portfolios import picture

ROWS = (
    {"file_name": "Ann/boat.png", "title": "Red boat", "consent_index": "yes"},
    {"file_name": "Ann/secret.png", "title": "Prïvate", "consent_index": "no"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder of one artist with two pictures."""
    (tmp_path / "Ann").mkdir()
    for seed, name in enumerate(("boat.png", "secret.png")):
        picture(seed).save(tmp_path / "Ann" / name)
    return tmp_path


def by_name(folder: Path) -> dict[str, SourceItem]:
    """Read a source; the items by the names of their files."""
    return {item.path.name: item for item in read_source(folder)}


def csv_of(rows: Any = ROWS, delimiter: str = ",") -> str:
    """Return rows as text."""
    lines = [delimiter.join(rows[0]), *(delimiter.join(row.values()) for row in rows)]
    return "\r\n".join(lines) + "\r\n"


def ods(path: Path) -> None:
    """Write an OpenDocument spreadsheet with the rows."""
    cells = [
        "".join(
            f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p>'
            "</table:table-cell>"
            for cell in line
        )
        for line in ([*ROWS[0]], *(row.values() for row in ROWS))
    ]
    body = "".join(f"<table:table-row>{line}</table:table-row>" for line in cells)
    space = "urn:oasis:names:tc:opendocument:xmlns"
    content = (
        f'<?xml version="1.0"?><office:document-content xmlns:office="{space}:office:1.0" '
        f'xmlns:table="{space}:table:1.0" xmlns:text="{space}:text:1.0"><office:body>'
        f'<office:spreadsheet><table:table table:name="Works">{body}</table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    manifest = (
        f'<?xml version="1.0"?><manifest:manifest xmlns:manifest="{space}:manifest:1.0">'
        "</manifest:manifest>"
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)


def xlsx(path: Path, rows: Any = ROWS) -> None:
    """Write a spreadsheet with a sheet of rows, and another of notes."""
    book = openpyxl.Workbook()
    notes = book.active
    assert notes is not None
    notes["A1"] = "Prepared by the gallery"
    sheet = book.create_sheet("Works")
    for line in ([*rows[0]], *(list(row.values()) for row in rows)):
        sheet.append(line)
    book.save(path)


WRITERS = {
    "metadata.csv": lambda path: path.write_bytes(csv_of().encode()),
    "METADATA.CSV": lambda path: path.write_bytes(csv_of().encode("utf-8-sig")),
    "Metadata.csv": lambda path: path.write_bytes(csv_of(delimiter=";").encode("cp1252")),
    "metadata.tsv": lambda path: path.write_bytes(csv_of(delimiter="\t").encode("utf-16")),
    "metadata.TSV": lambda path: path.write_bytes(csv_of(delimiter="\t").encode("utf-16-le")),
    "metadata.jsonl": lambda path: path.write_text("\n".join(map(json.dumps, ROWS))),
    "metadata.json": lambda path: path.write_text(json.dumps(list(ROWS))),
    "Metadata.JSON": lambda path: path.write_text(json.dumps({"works": list(ROWS)})),
    "metadata.parquet": lambda path: parquet.write_table(pa.Table.from_pylist(list(ROWS)), path),
    "metadata.xlsx": xlsx,
    "metadata.ods": ods,
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_table_is_heard(folder: Path, name: str) -> None:
    """By its name in any case, whatever its format, delimiter and encoding."""
    WRITERS[name](folder / name)

    items = by_name(folder)

    assert (items["boat.png"].title, items["boat.png"].refused) == ("Red boat", None)
    assert "index" in items["boat.png"].consent
    assert (items["secret.png"].title, items["secret.png"].refused) == ("Prïvate", None)
    assert "index" not in items["secret.png"].consent
    assert len(items) == 2


@pytest.mark.parametrize(
    "header",
    [
        "consent_index",
        "Consent_Index",
        "CONSENT INDEX",
        " consent index ",
        "Consent-Index",
        "consentIndex",
        "consent.index",
    ],
)
def test_headers_are_folded(folder: Path, header: str) -> None:
    """Case, spaces and hyphens do not count."""
    text = csv_of().replace("consent_index", header).replace("title", "Title")
    (folder / "metadata.csv").write_text(text.replace("file_name", "File Name"))

    assert "index" not in by_name(folder)["secret.png"].consent


@pytest.mark.parametrize(
    "header",
    [
        "consent_indx",
        "consent_idnex",
        "consent",
        "consent_for_search",
        "Consentement",
        "opt_out",
        "optOut",
        "no AI",
        "do not train",
        "allow_ai",
        "permission",
        "private",
        "Einwilligung",
        "titel",
        "artists",
    ],
)
def test_a_column_that_may_mean_something_makes_its_folder_wait(folder: Path, header: str) -> None:
    """Nothing is indexed by default where a column may say no; it is named with its number."""
    (folder / "metadata.csv").write_text(csv_of().replace("consent_index", header))

    items = by_name(folder)

    for name in ("boat.png", "secret.png"):
        assert f"column 3 {header!r}" in str(items[name].refused)
    assert len(items) == 2


@pytest.mark.parametrize("header", ["collection", "remark", "index", "price", "swallow", "id"])
def test_other_columns_are_listed_once(folder: Path, header: str) -> None:
    """What nobody reads is said in one sentence."""
    rows = [{**row, header: str(n)} for n, row in enumerate(ROWS, 1)]
    (folder / "metadata.csv").write_text(csv_of(rows))
    source = read_source(folder)

    assert [item.refused for item in source] == [None, None]
    assert source.remarks == [f"metadata.csv: not used: {header}"]


@pytest.mark.parametrize("header", ["index", "train", "display", ""])
def test_a_no_under_half_a_name_is_heard(folder: Path, header: str) -> None:
    """A column that is called as a purpose, or not at all, may hold numbers, and no words."""
    rows = [{**row, header: "no"} for row in ROWS]
    (folder / "metadata.csv").write_text(csv_of(rows))

    assert all(item.refused for item in read_source(folder))


HEAD = "file_name,title,consent_index\n"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("m.csv", HEAD + 'a.png,"Two,no\nb.png,Three,no\n', "line 2: a quotation mark that begins"),
        ("m.csv", HEAD + 'a.png,"5" disk",no\n', "line 2: a quotation mark within a cell"),
        ("m.csv", HEAD + 'a.png,"Two\nb.png,Three",no\n', "line 2: a cell goes over several lines"),
        ("m.csv", "file_name,title,title\na.png,x,y\n", "column 3 'title' is called as column 2"),
        ("m.csv", "file_name,Title,title \na.png,x,y\n", "column 3 'title' is called as column 2"),
        ("m.csv", "red,green\n1,2\n", "line 1: no column is known"),
        ("m.csv", "", "line 1: no column is known"),
        ("m.jsonl", '{"file_name": "a.png"}\n{"file_name": ', "line 2: not JSON"),
        ("m.jsonl", '{"consent_index": "no", "consent_index": "yes"}', "'consent_index' is given"),
        ("m.json", '{"a": 1}', "expected a list of objects"),
        ("m.json", "[1]", "entry 1: expected an object"),
        ("m.parquet", "PAR1", "is not a Parquet file"),
        ("m.xlsx", "PK", "is not read as a spreadsheet"),
    ],
)
def test_an_unreadable_table_says_where(tmp_path: Path, name: str, text: str, says: str) -> None:
    """With its line or column; nothing of it is used."""
    (tmp_path / name).write_text(text)

    with pytest.raises(Unreadable, match=says):
        read_table(tmp_path / name, name)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("葛飾北斎", "cp932"),
        ("北斎", "iso-2022-jp"),
        ("齐白石", "gb18030"),
        ("Илья Репин", "cp1251"),
        ("Ян", "cp1251"),
        ("José", "mac_roman"),
        ("Jörg König", "mac_roman"),
        ("María", "mac_roman"),
        ("Jörg König", "cp850"),
        ("José", "cp850"),
        ("Jörg König", "utf-7"),
        ("Čapek", "cp852"),
        ("Jiří Dvořák", "cp1250"),
        ("Łukasz Nowak", "cp1250"),
        ("Petőfi", "cp1250"),
        ("Şahin Yıldız", "cp1254"),
        ("Jānis Bērziņš", "cp1257"),
    ],
)
def test_an_encoding_that_cannot_be_told_is_asked_for(
    tmp_path: Path, text: str, encoding: str
) -> None:
    """Never a name that nobody has."""
    (tmp_path / "m.csv").write_bytes(f"file_name,artist\na.png,{text}\n".encode(encoding))

    with pytest.raises(Unreadable, match="save it as UTF-8"):
        read_table(tmp_path / "m.csv", "m.csv")


@pytest.mark.parametrize(
    "text",
    [
        *("José Núñez", "Günther Weiß", "L’été – “œuvre”", "Åse Ødegård", "João Conceição"),
        *(
            "Antoni Tàpies",
            "Lætitia",
            "30 × 40 cm, 12°",
            "«Été» – à la carte",
            "Rock’n’Roll",
            "Nº 5",
        ),
    ],
)
def test_western_names_are_read(tmp_path: Path, text: str) -> None:
    """In Windows-1252, as spreadsheets in Europe write."""
    (tmp_path / "m.csv").write_bytes(f"file_name;artist\na.png;{text}\n".encode("cp1252"))

    (row,) = read_table(tmp_path / "m.csv", "m.csv").rows

    assert row.values["artist"] == text


def one(tmp_path: Path, **values: object) -> SourceItem:
    """Read a manifest of one row about one picture."""
    picture(1).save(tmp_path / "a.png")
    row = {"file_name": "a.png", "artist": "Ann"} | values
    (tmp_path / "m.jsonl").write_text(json.dumps(row))
    (item,) = read_source(tmp_path / "m.jsonl")
    return item


@pytest.mark.parametrize(
    ("cell", "granted"),
    [
        *((cell, True) for cell in (True, 1, 1.0, "1", "1.0", "yes", "Y", " on ", "TRUE", "ja")),
        *((cell, False) for cell in (False, 0, 0.0, "0", "0.0", "no", " n", "Off", "FALSE")),
        *((cell, False) for cell in ("nein", "non", "falsch", "não")),
        *((cell, True) for cell in ("", None, float("nan"), "nan", "None", "<NA>", "N/A", "null")),
    ],
)
def test_yes_and_no(tmp_path: Path, cell: object, granted: bool) -> None:  # noqa: FBT001
    """One table of words; a cell that says nothing leaves the default."""
    item = one(tmp_path, consent_index=cell)

    assert item.refused is None
    assert ("index" in item.consent) is granted


@pytest.mark.parametrize("cell", ["maybe", "2", 2, "no (see mail)", ["no"], {"index": "no"}, "x"])
def test_what_is_neither_yes_nor_no_is_refused(tmp_path: Path, cell: object) -> None:
    """Nothing is guessed."""
    assert "say yes or no" in str(one(tmp_path, consent_index=cell).refused)


@pytest.mark.parametrize("cell", ["None", None, "nan", "off", " n"])
def test_a_program_s_nothing_never_trains(tmp_path: Path, cell: object) -> None:
    """Also where naming a folder is saying that its works may train."""
    picture(1).save(tmp_path / "a.png")
    row = {"file_name": "a.png", "artist": "Ann", "consent_train": cell}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))

    (item,) = read_source(tmp_path / "m.jsonl", granted=("index", "display", "train"))

    assert "train" not in item.consent


@pytest.mark.parametrize("column", ["tags", "licence", "remark", "caption"])
@pytest.mark.parametrize("words", ["noai", "NoImageAI, sea", "No AI training", "do not train"])
def test_words_against_training_are_heard_anywhere(tmp_path: Path, column: str, words: str) -> None:
    """As sites of artists write them, in whatever column, against a yes in another."""
    item = one(tmp_path, **{column: words, "consent_train": "yes"})

    assert "train" not in item.consent


@pytest.mark.parametrize(
    ("cell", "year", "dated"),
    [
        (1999, 1999, None),
        (1999.0, 1999, None),
        ("1999", 1999, None),
        ("-500", -500, None),
        ("1999-05-03", 1999, "1999-05-03"),
        ("3.5.1999", 1999, "3.5.1999"),
        ("05/03/1999", 1999, "05/03/1999"),
        ("1999-05-03T10:00:00Z", 1999, "1999-05-03T10:00:00Z"),
        ("ca. 2001", None, "ca. 2001"),
        ("1999-2001", None, "1999-2001"),
        ("19th century", None, "19th century"),
        ("nan", None, None),
    ],
)
def test_years_and_dates(tmp_path: Path, cell: object, year: int | None, dated: str | None) -> None:
    """A date gives its year and keeps its words; what is no year keeps its words alone."""
    item = one(tmp_path, year=cell)

    assert (item.year, item.dated) == (year, dated)


@pytest.mark.parametrize(
    "cell", [["boat", "sea"], "boat, sea", "boat; sea", '["boat", "sea"]', "['boat', 'sea', 'sea']"]
)
def test_keywords(tmp_path: Path, cell: object) -> None:
    """As a list, as text, and as text that spells a list."""
    assert one(tmp_path, tags=cell).tags == ("boat", "sea")


@pytest.mark.parametrize("nothing", [float("nan"), "nan", "None", "<NA>", None])
def test_nothing_is_no_name(tmp_path: Path, nothing: object) -> None:
    """What programs write for an empty cell is no title, no licence, no keyword."""
    item = one(tmp_path, title=nothing, licence=nothing, tags=nothing, caption=nothing)

    assert (item.title, item.licence, item.tags, item.caption) == ("a", None, (), None)


def test_spreadsheets_have_types(tmp_path: Path) -> None:
    """Numbers, dates and truth values of cells mean what people see."""
    picture(1).save(tmp_path / "a.png")
    row = {
        "file_name": "a.png",
        "artist": "Ann",
        "title": 1984,
        "year": dt.date(1999, 5, 3),
        "consent_index": False,
        "consent_train": None,
    }
    xlsx(tmp_path / "m.xlsx", [row])

    (item,) = read_source(tmp_path / "m.xlsx")

    assert (item.title, item.year, item.dated) == ("1984", 1999, "1999-05-03")
    assert item.consent == ("display", "evidence")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Ann/boat.png,Red, boat,yes", "4 cells, the head has 3"),
        ("Ann/boat.png,Red boat", "2 cells of 3: 'consent_index' is missing"),
    ],
)
def test_a_row_of_another_length_is_refused(folder: Path, line: str, says: str) -> None:
    """Its cells may stand under other heads; what has no row waits, what has one does not."""
    picture(9).save(folder / "Ann" / "third.png")
    (folder / "metadata.csv").write_text(f"{HEAD}{line}\nAnn/secret.png,Private,yes\n")

    items = by_name(folder)

    assert f"metadata.csv, line 2: it has {says}" in str(items["boat.png"].refused)
    assert items["secret.png"].refused is None
    assert "its table says something that could not be read" in str(items["third.png"].refused)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("Ann/boat.png,yes,,no,", "5 cells, the head has 4, and 'consent_train' is empty"),
        ("Ann/boat.png,,yes,,,", "6 cells, the head has 4, and 'consent_index' is empty"),
    ],
)
def test_a_comma_too_many_may_have_moved_a_no(folder: Path, line: str, says: str) -> None:
    """Also where the last cell was empty, so that nothing stands behind the head."""
    head = "file_name,consent_index,consent_train,title\n"
    (folder / "metadata.csv").write_text(f"{head}{line}\nAnn/secret.png,yes,yes,Private,\n")

    items = by_name(folder)

    assert f"metadata.csv, line 2: it has {says}" in str(items["boat.png"].refused)
    assert items["secret.png"].refused is None  # a comma behind its last cell, and nothing moved
    assert set(items["secret.png"].consent) >= {"index", "train"}


def test_a_sheet_far_away_costs_nothing(tmp_path: Path) -> None:
    """A cell a million rows down makes its reader's process die, and nothing else."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet["A1"], sheet["XFD1048576"] = "file_name", "x"
    book.save(tmp_path / "m.xlsx")

    with pytest.raises(Unreadable, match="more memory or time than a spreadsheet may"):
        read_table(tmp_path / "m.xlsx", "m.xlsx")
