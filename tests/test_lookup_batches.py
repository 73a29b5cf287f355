"""Many images looked up as a durable job: over HTTP, interrupted, cancelled, from URLs."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from redis import Redis
from sqlalchemy import select

from api.http.app import create_app
from attribution.actors import ROLES, Actor, Role, acting
from attribution.catalogue import queries
from attribution.catalogue.database import Database
from attribution.catalogue.models import (
    DEATHS_ALONE,
    Artwork,
    AuditEntry,
    LookupKind,
    Task,
    TaskKind,
)
from attribution.catalogue.queries import TaskKey
from attribution.collection import open_stores
from attribution.config import Settings
from attribution.errors import (
    BackendUnavailable,
    Conflict,
    ScopeMissing,
    ShortOfMemory,
    TooMany,
)
from attribution.files import Store
from attribution.lookup.batches import findings_of
from attribution.services import Services, open_services
from attribution.upkeep.withdrawal import withdraw
from ingest.lookups import accept, accept_works, cancel, retry
from ingest.work.jobs import BrokerQueue, job_queue
from tests.apis import archive, is_problem, local_client, png, settings
from tests.contract import watched
from tests.lookups import answers, begin, lines, run, status
from tests.portfolios import ingest, portfolio, wait_until


@pytest.fixture
def services(ingested: Settings) -> Iterator[Services]:
    """Open a collection of three artists, without the threads of a queue."""
    with open_services(settings(ingested.home)) as opened:
        yield opened


@pytest.fixture
def client(ingested: Settings) -> Iterator[TestClient]:
    """Open an application over such a collection; its answers keep to its description."""
    with local_client(create_app(settings(ingested.home))) as opened:
        yield watched(opened)


def registered(folder: Path) -> list[bytes]:
    """Return the files of the collection's works."""
    return [path.read_bytes() for path in sorted((folder / "p").rglob("*.png"))]


