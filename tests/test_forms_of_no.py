"""A "no" in the forms, places and words that people use, and one bad cell among good ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from attribution.errors import BadInput
from ingest.sources import SourceItem, read_source, tables
from tests.portfolios import picture

TRAINING = ("index", "display", "train")  # granted where a folder is named for training
BOAT, SEA = "Ann/boat.png", "Ann/sea.png"
Files = dict[str, str | bytes]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., dict[str, SourceItem]]:
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
    "cells",
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
def test_a_bad_cell_stops_nothing(
    read: Callable[..., dict[str, SourceItem]], cells: dict[str, object], manifest: str
) -> None:
    """It is about its row, in a table and in a manifest."""
    rows = [
        {"file_name": "sea.png", "artist": "Ann"} | cells,
        {"file_name": "boat.png", "artist": "Ann"},
    ]

    items = read(
        {manifest or "Ann/metadata.jsonl": "\n".join(map(json.dumps, rows))}, manifest=manifest
    )

    assert granted(items) == {"index", "display", "train"}


def test_what_nobody_foresaw_is_a_refusal(
    read: Callable[..., dict[str, SourceItem]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Of its row or its table, with the traceback in the log."""
    rows = {"Ann/metadata.csv": "file_name,title\nboat.png,Boat\n"}

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("ingest.sources.cells.dated", fail)
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
    read: Callable[..., dict[str, SourceItem]], row: str, manifest: str
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
    ],
)
def test_a_no_names_a_picture_or_its_folder_in_other_ways(
    read: Callable[..., dict[str, SourceItem]], name: str, row: str
) -> None:
    """A second ending, an ending left out, a folder, a word for all."""
    text = f"{HEAD}{name},Ann,\n{row},Ann,no\n"

    assert "index" not in granted(read({"metadata.csv": text}, pictures=(name,)), name)


def test_a_no_about_another_folder_is_not_about_this_one(
    read: Callable[..., dict[str, SourceItem]],
) -> None:
    """The row of a folder holds for what lies in it."""
    text = f"{HEAD}{BOAT},Ann,\nBob/c.png,Bob,\nBob,Bob,no\nBob/gone.jpg,Bob,no\n"

    items = read({"metadata.csv": text}, pictures=(BOAT, "Bob/c.png"))

    assert "index" in granted(items)
    assert "index" not in granted(items, "Bob/c.png")
