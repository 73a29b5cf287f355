"""A "no" in the forms, places and words that people use, and one bad cell among good ones."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from openpyxl.comments import Comment
from openpyxl.styles import Font
from pyarrow import parquet

from attribution.errors import BadInput
from ingest.sources import SourceItem, cells, read_source, tables
from tests.portfolios import picture

Reader = Callable[..., dict[str, SourceItem]]

TRAINING = ("index", "display", "train")  # granted where a folder is named for training
BOAT, SEA = "Ann/boat.png", "Ann/sea.png"
Files = dict[str, str | bytes]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Give a reader of two pictures by Ann and what lies next to them; items by path."""

    def reading(
        files: Files,
        *,
        manifest: str = "",
        pictures: Sequence[str] = (BOAT, SEA),
        granted: Sequence[str] = TRAINING,
    ) -> dict[str, SourceItem]:
        for seed, name in enumerate(pictures):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            picture(seed, side=8).save(tmp_path / name)
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
        items = read_source(tmp_path / manifest if manifest else tmp_path, granted=granted)
        return {item.path.relative_to(tmp_path).as_posix(): item for item in items}

    return reading


def granted(items: dict[str, SourceItem], name: str = BOAT) -> set[str]:
    """Return what a picture may be used for; nothing where it is refused."""
    return set() if items[name].refused else set(items[name].consent)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "Nice boat. \ud83d"},
        {"artist": "Ann. \ud83d"},
        {"text": "a.\ud83d", "year": "1999.\ud83d"},
        {"file_name": "boat.\ud83d.png"},
        {"title": "a.\0b"},
        {"tags": "[{[1]: 2}]"},
        {"title": "[{[1]}]"},
        {"file_name": 10**400},
        {"title": f"a.{'b' * 100_000}"},
        {"file_name": "."},
        {"file_name": "/"},
    ],
)
@pytest.mark.parametrize("manifest", ["", "Ann/works.jsonl"])
def test_a_bad_cell_stops_nothing(read: Reader, wrong: dict[str, object], manifest: str) -> None:
    """It is about its row, in a table and in a manifest."""
    rows = [
        {"file_name": "sea.png", "artist": "Ann"} | wrong,
        {"file_name": "boat.png", "artist": "Ann"},
    ]

    items = read(
        {manifest or "Ann/metadata.jsonl": "\n".join(map(json.dumps, rows))}, manifest=manifest
    )

    assert granted(items) == {"index", "display", "train"}


