"""Sources: which files are works, whose they are, and what is said about them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from attribution.errors import BadInput, NotFound
from ingest.sources import SourceItem, read_source
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
    assert described.consent == ("index", "train")
    assert (plain.artist, plain.consent) == ("artist-0", ("index", "display"))


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
    assert items[0].tags == ("red", "bird")


def test_manifest_stays_in_its_folder(tmp_path: Path) -> None:
    """A path that leads out is refused, by name, by root or by link."""
    inside = tmp_path / "inside"
    inside.mkdir()
    picture(1).save(tmp_path / "secret.png")
    (inside / "link.png").symlink_to(tmp_path / "secret.png")
    for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png"):
        manifest = rows_to(inside / "m.csv", [{"path": name, "artist": "Ana"}])
        with pytest.raises(BadInput, match="leads out"):
            read(manifest)


def test_flat_folder_needs_an_artist(tmp_path: Path) -> None:
    """Files beside each other have no artist until someone names one."""
    picture(1).save(tmp_path / "a.png")

    with pytest.raises(BadInput, match="--artist"):
        read(tmp_path)
    assert read(tmp_path, "Ana")[0].artist == "Ana"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("m.jsonl", '{"path": "a.png"\n', "line 1: not JSON"),
        ("m.jsonl", "[1]\n", "line 1: expected an object"),
        ("m.csv", "title\nx\n", "no column file_name or path"),
        ("m.parquet", "no parquet", "no Parquet file"),
    ],
)
def test_broken_rows_are_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    """An unreadable row stops the listing with its file and line."""
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


def test_consent_is_not_guessed(tmp_path: Path) -> None:
    """A word that is neither yes nor no grants nothing and is named."""
    picture(1).save(tmp_path / "a.png")
    (tmp_path / "m.csv").write_text("path,artist,consent_index\na.png,Ann,denied\n")
    with pytest.raises(BadInput, match="consent_index is 'denied'; say yes or no"):
        list(read_source(tmp_path / "m.csv"))


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl"])
def test_other_encodings_are_named(tmp_path: Path, name: str) -> None:
    """A table of an old program is an error that says what to do."""
    (tmp_path / name).write_bytes("path,artist\na.png,Jos\xe9\n".encode("latin-1"))
    with pytest.raises(BadInput, match="save it as UTF-8"):
        list(read_source(tmp_path / name))
