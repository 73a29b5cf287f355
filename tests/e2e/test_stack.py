"""The test that counts: bulk ingest over real servers, while everything that can happen happens.

API, two workers, beat, PostgreSQL, Redis and one engine of vectors, each a process of its own,
started with the commands of a deployment.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.servers.stack import Stack
from attribution.catalogue import queries
from attribution.catalogue.database import connect
from attribution.collection import open_collection, open_stores
from attribution.config import Settings
from attribution.upkeep.reconcile import reconcile
from tests.portfolios import wait_until

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "openclipart"
KILLS = 5
LEASE_S = "5"  # a dead worker is noticed soon


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Start everything once for this file."""
    settings = {"LAWFUL_PROFILE": "stub", "LAWFUL_JOB_LEASE_S": LEASE_S, "LAWFUL_BATCH_SIZE": "8"}
    with Stack(tmp_path_factory.mktemp("stack"), workers=2, settings=settings) as started:
        yield started


def lawful(stack: Stack, *words: str) -> subprocess.Popen[str]:
    """Start a command that uses the stack."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "api.cli", *words],
        env=os.environ | stack.settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def answer(process: subprocess.Popen[str], *, code: int | None = 0) -> Any:
    """Return what a command answered with --json."""
    out, err = process.communicate(timeout=600)
    assert out, err
    assert code in {None, process.returncode}, err
    return json.loads(out)


def settings_of(stack: Stack) -> Settings:
    """Return the stack's settings as a process of it reads them."""
    with pytest.MonkeyPatch.context() as environment:
        for name, value in stack.settings.items():
            environment.setenv(name, value)
        return Settings()


@pytest.fixture
def portfolio(tmp_path: Path) -> Path:
    """Give every third artist of the real portfolio, or the bundled example where there is none.

    That is enough to outlast everything that happens, and no more than that.
    """
    if not REAL.is_dir():
        return ROOT / "examples" / "portfolio"
    folder = tmp_path / "portfolio"
    artists = sorted(path.name for path in REAL.iterdir() if path.is_dir())[::3]
    for artist in artists:
        shutil.copytree(REAL / artist, folder / artist)
    rows = (REAL / "metadata.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "metadata.jsonl").write_text(
        "".join(row for row in rows if json.loads(row)["file_name"].split("/")[0] in artists),
        encoding="utf-8",
    )
    return folder


def files_done(stack: Stack) -> int:
    """Count the files that have an outcome."""
    with open_stores(settings_of(stack)) as stores, stores.sessions() as session:
        jobs = queries.list_jobs(session, limit=10).items
        return sum(queries.job_progress(session, job.id)[0] for job in jobs)


def points_and_rows(stack: Stack) -> tuple[int, int]:
    """Count the points of the index and the works of the catalogue."""
    with open_stores(settings_of(stack)) as stores, open_collection(stores) as collection:
        report = reconcile(collection, repair=False)
        assert report.is_clean, report
        return report.points, report.works


def test_bulk_ingest_survives_everything(stack: Stack, portfolio: Path) -> None:
    """Workers killed, Redis and PostgreSQL restarted, the same folder sent twice: nothing is lost.

    At the end every file has exactly one outcome, every good one a row and a point, none is there
    twice, and the two stores agree.
    """
    dice = random.Random(7)  # noqa: S311  when to break what
    first = lawful(stack, "ingest", str(portfolio), "--json")
    second = lawful(stack, "ingest", str(portfolio), "--json")
    wait_until(lambda: files_done(stack) > 0)
    for kill in range(KILLS):
        worker = stack[f"worker-{dice.choice((1, 2))}"]
        worker.kill()
        if kill == 1:
            stack["redis"].stop()
            time.sleep(2)
            stack["redis"].start()
        if kill == 3:
            stack["postgres"].stop()
            time.sleep(2)
            stack["postgres"].start()
        worker.start()
        time.sleep(dice.uniform(0.5, 3))

    one, two = answer(first, code=None), answer(second, code=None)

    files = Counter(item["path"] for item in one["items"])
    assert set(files.values()) == {1}
    for summary in (one, two):
        outcomes = Counter(item["outcome"] for item in summary["items"])
        assert outcomes["pending"] == 0
        assert outcomes.total() == len(files)
    assert one["refused"] == two["refused"]
    points, rows = points_and_rows(stack)
    items = one["items"] + two["items"]
    blank = sum(item["outcome"] == "added" and item["blank"] for item in items)
    assert points == rows == one["added"] + two["added"] - blank
    good = {item["path"] for item in one["items"] if item["outcome"] != "refused"}
    assert rows <= len(good)
    again = answer(lawful(stack, "ingest", str(portfolio), "--json"), code=None)
    assert again["added"] == 0
    assert again["known"] + again["repeated"] == len(good)