def test_what_nobody_foresaw_is_a_refusal(
    read: Reader,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of its row or its table, with the traceback in the log."""
    rows = {"Ann/metadata.csv": "file_name,title\nboat.png,Boat\n"}

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cells, "dated", fail)
    assert "line 2 could not be understood (ZeroDivisionError)" in str(read(rows)[BOAT].refused)
    monkeypatch.undo()
    monkeypatch.setattr(tables, "_named", fail)
    assert "line 2 could not be understood (ZeroDivisionError)" in str(read(rows)[BOAT].refused)
    assert "Traceback" in caplog.text
    with pytest.raises(BadInput, match="line 2 could not be understood"):
        read(rows, manifest="Ann/metadata.csv")


HEAD = "file_name,artist,consent_index\n"


@pytest.mark.parametrize(
    "row",
    [
        "*,,no",
        ",Ann,no",
        "Ann/boat.jpg,Ann,no",
        "Ann,Ann,no",
        "Ann/,,no",
        "all,Ann,no",
        "Ann/boat.png & sea.png,Ann,no",
        "Ann/boat.png.png,Ann,no",
        "../x/boat.png,Ann,no",
        "A boat,Ann/boat.png,no",
    ],
)
@pytest.mark.parametrize("manifest", ["", "works.csv"])
def test_a_no_of_a_row_that_is_tied_to_no_file_is_heard(
    read: Reader, row: str, manifest: str
) -> None:
    """In a table next to pictures and in a manifest, which has a row of each."""
    text = f"{HEAD}{BOAT},Ann,\n{SEA},Ann,\n{row}\n"

    items = read({manifest or "metadata.csv": text}, manifest=manifest)

    assert "index" not in granted(items)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("Ann/boat.v2.png", "Ann/boat.v2"),
        ("Ann/boat.png", "boat.png.jpg"),
        ("Ann/boat.png", "Ann"),
        ("Ann/boat.png", "everything"),
        ("Ann/boat.png", "no 1: boat.png"),
        ("Ann/boat.png", "Ann|boat.png"),
    ],
)
def test_a_no_names_a_picture_or_its_folder_in_other_ways(
    read: Reader, name: str, row: str
) -> None:
    """A second ending, an ending left out, a folder, a word for all."""
    text = f"{HEAD}{name},Ann,\n{row},Ann,no\n"

    assert "index" not in granted(read({"metadata.csv": text}, pictures=(name,)), name)


def test_a_no_about_another_folder_is_not_about_this_one(
    read: Reader,
) -> None:
    """The row of a folder holds for what lies in it."""
    text = f"{HEAD}{BOAT},Ann,\nBob/c.png,Bob,\nBob,Bob,no\nBob/gone.jpg,Bob,no\n"

    items = read({"metadata.csv": text}, pictures=(BOAT, "Bob/c.png"))

    assert "index" in granted(items)
    assert "index" not in granted(items, "Bob/c.png")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("works.csv", "picture,opt_out\nAnn/boat.png,yes\n"),
        ("Werke.csv", "Dateiname;Zustimmung;Anzeige\nAnn/boat.png;nein;nein\n"),
        ("Liste.csv", "Bild;Zeigen\nboat;nein\n"),
        ("list.csv", "file_name^artist^consent_display\nAnn/boat.png^Ann^no\n"),
        ("works.csv", "Works of Ann 2024\n\nfile_name,consent_display\nAnn/boat.png,no\n"),
        ("list.csv", "Ann/boat.png\nAnn/sea.png\n"),
        ("list.csv", "name,use\nBoat,not for AI training\n"),
        ("meta_cap.json", '{"boat": {"consent_display": false}}'),
        ("list.json", '{"withheld": ["boat"], "by": "Ann"}'),
        ("list.jsonl", '{"bild": "Ann/boat.png", "stand": "gesperrt"}'),
        ("list.jsonl", '{"title": "Boat", "remark": "please do not show this"}'),
    ],
)
def test_a_table_without_a_known_column_is_not_passed_over(
    read: Reader, name: str, text: str
) -> None:
    """Where it names pictures, or speaks about permission."""
    assert granted(read({name: text})) == set()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prices.csv", "work,price,state\nThe long night,300,sold\n"),
        ("results.json", '{"runs": [{"loss": 0.3}], "seed": 1}'),
        ("colours.tsv", "red\tgreen\n1\t2\n"),
        ("buyers.csv", "name,city,signed\nMrs Miller,Rome,no\n"),
        ("sales.csv", "title,price,sold\nboat,300,no\n"),
    ],
)
def test_a_table_about_something_else_is_passed_over(read: Reader, name: str, text: str) -> None:
    """Neither names of pictures nor words about permission are in it."""
    assert granted(read({name: text})) == set(TRAINING)


@pytest.mark.parametrize(
    ("column", "cell", "other"),
    [
        ("display", "✗", "✓"),
        ("display", "0", "1"),
        ("display", "No thanks", "ok"),
        ("index", "never", ""),
        ("train", "denied", ""),
        ("generate", "-", "x"),
        ("", "✗", "✓"),
        ("", "No.", ""),
        ("online", "no", "yes"),
        ("Web", "✘", "✔"),
        ("OK to show", "no", "no"),
        ("model_release", "FALSE", "TRUE"),
        ("Mostrar", "no", "sí"),
        ("signed_release", "no", "yes"),
        ("rights", "\"{'web': {'display': False}}\"", ""),
        ("usage", "not for web", ""),
        ("status", "opted out", "available"),
        ("status", "withdrawn", "available"),
        ("remark", "please do not publish or show this", ""),
        ("remark", "artist refused", ""),
        ("remark", "nicht veröffentlichen", ""),
        ("remark", "非公開", ""),
    ],
)
def test_a_no_in_a_column_that_nobody_reads_is_heard(
    read: Reader, column: str, cell: str, other: str
) -> None:
    """By what the column is called, by all of its cells, or by its words."""
    rows = f"file_name,artist,{column}\n{BOAT},Ann,{cell}\n{SEA},Ann,{other}\n"

    assert "display" not in granted(read({"metadata.csv": rows}))


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("sold", ("no", "no")),
        ("Signed?", ("yes", "no")),
        ("is_framed", ("False", "True")),
        ("Gerahmt", ("nein", "nein")),
        ("for sale", ("✗", "✓")),
        ("status", ("available", "sold")),
        ("status", ("withdrawn from sale", "not on display")),
        ("split", ("train", "test")),
        ("train", ("train", "validation")),
        ("index", ("1", "2")),
        ("index", ("17", "0")),
        ("", ("0", "1")),
        ("nsfw", ("no", "no")),
        ("sex", ("f", "f")),
        ("remark", ("no", "framed by Miller")),
        ("collection", ("Private collection", "private")),
        ("provenance", ("never exhibited", "public domain")),
    ],
)
def test_what_sellers_ask_is_no_permission(
    read: Reader, column: str, cells: tuple[str, str]
) -> None:
    """Ordinary lists of works go on working."""
    rows = f"file_name,artist,{column}\n{BOAT},Ann,{cells[0]}\n{SEA},Ann,{cells[1]}\n"
    items = read({"metadata.csv": rows})

    assert granted(items) == granted(items, SEA) == set(TRAINING)


def test_a_title_may_be_any_word(read: Reader) -> None:
    """What is a word of status in another column."""
    rows = f"file_name,title\n{BOAT},Withdrawn\n"

    assert granted(read({"metadata.csv": rows})) == set(TRAINING)


def parquet_of(kind: pa.DataType, cell: object) -> bytes:
    """Return a Parquet table about one picture with one more column."""
    schema = pa.schema([("file_name", pa.string()), ("notes", kind)])
    buffer = io.BytesIO()
    row = {"file_name": BOAT, "notes": cell}
    parquet.write_table(pa.Table.from_pylist([row], schema), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (pa.struct([("display", pa.bool_()), ("index", pa.bool_())]), {"display": False}),
        (pa.struct([("web", pa.struct([("allowed", pa.bool_())]))]), {"web": {"allowed": False}}),
        (pa.struct([("a", pa.string())]), {"a": "noai"}),
        (pa.large_list(pa.string()), ["noai"]),
        (pa.list_(pa.string()), ["noai"]),
        (pa.map_(pa.string(), pa.bool_()), [("display", False)]),
        (pa.binary(), b"noai"),
        (pa.string(), '{"a": [{"display": false}]}'),
    ],
)
def test_nested_cells_are_searched(read: Reader, kind: pa.DataType, cell: object) -> None:
    """Whatever they are made of."""
    assert "train" not in granted(read({"metadata.parquet": parquet_of(kind, cell)}))


def test_pictures_within_a_table_are_not_read(read: Reader) -> None:
    """What is next to them is."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cell = {"bytes": bytes(100_000) + b" noai ", "path": "x"}

    assert granted(read({"metadata.parquet": parquet_of(kind, cell)})) == set(TRAINING)


def test_a_second_head_is_heard(read: Reader) -> None:
    """The same one is passed over, one in another order is not believed."""
    head, rows = "file_name,consent_index,consent_display\n", f"{BOAT},yes,no\n"

    assert granted(read({"metadata.csv": f"{head}{rows}{head}{SEA},no,yes\n"})) == {
        "index",
        "train",
    }
    turned = "file_name,consent_display,consent_index\n"
    assert granted(read({"metadata.csv": f"{head}{rows}{turned}{SEA},yes,no\n"})) == set()


@pytest.mark.parametrize(
    "name",
    [
        "consents.ndjson",
        "consents.tab",
        "consents.fods",
        "consents.numbers",
        "consents.csv.gz",
        "consents.csv.bak",
        "consents",
        "withdrawn.csv",
        "exclude.csv",
        "do not publish.csv",
        "Ann/opted_out.psv",
    ],
)
def test_a_file_called_by_a_word_about_permission_is_not_passed_over(
    read: Reader, name: str
) -> None:
    """Whatever its kind; a document of that name is a remark."""
    assert granted(read({name: "x,y\n"})) == set()


def test_documents_about_permission_are_a_remark(read: Reader) -> None:
    """People read them."""
    files: Files = {"consent form.pdf": "%PDF", "withdrawal.txt": "Dear Sir", "opt-out.md": "x"}

    assert granted(read(files)) == set(TRAINING)


@pytest.mark.parametrize(
    "folder",
    [
        "opted_out",
        "no consent",
        "NO AI",
        "withdrawn",
        "Do Not Publish",
        "_declined",
        "private",
        "ohne Einwilligung",
        "Ann/DO NOT SHOW",
    ],
)
@pytest.mark.parametrize("manifest", ["", "works.csv"])
def test_a_folder_called_by_a_no_is_no_artist(read: Reader, folder: str, manifest: str) -> None:
    """Its pictures are refused, with what to do; those next to it are not."""
    name = f"{folder}/boat.png"
    files = {"works.csv": f"file_name,artist\n{name},Ann\n{SEA},Ann\n"} if manifest else {}
    items = read(files, manifest=manifest, pictures=(name, SEA))

    assert "rename the folder" in str(items[name].refused)
    assert items[name].denied
    assert items[name].artist in {"Ann", ""}
    assert granted(items, SEA) == set(TRAINING)


@pytest.mark.parametrize("folder", ["consented", "Noai Island", "Kim Noai", "Private Collection"])
def test_a_folder_called_otherwise_is_an_artist(read: Reader, folder: str) -> None:
    """A name that has such a word in it says nothing."""
    name = f"{folder}/boat.png"

    assert granted(read({}, pictures=(name, SEA)), name) == set(TRAINING)


@pytest.mark.parametrize(
    ("name", "text", "denied"),
    [
        ("boat.json", '{"display": false}', "display"),
        ("boat.json", '{"index": "no"}', "index"),
        ("boat.json", '{"show": "no"}', "display"),
        ("boat.json", '{"consent": {"display": false}}', "display"),
        ("boat.json", '{"metadata": {"display": false}}', "display"),
        ("boat.json", '{"rights": "do not display"}', "display"),
        ("boat.json", '{"status": "withdrawn"}', "index"),
        ("boat.json", '{"license": "AI学習禁止"}', "train"),
        ("boat.txt", "NoAI. Do not show.", "display"),
        ("boat.txt", "a boat, noai", "train"),
        ("boat.png.txt", "withdrawn\n", "index"),
        ("boat.yaml", "consent_display: no\n", "display"),
        ("boat.yml", "display: false\n", "display"),
        ("boat.xml", '<consent display="no"/>', "display"),
    ],
)
def test_a_sidecar_says_no(read: Reader, name: str, text: str, denied: str) -> None:
    """In half a name, within, in words, and in notes."""
    items = read({f"Ann/{name}": text})

    assert denied not in granted(items)
    assert granted(items, SEA) == set(TRAINING)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("boat.txt", "a red boat at sea, 1girl, display case, public park: summer"),
        ("boat.json", '{"index": 3, "train": "train", "signed": false}'),
        ("boat.yaml", "title: Boat\nsigned: no\n"),
        ("boat.xml", '<svg display="block" width="3"/>'),
    ],
)
def test_a_sidecar_about_something_else_says_nothing(read: Reader, name: str, text: str) -> None:
    """Captions and settings of programs."""
    assert granted(read({f"Ann/{name}": text})) == set(TRAINING)


