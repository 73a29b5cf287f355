"""Messages: which queue they go to, what is in them, what a lost broker leaves behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from kombu import Consumer, Message
from redis import Redis

from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.queries import leases, tasks
from attribution.catalogue.queries.batches import FILES_PER_BATCH
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from ingest.listing import plan
from ingest.sources import read_source
from ingest.uploads import Described, accept
from ingest.work import dispatch
from ingest.work.application import QUEUES, make_app
from ingest.work.dispatch import send
from ingest.work.jobs import BrokerQueue
from ingest.work.tasks import COUNT, RECONCILE, SWEEP, register
from ingest.work.worker import Lazily
from tests.portfolios import batch_key, portfolio


@pytest.fixture
def broker(redis_url: str) -> Iterator[Redis]:
    """Give an empty broker."""
    with Redis.from_url(redis_url) as client:
        client.flushall()
        yield client


@pytest.fixture
def stores(tmp_path: Path, redis_url: str) -> Iterator[Stores]:
    """Open a catalogue whose jobs go to the broker."""
    with open_stores(Settings(home=tmp_path / "home", broker_url=redis_url)) as opened:
        yield opened


@pytest.fixture
def pass_minutes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Give a clock that goes on when it is told to."""
    moments = [now()]

    def moment() -> datetime:
        return moments[-1]

    monkeypatch.setattr(leases, "now", moment)
    monkeypatch.setattr(tasks, "now", moment)
    return lambda minutes: moments.append(moments[-1] + timedelta(minutes=minutes))


def sweep(stores: Stores) -> None:
    """Do what the beat has a worker do every ten seconds."""
    with stores.sessions.begin() as session:
        keys = queries.sweep(session)
    send(make_app(stores.settings), stores.sessions, keys)


def a_load(stores: Stores, batches: int) -> UUID:
    """List a job of many batches, and send what is sent at once."""
    with stores.sessions.begin() as session:
        job = queries.create_job(session, source="p").id
        queries.add_batches(session, job, batches * FILES_PER_BATCH)
    BrokerQueue(stores).submit(job)
    return job


def given_out(stores: Stores) -> list[tuple[str, int]]:
    """Take the messages as a worker of all queues does, until none is left."""
    app = make_app(stores.settings)
    taken: list[tuple[str, int]] = []

    def take(body: Any, message: Message) -> None:
        taken.append((body[0][0], body[0][1]))
        message.ack()

    with app.connection_for_read() as connection:
        own = [app.amqp.queues[name] for name in QUEUES]
        consumer = Consumer(connection, own, callbacks=[take], prefetch_count=1)
        with consumer, suppress(TimeoutError):
            while True:
                connection.drain_events(timeout=1)
    return taken


def waiting(broker: Redis) -> dict[str, list[Any]]:
    """Return the arguments of the messages in every queue."""
    found: dict[str, list[Any]] = {}
    for queue in QUEUES:
        messages = [json.loads(one) for one in broker.lrange(queue, 0, -1)]
        found[queue] = [json.loads(_decoded(one["body"]))[0] for one in messages]
    return found


def _decoded(body: str) -> bytes:
    import base64

    return base64.b64decode(body)


def test_every_kind_has_its_queue(stores: Stores, broker: Redis, tmp_path: Path) -> None:
    """A batch goes to `encode`, a listing to `ingest`, maintenance to its own; each once."""
    queue = BrokerQueue(stores)
    job = plan(stores, "p", read_source(portfolio(tmp_path / "p")), staged=queue.staged)
    queue.submit(job)
    with (tmp_path / "p" / "artist-0" / "work-0.png").open("rb") as file:
        upload = accept(stores, file, "a.png", Described(artist="Ann"))
    queue.submit(upload)
    app = make_app(stores.settings)
    app.send_task(SWEEP)
    app.send_task(RECONCILE)

    assert waiting(broker) == {
        "ingest": [[str(upload), 0]],
        "encode": [[str(job), 1]],
        "lookup": [],
        "generate": [],
        "maintenance": [[]],
        "upkeep": [[]],
    }