def test_a_work_is_added_and_withdrawn_over_http(stack: Stack, tmp_path: Path) -> None:
    """Found within seconds after it was sent, gone at once after it was withdrawn."""
    from tests.portfolios import picture

    path = tmp_path / "new.png"
    picture(4242).save(path)
    with httpx.Client(base_url=stack["api"].url, timeout=60) as client, path.open("rb") as file:
        sent = client.post(
            "/v1/artworks", files={"file": file}, data={"artist": "Ann Example", "title": "New"}
        )
        assert sent.status_code == 202, sent.text
        job = sent.headers["location"]
        wait_until(lambda: client.get(job).json()["status"] == "done", timeout_s=60)
        asked = {"files": {"image": path.read_bytes()}}
        assert client.post("/v1/attributions", **asked).json()["copy_of"]["id"] == sent.json()["id"]  # type: ignore[arg-type]
        gone = client.post("/v1/withdrawals", json={"what": "ann-example", "reason": "test"})
        assert not any(gone.json()["receipt"]["left"].values())
        assert client.post("/v1/attributions", **asked).json()["copy_of"] is None  # type: ignore[arg-type]


def test_readyz_says_what_is_down(stack: Stack) -> None:
    """Each part by name, with the way out; ready again when it is back."""
    with httpx.Client(base_url=stack["api"].url, timeout=60) as client:
        for name, part in (("redis", "jobs"), ("postgres", "database"), ("index", "index")):
            stack[name].stop()
            down = client.get("/readyz")
            assert down.status_code == 503
            assert "LAWFUL_" in down.json()["checks"][part], down.json()
            stack[name].start()
            wait_until(lambda: client.get("/readyz").status_code == 200, timeout_s=30)


def test_what_is_accepted_while_the_broker_is_away_is_done_later(
    stack: Stack, tmp_path: Path
) -> None:
    """An upload is in SQL before a message is sent; the sweep sends what could not be sent."""
    from tests.portfolios import picture

    path = tmp_path / "patient.png"
    picture(777).save(path)
    with httpx.Client(base_url=stack["api"].url, timeout=60) as client, path.open("rb") as file:
        stack["redis"].stop()
        sent = client.post("/v1/ingest-jobs", files={"file": file}, data={"artist": "Bob"})
        assert sent.status_code == 202, sent.text
        stack["redis"].start()
        job = sent.headers["location"]
        wait_until(lambda: client.get(job).json()["status"] == "done", timeout_s=90)


def test_a_poison_message_is_dropped(stack: Stack) -> None:
    """A message that names no batch, or nonsense, ends a task and no worker."""
    from ingest.work.application import make_app
    from ingest.work.dispatch import RUN_BATCH

    app = make_app(settings_of(stack))
    app.send_task(RUN_BATCH, ("no uuid", 1))
    app.send_task(RUN_BATCH, ("00000000-0000-0000-0000-000000000000", 7))
    app.send_task("encode.unknown", ())
    time.sleep(3)

    assert all(stack[f"worker-{number}"].is_running for number in (1, 2))


def test_an_unmigrated_database_is_refused(stack: Stack) -> None:
    """A server's database is upgraded by `lawful migrate` alone; the error says so."""
    database = connect(stack.settings["LAWFUL_DATABASE_URL"])
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("CREATE DATABASE unmigrated")
    database.dispose()
    url = stack.settings["LAWFUL_DATABASE_URL"].rpartition("/")[0] + "/unmigrated"
    process = subprocess.run(
        [sys.executable, "-P", "-m", "api.cli", "info"],
        env=os.environ | stack.settings | {"LAWFUL_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 1
    assert "lawful migrate" in " ".join(process.stderr.split())