def test_words_in_the_exif_of_img2dataset_are_heard(read: Reader) -> None:
    """The rest of its technical details is not."""
    buffer = io.BytesIO()
    rows = [
        {"key": f"{n:09}", "url": "x", "caption": "a", "exif": exif, "artist": "Ann"}
        for n, exif in enumerate(('{"Image Copyright": "noai"}', '{"Image Software": "x"}'))
    ]
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    pictures = ("00000/000000000.png", "00000/000000001.png")
    files: Files = {"00000.parquet": buffer.getvalue(), "00000_stats.json": '{"count": 2}'}

    items = read(files, pictures=pictures)

    assert granted(items, pictures[0]) == {"index", "display"}
    assert granted(items, pictures[1]) == set(TRAINING)


@pytest.mark.parametrize("encoding", ["utf-32", "utf-32-le", "utf-32-be"])
def test_utf_32_is_read(read: Reader, encoding: str) -> None:
    """With its mark and without."""
    text = f"file_name,consent_index\n{BOAT},no\n".encode(encoding)

    assert granted(read({"metadata.csv": text})) == {"display", "train"}


def test_a_name_that_no_file_has_is_cut(read: Reader) -> None:
    """It is shown, and not kept."""
    text = f"file_name,artist\n{BOAT},Ann\n{'b' * 5_000},Ann\n"
    items = read({"works.csv": text}, manifest="works.csv")

    assert "is too long" in str(items["works.csv"].refused)
    assert len(str(items["works.csv"].refused)) < 200


