"""Sources: which files are works, whose they are, and what is said about them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from attribution.errors import BadInput, NotFound
from ingest.sources import Level, NoArtist, SourceItem, read_source
from tests.portfolios import picture, portfolio


def read(path: Path, artist: str | None = None) -> list[SourceItem]:
    """Read a whole source."""
    return list(read_source(path, artist=artist))


def test_folder_names_are_artists(tmp_path: Path) -> None:
    """Without metadata the folder is the artist and the file name the title, at any depth."""
    portfolio(tmp_path, artists=2, works=1)
    deep = tmp_path / "artist-1" / "1999"
    deep.mkdir()
    picture(7).save(deep / "late.png")

    items = read(tmp_path)

    assert [(item.artist, item.title) for item in items] == [
        ("artist-0", "work-0"),
        ("artist-1", "late"),
        ("artist-1", "work-0"),
    ]


def test_company_of_works_is_left_alone(tmp_path: Path) -> None:
    """Hidden files, notes and metadata are no works."""
    portfolio(tmp_path, artists=1, works=1)
    for name in (".DS_Store", "README.md", "notes.txt", "Thumbs.db"):
        (tmp_path / "artist-0" / name).write_text("x")

    assert len(read(tmp_path)) == 1


def test_metadata_describes_some_files(tmp_path: Path) -> None:
    """A row of metadata.jsonl says more; files without a row follow the folder rule."""
    portfolio(tmp_path, artists=1, works=2)
    row = {
        "file_name": "artist-0/work-0.png",
        "artist": "Ana Ní",
        "title": "Bird",
        "tags": ["red", "bird"],
        "license": "CC0",
        "year": "1999",
        "consent_train": True,
        "consent_display": "no",
    }
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n\n")

    described, plain = read(tmp_path)

    assert (described.artist, described.title, described.tags) == (
        "Ana Ní",
        "Bird",
        ("red", "bird"),
    )
    assert (described.licence, described.year) == ("CC0", 1999)
    assert described.consent == ("index", "evidence", "train")
    assert (plain.artist, plain.consent) == ("artist-0", ("index", "display", "evidence"))


def rows_to(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write rows in the format of the path's suffix."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_manifest_names_its_files(tmp_path: Path, suffix: str) -> None:
    """A manifest takes what it names and nothing else, missing files included."""
    portfolio(tmp_path, artists=1, works=2)
    rows = [
        {"path": "artist-0/work-1.png", "artist": "Ana", "tags": "red, bird"},
        {"path": "gone.png", "artist": "Ana", "tags": ""},
    ]

    items = read(rows_to(tmp_path / f"works{suffix}", rows))

    assert [item.path.name for item in items] == ["work-1.png", "gone.png"]
    assert "there is no such file" in str(items[1].refused)
    assert items[0].tags == ("red", "bird")


@pytest.mark.parametrize("name", ["../secret.png", "link.png", "/absolute.png"])
def test_manifest_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """A path that leads out is refused, by name, by root or by link; the other rows are not."""
    inside = tmp_path / "inside"
    inside.mkdir()
    picture(1).save(tmp_path / "secret.png")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    picture(2).save(inside / "a.png")
    rows = [{"path": name, "artist": "Ana"}, {"path": "a.png", "artist": "Ana"}]

    found = {item.path.name == "a.png": item for item in read(rows_to(inside / "m.csv", rows))}

    assert "leads out" in str(found[False].refused)
    assert found[True].refused is None


@pytest.mark.parametrize(
    ("name", "text", "refused", "shown"),
    [
        ("Ann/metadata.csv", "file_name,consent_display\nb.png,no\n", [], ["a", "c"]),
        ("Ann/metadata.csv", "file_name,consent_dispaly\nb.png,no\n", ["a", "b"], ["c"]),
        ("Ann/b.json", '{"consent_display": "no"}', [], ["a", "c"]),
        ("metadata.jsonl", '{"file_name": "Ann/b.png", "consent_display": 0}', [], ["a", "c"]),
        ("metadata.jsonl", '{"file_name": "Ann/not-here.png"}', [], ["a", "b", "c"]),
        ("other.csv", "file_name,consent_display\nAnn/b.png,no\n", [], ["a", "b", "c"]),
    ],
)
def test_what_lies_beside_the_files_of_a_manifest_is_heard(
    tmp_path: Path, name: str, text: str, refused: list[str], shown: list[str]
) -> None:
    """Tables called metadata and sidecars may say no; another table is another manifest."""
    rows = [
        {"file_name": one, "artist": one[:3]} | ({"consent_display": "yes"} if "b" in one else {})
        for one in ("Ann/a.png", "Ann/b.png", "Bob/c.png")
    ]
    for number, row in enumerate(rows):
        (tmp_path / row["file_name"]).parent.mkdir(exist_ok=True)
        picture(number).save(tmp_path / row["file_name"])
    works = tmp_path / "works.jsonl"
    works.write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / name).write_text(text)

    items = read(works)

    assert [one.path.stem for one in items if one.refused] == refused
    usable = [one for one in items if not one.refused]
    assert [one.path.stem for one in usable if "display" in one.consent] == shown


def test_flat_folder_needs_an_artist(tmp_path: Path) -> None:
    """Files beside each other have no artist until someone names one."""
    picture(1).save(tmp_path / "a.png")

    with pytest.raises(NoArtist, match="it has no artist"):
        read(tmp_path)
    assert read(tmp_path, "Ana")[0].artist == "Ana"


@pytest.mark.parametrize(
    ("folder", "artist"),
    [
        ("Ann Example", "Ann Example"),
        ("Ann  Example", "Ann Example"),
        ("portfolio", None),
        ("2019", None),
        ("unknown", None),
        ("x" * 201, None),
    ],
)
def test_a_flat_folder_may_be_called_as_its_artist(
    tmp_path: Path, folder: str, artist: str | None
) -> None:
    """Its name is proposed, unless it is surely no artist's."""
    (tmp_path / folder).mkdir()
    picture(1).save(tmp_path / folder / "a.png")

    with pytest.raises(NoArtist) as found:
        read(tmp_path / folder)

    assert found.value.may_be == artist


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("m.jsonl", '{"path": "a.png"\n', "line 1: not JSON"),
        ("m.jsonl", "[1]\n", "line 1: expected an object"),
        ("m.csv", "colour\nred\n", "m.csv, line 1: no column is known"),
        ("m.jsonl", '{"a": ' + "[" * 100_000, "line 1: nested too deeply"),
        ("m.parquet", "no parquet", "not a Parquet file"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    """A manifest that cannot be read stops the listing with its file and line."""
    (tmp_path / name).write_text(text)

    with pytest.raises(BadInput, match=says):
        read(tmp_path / name, "Ana")


def test_missing_and_empty_sources(tmp_path: Path) -> None:
    """A missing path, an empty folder and a file that is no source each say what to give."""
    with pytest.raises(NotFound, match="nowhere does not exist"):
        read(tmp_path / "nowhere")
    with pytest.raises(BadInput, match="has no works"):
        read(tmp_path)
    picture(1).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="neither a folder nor a manifest"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("name", [" \t", "x" * 201])
def test_an_artist_needs_a_usable_name(tmp_path: Path, name: str) -> None:
    """Said before the job begins, not in its middle."""
    picture(1).save(tmp_path / "a.png")
    with pytest.raises(BadInput, match="artist"):
        list(read_source(tmp_path, artist=name))


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"consent_index": "denied"}, "consent_index is 'denied'; say yes or no"),
        ({"title": {"a": [1]}}, "its title is a dict; give a text or a number"),
        ({"tags": [["a"]]}, "its tags is a list"),
        ({"path": "a\0.png"}, "cannot be the name of a file"),
        ({"path": "\ud800.png"}, "cannot be the name of a file"),
        ({"path": ["a.png"]}, "cannot be the name of a file"),
        ({"path": ""}, "line 1: it names no file"),
        ({"artist": "x" * 250}, "has 250 characters"),
        ({"artist": ""}, "it has no artist"),
    ],
)
def test_a_wrong_row_is_refused_alone(tmp_path: Path, row: dict[str, object], says: str) -> None:
    """Nothing is guessed, nothing is stored of it, and the next row is read as ever."""
    for name in ("a.png", "b.png"):
        picture(1).save(tmp_path / name)
    rows = ({"path": "a.png", "artist": "Ann"} | row, {"path": "b.png", "artist": "Ann"})
    (tmp_path / "m.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))

    items = {item.path.name: item for item in read(tmp_path / "m.jsonl")}
    right = items.pop("b.png")
    (wrong,) = items.values()

    assert says in str(wrong.refused)
    str(wrong.path).encode()
    assert "\0" not in str(wrong.path)
    assert right.refused is None


def test_jsonl_may_begin_with_a_mark(tmp_path: Path) -> None:
    """Windows puts a byte order mark before the text."""
    picture(1).save(tmp_path / "a.png")
    (tmp_path / "m.jsonl").write_text('\ufeff{"path": "a.png", "artist": "Ann"}\n')

    assert [item.artist for item in read(tmp_path / "m.jsonl")] == ["Ann"]


@pytest.mark.parametrize("year", [1e30, -1e30, "1e400", float("nan"), "c. 1890", 10_001])
def test_an_impossible_year_is_none(tmp_path: Path, year: object) -> None:
    """What no database could keep as a year is left out; the work is not."""
    picture(1).save(tmp_path / "a.png")
    row = {"path": "a.png", "artist": "Ann", "year": year}
    (tmp_path / "m.jsonl").write_text(json.dumps(row))

    (item,) = read(tmp_path / "m.jsonl")

    assert (item.year, item.refused) == (None, None)


def test_texts_control_nothing(tmp_path: Path) -> None:
    """Escape codes, line breaks and signs that turn the text around are left out."""
    picture(1).save(tmp_path / "a.png")
    evil = "red\u202e \x1b[31m\nboat\u200b"
    row = dict.fromkeys(("artist", "title", "licence", "source"), evil)
    (tmp_path / "m.jsonl").write_text(json.dumps(row | {"path": "a.png", "tags": [evil]}))

    (item,) = read(tmp_path / "m.jsonl")

    plain = "red [31m boat"
    assert (item.artist, item.title, item.licence, item.source) == (plain,) * 4
    assert item.tags == (plain,)


def test_a_file_without_artist_is_refused_alone(tmp_path: Path) -> None:
    """A licence beside the artists' folders stops nothing; nor does an impossible folder name."""
    portfolio(tmp_path, artists=1, works=1)
    (tmp_path / "LICENSE").write_text("CC0")
    portfolio(tmp_path / ("x" * 250), artists=1, works=1)

    items = {item.path.name: item for item in read(tmp_path) if item.refused}

    assert len(read(tmp_path)) == 3
    assert "no artist" in str(items["LICENSE"].refused)
    assert "250 characters" in str(items["work-0.png"].refused)


def test_links_stay_inside(tmp_path: Path) -> None:
    """A link to a file of the source is followed; every other is refused and says why."""
    source = portfolio(tmp_path / "p", artists=1, works=1)
    picture(1).save(tmp_path / "secret.png")
    own = source / "artist-0"
    (own / "good.png").symlink_to("work-0.png")
    (own / "out.png").symlink_to(tmp_path / "secret.png")
    (own / "nowhere.png").symlink_to("gone.png")
    (own / "round.png").symlink_to("round.png")
    (source / "friend").symlink_to(own)

    found = {item.path.name: item for item in read(source)}

    assert found["good.png"].refused is None
    assert "leads out" in str(found["out.png"].refused)
    assert "leads nowhere" in str(found["nowhere.png"].refused)
    assert "leads nowhere" in str(found["round.png"].refused)
    assert "link to a folder" in str(found["friend"].refused)
    assert found["friend"].artist == "friend"


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in it may be works: their loss is said."""
    source, read_folder = portfolio(tmp_path, artists=2, works=1), Path.iterdir

    def iterdir(path: Path) -> Iterator[Path]:
        if path.name == "artist-0":
            raise PermissionError(13, "Permission denied")
        return read_folder(path)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    closed, work = read(source)

    assert (closed.path.name, closed.artist) == ("artist-0", "artist-0")
    assert closed.refused == "this folder cannot be read: Permission denied"
    assert work.refused is None


def test_rows_without_a_file_are_counted(tmp_path: Path) -> None:
    """Where every picture has its row, a table of more pictures is one remark."""
    portfolio(tmp_path, artists=1, works=1)
    rows_to(tmp_path / "metadata.csv", [{"file_name": f"artist-0/work-{n}.png"} for n in range(50)])

    source = read_source(tmp_path)

    assert [item.refused for item in source] == [None]
    (remark,) = source.remarks
    assert remark.startswith("metadata.csv: 49 rows have no picture here, such as 'artist-0/work-1")


def others_said(
    root: Path,
    rows: dict[str, str],
    *,
    table: str = "metadata.csv",
    artist: str | None = None,
    level: Level | None = None,
) -> list[str]:
    """Write pictures and a table of their artists; return the remarks on artists of folders."""
    for seed, name in enumerate(rows):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        picture(seed).save(root / name)
    named = [{"file_name": name, "artist": who} for name, who in rows.items() if who]
    rows_to(root / table, named)
    path = root if table == "metadata.csv" else root / table
    source = read_source(path, artist=artist, level=level)
    list(source)
    return [one for one in source.remarks if "than" in one]


def test_another_artist_than_the_folder_is_said(tmp_path: Path) -> None:
    """One sentence, with the number of the works and the first three of them."""
    rows = {f"Ann/{n}.png": "Bob" for n in range(4)} | {"Zoe/a.png": ""}

    (several,) = others_said(tmp_path / "p", rows)

    assert several == (
        "4 works have another artist than their folder says: "
        "Ann/0.png by Bob, Ann/1.png by Bob, Ann/2.png by Bob, …"
    )
    assert others_said(tmp_path / "q", {"Ann/a.png": "Bob", "Zoe/a.png": "Zoe"}) == [
        "1 work has another artist than its folder says: Ann/a.png by Bob"
    ]


@pytest.mark.parametrize(
    ("picture", "artist"),
    [
        ("Linda Kim/a.png", "KIM, Linda"),  # another spelling of one name
        ("portfolios/a.png", "Bob"),  # a folder that names no artist
        ("2019/a.png", "Bob"),
        ("Gallery/Spring/a.png", "Bob"),  # nobody could tell which folder names one
        ("a.png", "Bob"),
        ("unknown/a.png", "Bob"),
        ("Ann/a.png", "anonymous"),
        (f"{'x' * 201}/a.png", "Bob"),
    ],
)
def test_a_folder_that_names_nobody_else_is_no_remark(
    tmp_path: Path, picture: str, artist: str
) -> None:
    """Only a folder that would have named somebody else is worth a word."""
    assert others_said(tmp_path, {picture: artist}) == []


def test_a_person_says_which_folders_are_the_artists(tmp_path: Path) -> None:
    """What is said of the layout decides whom a folder names here too."""
    rows = {"Gallery/Ann/a.png": "Bob"}

    assert others_said(tmp_path, rows, level=Level.WRAPPED) == [
        "1 work has another artist than its folder says: Gallery/Ann/a.png by Bob"
    ]
    assert others_said(tmp_path, rows | {"Gallery/Bob/b.png": "Bob"}, level=Level.WRAPPED) == [
        "1 work has another artist than its folder says: Gallery/Ann/a.png by Bob"
    ]


def test_folders_say_nothing_where_something_else_names_the_artist(tmp_path: Path) -> None:
    """With an option for all works, or in a manifest, no folder is asked."""
    rows = {"Ann/a.png": "Bob"}

    assert others_said(tmp_path, rows, artist="Bob") == []
    assert others_said(tmp_path / "q", rows, table="works.csv") == []


@pytest.mark.parametrize("name", ["artist-0/wrk-1.png", "../a.png", ""])
def test_pictures_without_a_row_wait_for_rows_without_a_picture(tmp_path: Path, name: str) -> None:
    """Such a row may be about such a picture, under another name: that is said, with its line."""
    portfolio(tmp_path, artists=1, works=2)
    rows = [{"file_name": one, "consent_index": "no"} for one in ("artist-0/work-0.png", name)]
    rows_to(tmp_path / "metadata.csv", rows)

    items = {item.path.name: item for item in read(tmp_path)}

    assert items["work-0.png"].consent == ("display", "evidence")
    assert "its table says something that could not be read: metadata.csv, line 3" in str(
        items["work-1.png"].refused
    )


def test_metadata_beside_the_pictures(tmp_path: Path) -> None:
    """In any folder, about what is in it and below; the nearer row counts."""
    portfolio(tmp_path, artists=2, works=1)
    far = [{"file_name": f"artist-{n}/work-0.png", "title": "far"} for n in range(2)]
    rows_to(tmp_path / "metadata.jsonl", far)
    rows_to(tmp_path / "artist-1" / "metadata.csv", [{"file_name": "work-0.png", "title": "near"}])

    assert [(item.artist, item.title) for item in read(tmp_path)] == [
        ("artist-0", "far"),
        ("artist-1", "near"),
    ]


def forms_of_no() -> Iterator[tuple[str, str]]:
    """Yield tables that deny `Ann/boat.png` in a form or place of their own, by file name."""
    yield ".metadata.csv", "file_name,consent_index\nAnn/boat.png,no\n"
    yield "consents.csv", "image,answer\nAnn/boat.png,no\n"
    yield "Ann/opt-out.csv", "boat\n"
    yield "metadata.json", '{"Ann/boat.png": {"consent_index": false}}'
    yield "metadata.json", '{"Ann/boat.png": "no"}'
    yield "list.json", '{"Ann/boat.png": {"allowed": false}}'
    yield "list.json", '{"denied": ["Ann/boat.png"], "allowed": []}'
    yield "metadata.jsonl", '{"Ann/boat.png": "no"}'
    yield "metadata.csv", "file_name,purpose,value\nAnn/boat.png,index,0\nAnn/boat.png,train,no\n"
    yield "metadata.csv", "field,Ann/boat.png,Ann/sea.png\nindex,no,yes\n"
    yield "notes/metadata.csv", "file_name,consent_index\n../Ann/boat.png,no\n"
    yield "notes/metadata.csv", "file_name,consent_index\nAnn/boat.png,no\n"
    yield "notes/more/metadata.csv", 'file_name,consent_index\n"Ann/boat.png,no\n'


@pytest.mark.parametrize(("name", "text"), list(forms_of_no()))
def test_no_is_heard_in_any_form(tmp_path: Path, name: str, text: str) -> None:
    """A table that a person would understand, and this program does not, is a doubt."""
    for work in ("boat", "sea"):
        (tmp_path / "Ann").mkdir(exist_ok=True)
        picture(len(work)).save(tmp_path / "Ann" / f"{work}.png")
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(text)

    (boat,) = (item for item in read(tmp_path) if item.path.name == "boat.png")

    assert "index" not in boat.consent or boat.refused


def test_objects_by_picture_are_rows(tmp_path: Path) -> None:
    """As kohya's scripts write them."""
    portfolio(tmp_path, artists=1, works=2)
    by_name = {"artist-0/work-0.png": {"caption": "a boat"}, "artist-0/work-1.png": {"tags": "sea"}}
    (tmp_path / "metadata.json").write_text(json.dumps(by_name))

    assert [(one.caption, one.tags) for one in read(tmp_path)] == [("a boat", ()), (None, ("sea",))]


def test_a_part_of_a_data_set_is_no_purpose(tmp_path: Path) -> None:
    """A column of splits says `train` in every row, and nothing about permission."""
    portfolio(tmp_path, artists=1, works=1)
    rows_to(tmp_path / "metadata.csv", [{"file_name": "artist-0/work-0.png", "split": "train"}])

    assert [item.refused for item in read(tmp_path)] == [None]


def test_a_number_among_artists_is_no_artist(tmp_path: Path) -> None:
    """Its pictures are refused, unless something else names their artist."""
    for seed, name in enumerate(("Ann/boat.png", "2019/boat.png", "2019/sea.png")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture(seed).save(tmp_path / name)
    rows_to(tmp_path / "metadata.csv", [{"file_name": "2019/sea.png", "artist": "Bob"}])

    found = {item.path.relative_to(tmp_path).as_posix(): item for item in read(tmp_path)}

    assert {item.artist for item in found.values() if not item.refused} == {"Ann", "Bob"}
    assert "'2019' is called by a number" in str(found["2019/boat.png"].refused)
