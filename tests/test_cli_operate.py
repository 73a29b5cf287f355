"""The command line of operators: add, withdraw, jobs, reconcile, reindex, migrate, worker."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from attribution.catalogue import queries
from attribution.collection import open_stores
from attribution.config import Settings
from ingest.listing import plan
from ingest.sources import read_source
from tests.commands import lawful
from tests.homes import copy_ingested
from tests.portfolios import picture


@pytest.fixture
def home(ingested_once: Path, tmp_path: Path) -> Path:
    """Give a collection with three artists of four works each; they came from `tmp_path / "p"`."""
    return copy_ingested(ingested_once, tmp_path) / "home"


def answer(home: Path, *words: str, code: int = 0) -> Any:
    """Return what a command answers with --json."""
    done = lawful(home, *words, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_a_work_is_added_found_and_forgotten(home: Path, tmp_path: Path) -> None:
    """Add one work, find it, withdraw it, and find it no more; again it is refused."""
    path = tmp_path / "boat.png"
    picture(4711).save(path)
    added = answer(home, "add", str(path), "--artist", "Ann Example", "--title", "Red boat")
    assert (added["added"], added["artists"]) == (1, 1)
    found = answer(home, "attribute", str(path))
    assert found["copy_of"]["title"] == "Red boat"

    receipt = answer(home, "withdraw", found["copy_of"]["id"], "--reason", "asked for")

    assert receipt["completed_at"]
    assert (receipt["before"]["works"], receipt["after"]["works"]) == (13, 12)
    assert answer(home, "attribute", str(path))["copy_of"] is None
    refused = answer(home, "add", str(path), "--artist", "Ann Example", code=3)
    assert "--reinstate" in refused["items"][0]["reason"]
    back = answer(home, "add", str(path), "--artist", "Ann Example", "--reinstate")
    assert back["added"] == 1


def test_works_and_artists_are_put_right(home: Path, tmp_path: Path) -> None:
    """Correct, move, merge, rename, alias; each answers with its record, and is listed."""
    picture_of = str(tmp_path / "p" / "artist-1" / "work-0.png")
    work = answer(home, "attribute", picture_of)["copy_of"]["id"]

    made = answer(home, "correct", work, "--title", "Red boat", "--tag", "sea", "--grant", "train")
    assert made["after"] == {"title": "Red boat", "tags": ["sea"], "consent_train": True}
    assert "it was already so" in lawful(home, "correct", work, "--title", "Red boat").stdout
    assert answer(home, "correct", work, "--clear", "tags")["after"] == {"tags": []}
    assert answer(home, "move", work, "artist-2")["before"] == {"artist": "artist-1"}
    again = lawful(home, "move", work, "artist-2")
    assert (again.returncode, "already under 'artist-2'" in again.stderr) == (1, True)
    asked = lawful(home, "merge", "artist-1", "artist-2")
    assert (asked.returncode, "--yes" in asked.stderr) == (1, True)
    assert "3 works of 'artist-1' would become works of 'artist-2'" in " ".join(
        asked.stderr.split()
    )
    assert answer(home, "merge", "artist-1", "artist-2", "--yes")["works"] == 3
    answer(home, "rename", "artist-2", "Zoë", "--reason", "asked for")
    answer(home, "alias", "artist-2", "Z.")

    found = answer(home, "attribute", picture_of)["copy_of"]
    assert (found["title"], found["slug"], found["name"]) == ("Red boat", "artist-2", "Zoë")
    listed = lawful(home, "changes")
    for word in ("correct", "move", "merge", "rename", "alias"):
        assert word in listed.stdout
    assert lawful(home, "changes", "--json").stdout.count("\n") == 6


def test_changes_are_read_and_undone(home: Path, tmp_path: Path) -> None:
    """Filtered lists fit 80 columns and name who and why; split and undo answer with records."""
    picture_of = str(tmp_path / "p" / "artist-1" / "work-0.png")
    work = answer(home, "attribute", picture_of)["copy_of"]["id"]
    merged = answer(home, "merge", "artist-1", "artist-2", "--yes", "--reason", "two spellings")
    assert (merged["origin"].split(" (")[0], merged["artist"]) == ("command line", "artist-2")

    part = answer(home, "undo", merged["id"], "--work", work, "--reason", "two people")
    assert (part["artist"], part["works"], part["after"]["stayed"]) == ("artist-1", 1, 3)
    again = lawful(home, "undo", merged["id"])
    assert (again.returncode, "already" in again.stderr) == (1, True)

    shown = lawful(home, "changes", "--artist", "artist-1")
    assert max(map(len, shown.stdout.splitlines())) <= 80
    for text in ("two spellings", "two people", "by command line", f"undone by {part['id']}"):
        assert text in shown.stdout
    assert f"undoes {merged['id']}" in shown.stdout
    assert "no such change" in lawful(home, "changes", "--since", "2999-01-01").stdout
    assert lawful(home, "changes", "--since", "yesterday").returncode == 2
    assert lawful(home, "changes", "--work", work, "--json").stdout.count("\n") == 2
    unknown = lawful(home, "changes", "--artist", "nobody")
    assert (unknown.returncode, "no artist 'nobody'" in unknown.stderr) == (1, True)

    (home.parent / "ids.txt").write_text(f"{work}\n\n")
    ids = str(home.parent / "ids.txt")
    made = answer(home, "split", "artist-1", "--into", "Zoë", "--works-from", ids)
    assert (made["kind"], made["works"], made["artist_name"]) == ("split", 1, "Zoë")
    assert answer(home, "attribute", picture_of)["copy_of"]["name"] == "Zoë"
    assert answer(home, "undo", made["id"])["artist"] == "artist-1"
    assert answer(home, "attribute", picture_of)["copy_of"]["name"] == "artist-1"
    (home.parent / "ids.txt").write_text("work-0\n")
    bad = lawful(home, "split", "artist-1", "--into", "Zoë", "--works-from", ids)
    assert (bad.returncode, "line 1: 'work-0' is not the id" in bad.stderr) == (1, True)
    none = lawful(home, "split", "artist-1", "--into", "Zoë")
    assert (none.returncode, "give the id of at least one" in none.stderr) == (1, True)


def test_a_receipt_is_a_table(home: Path) -> None:
    """What was removed from where, with counts before and after."""
    said = lawful(home, "withdraw", "artist-1", "--reason", "asked for").stdout

    assert "4 works" in said
    assert "before  after" in said
    assert "kept vectors" in said


def test_reconcile_has_an_exit_code(home: Path) -> None:
    """0 when the stores agree, 4 when they differ, 0 when that was mended."""
    assert answer(home, "reconcile")["clean"] is True
    shutil.rmtree(home / "index")
    lost = lawful(home, "attribute", str(home.parent / "p" / "artist-0" / "work-0.png"))
    assert lost.returncode == 1
    assert "lawful reindex" in lost.stderr
    assert answer(home, "reconcile", code=4)["missing"] == 12
    assert answer(home, "reconcile", "--repair")["missing"] == 12
    assert answer(home, "reconcile")["clean"] is True


def test_reindex_makes_a_lost_index_anew(home: Path) -> None:
    """Every point comes back, and the same answers."""
    work = str(home.parent / "p" / "artist-2" / "work-3.png")
    before = answer(home, "attribute", work)
    shutil.rmtree(home / "index")

    assert "12 points written; 0 works" in lawful(home, "reindex").stdout

    assert answer(home, "attribute", work)["artists"] == before["artists"]
    assert "0 old collections deleted" in lawful(home, "reindex", "--drop-old").stdout


def test_jobs_are_listed_shown_cancelled_and_retried(home: Path, tmp_path: Path) -> None:
    """A cancelled job goes on where it stopped."""
    settings = Settings(home=home, profile="stub")
    picture(99).save(home.parent / "p" / "artist-0" / "new.png")
    with open_stores(settings) as stores:
        job = str(plan(stores, "p", read_source(tmp_path / "p"), staged=False))
    assert lawful(home, "jobs", "cancel", job).returncode == 0
    again = lawful(home, "jobs", "cancel", job)
    assert (again.returncode, "nothing left to cancel" in again.stderr) == (1, True)
    shown = answer(home, "jobs", "show", job)
    assert (shown["status"], shown["done"], shown["files"]) == ("cancelled", 0, 13)

    assert lawful(home, "jobs", "retry", job).returncode == 0

    jobs = answer(home, "jobs", "list")["jobs"]
    assert [(one["status"], one["done"]) for one in jobs] == [("done", 13), ("done", 12)]
    assert answer(home, "jobs", "list", "--failed")["jobs"] == []


def test_a_manifest_that_breaks_midway_makes_no_job(home: Path, tmp_path: Path) -> None:
    """It is read to its end before anything is registered."""
    with open_stores(Settings(home=home, profile="stub")) as stores, stores.sessions() as session:
        before = [job.id for job in queries.list_jobs(session, limit=10).items]
    manifest = tmp_path / "p" / "m.jsonl"
    manifest.write_text('{"path": "artist-0/work-0.png", "artist": "a"}\n{nonsense\n')

    done = lawful(home, "ingest", str(manifest))

    assert done.returncode == 1
    assert "m.jsonl, line 2: not JSON" in " ".join(done.stderr.split())
    with open_stores(Settings(home=home, profile="stub")) as stores, stores.sessions() as session:
        assert [job.id for job in queries.list_jobs(session, limit=10).items] == before


def test_migrate_says_from_where_to_where(tmp_path: Path) -> None:
    """An empty database gets the tables; again there is nothing to do."""
    first, second = (lawful(tmp_path / "new", "migrate").stdout for _ in range(2))

    assert "empty →" in first
    assert "empty" not in second


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_workers_need_a_broker(tmp_path: Path, command: str) -> None:
    """Without one, jobs run where they are taken, and no worker is needed."""
    done = lawful(tmp_path / "new", command)

    assert done.returncode == 1
    assert "LAWFUL_BROKER_URL is empty" in " ".join(done.stderr.split())