def test_what_the_beat_sends_is_registered_and_has_a_queue(stores: Stores) -> None:
    """What compares the stores has a queue of its own; what reads everything, a limit of its own.

    A message that is acknowledged behind its task comes back before that limit is over.
    """
    settings = stores.settings
    app = make_app(settings)
    register(app, Lazily(settings), stopping=lambda: False, submit=lambda _: None)
    sent = {entry["task"]: entry["options"]["expires"] for entry in app.conf.beat_schedule.values()}

    assert sent.keys() <= app.tasks.keys()
    assert {name.partition(".")[0] for name in sent} == {"maintenance", "upkeep"} < set(QUEUES)
    for name in sent:
        limit_s = app.tasks[name].time_limit or app.conf.task_time_limit
        returns_s = app.conf.broker_transport_options["visibility_timeout"]
        assert limit_s < returns_s or not app.tasks[name].acks_late, name
    assert app.tasks[COUNT].time_limit > app.conf.task_time_limit


def test_bytes_wait_in_the_store(stores: Stores, broker: Redis, tmp_path: Path) -> None:
    """A message has an id; the file is where any worker finds it."""
    job = plan(stores, "p", read_source(portfolio(tmp_path / "p")), staged=True)
    BrokerQueue(stores).submit(job)

    with stores.sessions() as session:
        items = list(queries.all_items(session, job))
    assert len(items) == 12
    for item in items:
        assert item.sha256
        assert stores.store.incoming(job, item.sha256) == Path(item.path).read_bytes()
    (message,) = broker.lrange("encode", 0, -1)
    assert len(message) < 5_000


def test_a_broker_that_is_away_loses_nothing(
    stores: Stores, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be sent stays unsent in SQL, and the sweep finds it."""
    job = plan(stores, "p", read_source(portfolio(tmp_path / "p")), staged=True)
    app = make_app(stores.settings.model_copy(update={"broker_url": "redis://127.0.0.1:1/0"}))

    send(app, stores.sessions, [batch_key(job)])

    assert "1 tasks wait" in caplog.text
    with stores.sessions.begin() as session:
        assert queries.sweep(session) == [batch_key(job)]


@pytest.mark.usefixtures("broker")
def test_an_hour_without_a_worker(
    stores: Stores,
    pass_minutes: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waits for a worker does not fill the broker, and is sent as soon as one makes room."""
    monkeypatch.setattr(dispatch, "MOST_MESSAGES", 20)
    job = a_load(stores, 50)
    for _ in range(60):
        pass_minutes(1)
        sweep(stores)
    numbers = [number for _, number in given_out(stores)]
    assert 20 <= len(numbers) <= 40
    assert numbers[-12:] == list(range(9, 21))

    sweep(stores)
    assert (str(job), 21) in given_out(stores)


@pytest.mark.usefixtures("broker")
def test_bulk_comes_last(stores: Stores) -> None:
    """An upload waits for the first batches of what came before it, not for all of a large load."""
    load, upload = a_load(stores, 30), a_load(stores, 1)

    given = given_out(stores)

    first = [(str(load), number) for number in range(1, 9)]
    rest = [(str(load), number) for number in range(9, 31)]
    assert given == [*first, (str(upload), 1), *rest]


@pytest.mark.usefixtures("broker")
def test_bulk_leaves_room(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes while a large load fills its part of the queue is sent at once."""
    monkeypatch.setattr(dispatch, "MOST_MESSAGES", 10)
    a_load(stores, 30)
    upload = a_load(stores, 1)

    assert (str(upload), 1) in given_out(stores)


def test_a_worker_keeps_what_it_has_not_done(redis_url: str) -> None:
    """Acknowledged late, one at a time, JSON alone, ended after a time; given back only then."""
    settings = Settings(broker_url=redis_url, batch_time_limit_s=600)
    conf = make_app(settings).conf

    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert (conf.worker_prefetch_multiplier, conf.accept_content) == (1, ["json"])
    assert conf.task_time_limit == 600
    assert conf.broker_transport_options == {
        "visibility_timeout": 660,
        "priority_steps": [0, 9],
    }