def xlsx_of(
    rows: Sequence[Sequence[object]], change: Callable[[openpyxl.Workbook], None] | None = None
) -> bytes:
    """Return a spreadsheet of one sheet."""
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        sheet_of(book).append(row)
    if change:
        change(book)
    book.save(buffer)
    return buffer.getvalue()


def sheet_of(book: openpyxl.Workbook) -> Any:
    """Return the first sheet."""
    return book.worksheets[0]


def edited(data: bytes, *changes: tuple[str, str]) -> bytes:
    """Return a spreadsheet whose sheet is written in another way."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            text = old.read(name).decode()
            for pattern, by in (
                changes if "sheet1.xml" in text or name.endswith("sheet1.xml") else ()
            ):
                text = re.sub(pattern, by, text)
            new.writestr(name.replace("worksheets/", "ws/"), text.replace("worksheets/", "ws/"))
    return buffer.getvalue()


SHEET = (
    ("file_name", "artist", "consent_index"),
    (BOAT, "Ann", "yes"),
    (SEA, "Ann", "yes"),
)
FORMULA = (SHEET[0], (BOAT, "Ann", '=IF(1=2,"yes","no")'), SHEET[2])
PREFIXED = (
    (r"<(/?)(worksheet|sheetData|row|c|v|f|is|t)(?=[ >/])", r"<\1x:\2"),
    (r"xmlns=", "xmlns:x="),
)


@pytest.mark.parametrize(
    "data",
    [
        xlsx_of(FORMULA),
        edited(xlsx_of(FORMULA), *PREFIXED),
        edited(xlsx_of(SHEET), (r'<c r="C2"[^>]*>.*?</c>', "<c r='C2' t='e'><v>#REF!</v></c>")),
        xlsx_of(SHEET, lambda book: setattr(sheet_of(book)["C2"], "font", Font(strike=True))),
        xlsx_of(
            SHEET, lambda book: setattr(sheet_of(book)["A2"], "comment", Comment("withdrawn", "x"))
        ),
        xlsx_of(SHEET, lambda book: setattr(sheet_of(book)["A2"], "comment", Comment("✗", "x"))),
        xlsx_of(SHEET, lambda book: book.create_sheet("opt-out").append(["Boat"])),
        xlsx_of(SHEET, lambda book: book.create_sheet("Notes").append(["boat"])),
        xlsx_of(SHEET, lambda book: book.create_sheet("Notes").append(["KI: nein"])),
        xlsx_of([*SHEET, (), ("Note: none of these may be shown online",)]),
    ],
)
def test_what_a_spreadsheet_says_elsewhere_is_heard(read: Reader, data: bytes) -> None:
    """Cells without a value, however written; struck cells, comments, other sheets, notes."""
    assert not {"index", "display"} <= granted(read({"metadata.xlsx": data}))


def test_a_spreadsheet_written_otherwise_is_read(read: Reader) -> None:
    """With prefixes, other names of parts, a comment on its head, a sheet of notes."""

    def change(book: openpyxl.Workbook) -> None:
        sheet_of(book)["C1"].comment = Comment("yes, where the artist permits it", "x")
        sheet_of(book)["A2"].comment = Comment("scanned in May", "x")
        book.create_sheet("Addresses").append(["Miller", "Rome"])

    assert granted(read({"metadata.xlsx": xlsx_of(SHEET, change)})) == set(TRAINING)
    data = edited(xlsx_of(SHEET), *PREFIXED)
    assert granted(read({"metadata.xlsx": data})) == set(TRAINING)


@pytest.mark.parametrize(
    "cell",
    [
        (
            '<t:table-cell t:formula="of:=X" o:value-type="string" c:value-type="error">'
            "<x:p>#N/A</x:p></t:table-cell>"
        ),
        '<t:table-cell t:formula="of:=X"/>',
        "<t:table-cell t:number-rows-spanned='2'><x:p>no</x:p></t:table-cell>",
        (
            '<t:table-cell o:value-type="string"><o:annotation><x:p>no!</x:p></o:annotation>'
            "<x:p>yes</x:p></t:table-cell>"
        ),
    ],
)
def test_what_an_open_document_says_elsewhere_is_heard(read: Reader, cell: str) -> None:
    """Errors, formulas without a value, merged cells, comments."""
    space = "urn:oasis:names:tc:opendocument:xmlns"
    plain = '<t:table-cell o:value-type="string"><x:p>{}</x:p></t:table-cell>'
    rows = (
        (plain.format("file_name"), plain.format("consent_display")),
        (plain.format(BOAT), cell),
    )
    body = "".join(f"<t:table-row>{''.join(row)}</t:table-row>" for row in rows)
    content = (
        f'<o:document-content xmlns:o="{space}:office:1.0" xmlns:t="{space}:table:1.0" '
        f'xmlns:x="{space}:text:1.0" xmlns:c="urn:calcext"><o:body><o:spreadsheet>'
        f'<t:table t:name="S">{body}</t:table></o:spreadsheet></o:body></o:document-content>'
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", f'<m:manifest xmlns:m="{space}:manifest:1.0"/>')
        archive.writestr("content.xml", content)

    assert granted(read({"metadata.ods": buffer.getvalue()})) == set()


@pytest.mark.parametrize("more", [{"artist": "Ann", "consent_index": False}, {"label": 0}])
def test_a_table_with_its_pictures_within_says_what_to_do(
    read: Reader, more: dict[str, object]
) -> None:
    """As a manifest; next to pictures it is heard where it names them, or says anything of ours."""
    buffer = io.BytesIO()
    rows = [{"image": {"bytes": b"x" * 5_000, "path": "boat.png"}} | more]
    parquet.write_table(pa.Table.from_pylist(rows), buffer)
    files: Files = {"train-00000-of-00001.parquet": buffer.getvalue()}

    with pytest.raises(BadInput, match="lawful export-dataset"):
        read(files, manifest="train-00000-of-00001.parquet")
    assert granted(read(files)) == set()