def test_an_archive_over_http(client: TestClient, tmp_path: Path) -> None:
    """202 and a batch; then a line per image, and what they say together."""
    work, *_ = registered(tmp_path)
    sent = archive(
        {
            "a/new.png": png(901),
            "a/work.png": work,
            "again.png": work,
            "notes.txt": b"no picture",
            ".DS_Store": b"x",
        }
    )
    response = client.post("/v1/lookup-batches", files={"file": ("night.zip", sent)})
    assert response.status_code == 202, response.text
    where = response.headers["location"]
    wait_until(lambda: client.get(where).json()["status"] == "done")
    done = client.get(where).json()
    assert (done["kind"], done["name"], done["error"]) == ("archive", "night.zip", None)
    assert done["outcomes"] == {"pending": 0, "answered": 3, "refused": 1, "timed_out": 0}

    items = client.get(f"{where}/items").json()["items"]
    assert [one["name"] for one in items] == ["a/new.png", "a/work.png", "again.png", "notes.txt"]
    said = [one["answer"] and one["answer"]["verdict"] == "copy" for one in items]
    assert said == [False, True, True, None]
    (refused,) = client.get(f"{where}/items?outcome=refused").json()["items"]
    assert "not an image" in refused["reason"]
    answer = client.get(f"/v1/attributions/{items[1]['answer']['id']}").json()

    found = client.get(f"{where}/findings").json()
    assert found["pending"] == 0
    assert found["findings"]["copies"] == [answer["id"]]
    assert (found["findings"]["images"], found["findings"]["repeated"]) == (2, 1)
    assert found["findings"]["unreadable"] == ["notes.txt"]
    assert found["findings"]["summary"].startswith("1 of 2 images show registered works")
    assert [one["id"] for one in found["works"]] == [answer["copy_of"]["id"]]
    assert found["works"][0]["copies"] == 1
    assert found["artists"][0]["slug"] == answer["copy_of"]["slug"]

    table = client.get(f"{where}/items?limit=2", headers={"accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(table.text.lstrip("\ufeff"))))
    assert [row["name"] for row in rows] == ["a/new.png", "a/work.png"]
    assert "cursor=" in table.headers["link"]
    (listed,) = client.get("/v1/lookup-batches").json()["items"]
    assert listed["id"] == done["id"]
    is_problem(client.post(f"{where}/cancel"), 409, "conflict")
    is_problem(client.post(f"{where}/retry"), 409, "conflict")


def test_works_over_http(client: TestClient) -> None:
    """By id; what is none, or not registered, is refused by itself."""
    first, second = (one["id"] for one in client.get("/v1/artworks?limit=2").json()["items"])
    asked = {"works": [first, str(UUID(int=7)), "7", second]}
    response = client.post("/v1/lookup-batches/works", json=asked)
    where = response.headers["location"]
    wait_until(lambda: client.get(where).json()["status"] == "done")

    items = client.get(f"{where}/items").json()["items"]
    assert [one["outcome"] for one in items] == ["answered", "refused", "refused", "answered"]
    assert items[1]["reason"].endswith("never registered, or withdrawn")
    assert items[2]["reason"] == "'7' is not the id of a work"
    is_problem(client.post("/v1/lookup-batches/works", json={"works": []}), 422, "invalid-request")


def test_unknown_ones_are_not_found(client: TestClient) -> None:
    """An id that nobody has."""
    where = f"/v1/lookup-batches/{UUID(int=1)}"
    for path in (where, f"{where}/items", f"{where}/findings"):
        is_problem(client.get(path), 404, "not-found")
    for path in (f"{where}/cancel", f"{where}/retry"):
        is_problem(client.post(path), 404, "not-found")


def test_it_goes_on_behind_the_last_outcome(services: Services) -> None:
    """A process that stops leaves the rest to the next; nothing is asked twice."""
    sent = archive({f"{n}.png": png(n) for n in range(4)})
    batch_id = begin(services, sent, "a.zip")
    run(services, batch_id, stopping=lambda: answers(services) == 2)
    halfway = lines(services, batch_id)
    assert [one.outcome for one in halfway] == ["answered"] * 2 + ["pending"] * 2
    assert status(services, batch_id) == "queued"

    with job_queue(services):
        wait_until(lambda: status(services, batch_id) == "done")
    done = lines(services, batch_id)
    assert [one.attribution_id for one in done[:2]] == [one.attribution_id for one in halfway[:2]]
    assert answers(services) == 4
    run(services, batch_id)
    assert answers(services) == 4
    assert services.store.jobs_with_incoming() == []


KILLED = """
import sys
from pathlib import Path
from attribution.services import open_services
from tests.apis import archive, png, settings
from tests.lookups import begin, run
with open_services(settings(Path(sys.argv[1]))) as services:
    batch_id = begin(services, archive({f"{n}.png": png(n) for n in range(5)}), "a.zip")
    print(batch_id, flush=True)
    run(services, batch_id, stopping=lambda: print("one", flush=True))
"""


def test_a_killed_process_answers_nothing_twice(ingested: Settings) -> None:
    """Killed with −9 between two images: the next process looks up what has no answer."""
    command = [sys.executable, "-c", KILLED, str(ingested.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        batch_id = UUID(child.stdout.readline().strip())
        assert [child.stdout.readline() for _ in range(2)] == ["one\n"] * 2
        os.kill(child.pid, signal.SIGKILL)
        child.stdout.read()

    with open_services(settings(ingested.home)) as services, job_queue(services):
        wait_until(lambda: status(services, batch_id) == "done")
        found = lines(services, batch_id)
        assert len({one.attribution_id for one in found}) == answers(services) == 5
        assert {one.outcome for one in found} == {"answered"}


def test_what_gets_an_outcome_meanwhile_is_not_recorded(services: Services) -> None:
    """Another worker was faster: its outcome stays, and there is no answer that nobody sees."""

    class Slow(Store):
        def incoming(self, job_id: UUID, name: str) -> bytes:
            with services.sessions.begin() as session:
                (item,) = queries.pending_lookups(session, job_id, first=0, stop=1)
                queries.note_refusal(session, item, "by another")
            return super().incoming(job_id, name)

    batch_id = begin(services, archive({"a.png": png(1)}), "a.zip")
    run(replace(services, store=Slow(services.settings.storage_url)), batch_id)

    assert [one.reason for one in lines(services, batch_id)] == ["by another"]
    assert (answers(services), status(services, batch_id)) == (0, "done")


def test_records_name_whoever_sent_the_batch(services: Services) -> None:
    """Each answer and each image has its entry, as one that is asked for alone, whoever did it."""
    with acting(Actor("key lk_1a2b3c4d (rights desk)")):
        batch_id = begin(services, archive({f"{n}.png": png(n) for n in range(2)}), "a.zip")
    run(services, batch_id)

    asked = [
        (action, f"{kind}:{one.attribution_id}")
        for one in lines(services, batch_id)
        for action, kind in (("lookup", "attribution"), ("obtain", "subject-use"))
    ]
    with services.sessions() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)).all()[-5:]
    said = [(one.action, one.object) for one in entries]
    assert said == [("lookup-batch", f"lookup-batch:{batch_id}"), *asked]
    assert {one.actor for one in entries} == {"key lk_1a2b3c4d (rights desk)"}


def test_batches_that_wait_have_a_limit(services: Services) -> None:
    """Who sends more is told to come again; what is cancelled makes room."""
    few = services.settings.model_copy(update={"most_lookup_batches": 1})
    limited = replace(services, settings=few)
    waiting = accept_works(limited, [str(UUID(int=1))])

    with pytest.raises(TooMany, match="1 lookup batches wait already"):
        accept(limited, io.BytesIO(archive({"a.png": png(1)})), "a.zip")
    cancel(services, waiting)
    accept_works(limited, [str(UUID(int=1))])


def test_an_upload_whose_process_died_has_failed(services: Services) -> None:
    """Nobody goes on with what was not stored whole."""
    with services.sessions.begin() as session:
        batch_id = queries.add_lookup_batch(session, LookupKind.ARCHIVE, "a.zip").id
    with job_queue(services):
        assert status(services, batch_id) == "failed"


def test_cancelled_and_retried(services: Services) -> None:
    """Answers stay; what was left is asked when it goes on."""
    batch_id = begin(services, archive({f"{n}.png": png(n) for n in range(3)}), "a.zip")
    run(services, batch_id, stopping=lambda: True)
    cancel(services, batch_id)
    run(services, batch_id)
    assert (status(services, batch_id), answers(services)) == ("cancelled", 1)

    retry(services, batch_id)
    run(services, batch_id)
    assert (status(services, batch_id), answers(services)) == ("done", 3)
    for change in (cancel, retry):
        with pytest.raises(Conflict, match="is done"):
            change(services, batch_id)


def test_batches_of_others_are_the_operators(services: Services) -> None:
    """A reader cancels and resumes their own; an operator anybody's."""
    desk, other = (Actor(name, ROLES[Role.READER]) for name in ("key desk", "key other"))
    with acting(desk):
        batch_id = accept_works(services, [str(UUID(int=1))])
    for change in (cancel, retry):
        with acting(other), pytest.raises(ScopeMissing, match="key other may not do this"):
            change(services, batch_id)
    with acting(desk):
        cancel(services, batch_id)
    with acting(Actor("key operator", ROLES[Role.OPERATOR])):
        retry(services, batch_id)
    assert status(services, batch_id) == "queued"


def test_many_are_cut_into_tasks(services: Services) -> None:
    """Of 32 images each; the batch is done when all are."""
    batch_id = accept_works(services, [str(UUID(int=n)) for n in range(33)])
    run(services, batch_id, 1)
    assert status(services, batch_id) == "queued"
    run(services, batch_id, 2)

    assert status(services, batch_id) == "done"
    assert {one.outcome for one in lines(services, batch_id)} == {"refused"}


def test_an_image_that_ends_processes_is_refused(services: Services) -> None:
    """The one that was alone in hand when its processes ended; the others are answered."""
    batch_id = begin(services, archive({f"{n}.png": png(n) for n in range(3)}), "a.zip")
    with services.sessions.begin() as session:
        task = session.get_one(Task, (batch_id, TaskKind.LOOKUP, 1))
        task.begun, task.alone, task.deaths = 2, 1, DEATHS_ALONE
    run(services, batch_id)

    assert [one.outcome for one in lines(services, batch_id)] == ["answered", "refused", "answered"]
    assert "ended two processes" in (lines(services, batch_id)[1].reason or "")


def test_an_outage_is_nobodys_fault(services: Services) -> None:
    """A store that is away gives the task back, and refuses no image."""

    class Away(Store):
        def incoming(self, job_id: UUID, name: str) -> bytes:
            raise BackendUnavailable(f"{job_id} {name}: the store is away")

    batch_id = begin(services, archive({"a.png": png(1)}), "a.zip")
    away = replace(services, store=Away(services.settings.storage_url))
    with pytest.raises(BackendUnavailable):
        run(away, batch_id)
    assert status(services, batch_id) == "queued"
    run(services, batch_id)
    assert [one.outcome for one in lines(services, batch_id)] == ["answered"]


def test_a_card_that_is_full_ends_no_batch(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task is tried again a few times, and refuses no image."""

    def fail(*_: object, **_options: object) -> None:
        raise ShortOfMemory("the model ran out of memory on cuda for one image")

    batch_id = begin(services, archive({"a.png": png(1)}), "a.zip")
    with monkeypatch.context() as full:
        full.setattr(services.attributor, "attribute", fail)
        with pytest.raises(ShortOfMemory):
            run(services, batch_id)
    assert status(services, batch_id) == "queued"
    run(services, batch_id)
    assert [one.outcome for one in lines(services, batch_id)] == ["answered"]


def test_on_each_database(database_url: str, database: Database, tmp_path: Path) -> None:
    """Listed, looked up by two workers, found, wiped: the same statements on every engine."""
    database.dispose()
    at_home = settings(tmp_path / "home", database_url=database_url)
    with open_services(at_home) as services:
        ingest(services, portfolio(tmp_path / "p"))
        works = registered(tmp_path)
        sent = {f"artist-1/{n}.png": data for n, data in enumerate([*works, *works, *works])}
        batch_id = begin(services, archive(sent), "a.zip")
        with ThreadPoolExecutor() as workers:
            list(workers.map(lambda number: run(services, batch_id, number), [1, 1, 2, 2]))
        assert status(services, batch_id) == "done"
        assert answers(services) == 36

        with services.sessions() as session:
            found = findings_of(session, batch_id)
        assert (len(found.findings.copies), found.findings.repeated) == (12, 24)
        assert {(one.slug, one.copies) for one in found.union.artists} == {
            (f"artist-{n}", 4) for n in range(3)
        }
        receipt = withdraw(services, "artist-1", reason="asked for").receipt
        assert receipt["removed"]["lookup batches"] == 36
        assert {one.name for one in lines(services, batch_id)} == {"withdrawn"}
        with services.sessions() as session:
            first, *_ = findings_of(session, batch_id).union.works
        assert first.copies == 1


def test_a_withdrawal_leaves_only_ids(services: Services) -> None:
    """A batch has nothing of the catalogue but ids; its answers are wiped as all are."""
    with services.sessions() as session:
        work = session.scalars(select(Artwork.id).limit(1)).one()
    batch_id = accept_works(services, [str(work)])
    run(services, batch_id)
    withdraw(services, str(work), reason="asked for")

    (item,) = lines(services, batch_id)
    assert (item.name, item.reason, item.fetched) == (str(work), None, {})
    answer = services.attributor.recall(item.attribution_id or UUID(int=0))
    assert answer.copy_of is not None
    assert answer.copy_of.title is None


def test_a_withdrawal_wipes_the_name_of_the_artist(services: Services) -> None:
    """From paths and addresses, of batches too; what waits under it is refused, others stay."""
    sent = {"Artist 1/a.png": png(1), "b.png": png(2), "c/artist-1_x.png": png(3)}
    batch_id = begin(services, archive(sent), "Artist 1.zip")
    run(services, batch_id, stopping=lambda: True)
    before = lines(services, batch_id)
    urls = begin(services, b"url\nhttp://a.example/Artist%201/x\n", "b.csv")

    receipt = withdraw(services, "artist-1", reason="asked for").receipt
    run(services, batch_id)

    after = lines(services, batch_id)
    assert [(one.name, one.outcome) for one in after] == [
        ("withdrawn", "answered"),
        ("b.png", "answered"),
        ("withdrawn", "refused"),
    ]
    assert after[0].attribution_id == before[0].attribution_id
    assert after[2].reason == "it names an artist who has withdrawn"
    assert [one.name for one in lines(services, urls)] == ["withdrawn"]
    with services.sessions() as session:
        assert queries.lookup_batch_by_id(session, batch_id).name == "withdrawn"
    assert receipt["removed"]["lookup batches"] == 4
    assert receipt["left"]["lookup batches"] == 0


def test_what_images_say_together(services: Services, tmp_path: Path) -> None:
    """Works and artists over all images, each file once, the most often found first."""
    one, two, *_ = registered(tmp_path)
    batch_id = begin(services, archive({"a.png": two, "b.png": one, "c.png": two}), "a.zip")
    run(services, batch_id)
    with services.sessions() as session:
        found = findings_of(session, batch_id)
    union = found.union

    assert {(work.copies, work.related) for work in union.works} == {(1, 0)}
    assert len(union.works) == 2
    assert [(artist.copies, artist.style) for artist in union.artists] == [(2, 0)]
    assert [found.names[one] for one in found.findings.copies] == ["a.png", "b.png"]
    assert (found.findings.repeated, found.pending) == (1, 0)


def test_a_batch_has_its_queue(tmp_path: Path, redis_url: str) -> None:
    """With a broker an id goes to `lookup`; what could not be sent is swept up."""
    with (
        Redis.from_url(redis_url) as broker,
        open_stores(settings(tmp_path / "home", broker_url=redis_url)) as stores,
    ):
        broker.flushall()
        BrokerQueue(stores).look_up(sent := accept_works(stores, [str(UUID(int=1))]))
        (message,) = broker.lrange("lookup", 0, -1)
        assert json.loads(message)["headers"]["argsrepr"] == f"('{sent}', 1)"
        unsent = accept_works(stores, [str(UUID(int=1))])
        with stores.sessions.begin() as session:
            assert queries.sweep(session) == [TaskKey(TaskKind.LOOKUP, unsent, 1)]
