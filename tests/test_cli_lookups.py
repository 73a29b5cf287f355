"""`lawful lookups` as a script calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from attribution.catalogue import queries
from attribution.collection import open_stores
from attribution.config import Settings
from ingest.lookups import accept_works
from tests.apis import archive, png
from tests.commands import lawful


def said(home: Path, *words: str, code: int = 0) -> dict[str, Any]:
    """Return what a command prints with --json."""
    done = lawful(home, "lookups", *words, "--json")
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_an_archive(ingested: Settings, tmp_path: Path) -> None:
    """Started, listed, shown: the same numbers in every command."""
    work, *_ = sorted((tmp_path / "p").rglob("*.png"))
    sent = {"new.png": png(901), "work.png": work.read_bytes(), "notes.txt": b"no picture"}
    (tmp_path / "night.zip").write_bytes(archive(sent))

    begun = said(ingested.home, "start", str(tmp_path / "night.zip"), code=3)
    batch = begun.pop("batch")
    assert begun["findings"]["unreadable"] == ["notes.txt"]
    assert [one["copies"] for one in begun["works"]] == [1]
    assert said(ingested.home, "findings", batch) == begun

    (listed,) = said(ingested.home, "list")["batches"]
    shown = said(ingested.home, "show", batch)
    assert shown["batch"] == listed
    assert listed["outcomes"] == {"pending": 0, "answered": 2, "refused": 1, "timed_out": 0}
    assert [one["name"] for one in shown["items"]] == ["new.png", "notes.txt", "work.png"]
    table = lawful(ingested.home, "lookups", "show", batch, "--refused").stdout
    assert f"{batch} done: night.zip" in table
    assert "notes.txt: not an image" in table


def test_a_cancelled_batch_is_resumed(ingested: Settings) -> None:
    """It goes on where it stopped; what a person sees names the images and what they show."""
    with open_stores(ingested) as stores, stores.sessions() as session:
        works = [str(one.id) for one in queries.list_artworks(session, limit=2).items]
        batch = str(accept_works(stores, [*works, "7"]))
    assert lawful(ingested.home, "lookups", "cancel", batch).returncode == 0
    done = lawful(ingested.home, "lookups", "retry", batch)

    assert done.returncode == 3, done.stderr
    assert "2 of 2 images show registered works" in done.stdout
    assert "not read: 7" in done.stdout
    assert "shown by" in done.stdout


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("nowhere.zip", None, "nowhere.zip does not exist; give a zip or tar of images"),
        ("works.json", b"{}", "write a list of work ids"),
        ("links.csv", b"name\na\n", "no column is known in 'name'; name them url"),
    ],
)
def test_what_cannot_be_looked_up(tmp_path: Path, name: str, data: bytes | None, says: str) -> None:
    """One line that names it, and says what would do."""
    if data is not None:
        (tmp_path / name).write_bytes(data)
    done = lawful(tmp_path / "home", "lookups", "start", str(tmp_path / name))

    assert done.returncode == 1
    assert says in " ".join(done.stderr.split())
