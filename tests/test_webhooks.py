"""What happens is told: signed, to whom asked for it, again and again until it has arrived."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import httpcore
import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from api.cli import app as commands
from api.http.app import create_app
from attribution import tenants
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.models import Delivery, JobStatus, Webhook
from attribution.config import Settings
from attribution.errors import BadInput, Conflict
from attribution.events import After, DeliveryStatus, Event
from attribution.images import read_image
from attribution.network import Address, CheckedNetwork
from attribution.services import Services
from attribution.upkeep import webhooks
from attribution.upkeep.deliveries import PAUSES, Sender, body_of, deliver, forget_old, signed
from attribution.upkeep.tenants import create
from attribution.upkeep.webhooks import MOST_WEBHOOKS, NewWebhook
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, local_client, png, settings, upload
from tests.portfolios import ingest, portfolio, wait_until

HERE = "127.0.0.1"
SENDER = Sender(frozenset({HERE}), at_most_s=5)
PUBLIC = "https://rights.example.org/lawful"


@dataclass
class Receiver:
    """A server that takes events, and answers what it is told to."""

    url: str = ""
    status: int = 204
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    meanwhile: Callable[[], object] = lambda: None  # done before it answers

    @property
    def events(self) -> list[dict[str, Any]]:
        """Return what was told, in order."""
        return [json.loads(body) for _, body in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Run one on loopback."""
    with receiving() as one:
        yield one


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Run a receiver on loopback."""
    receiver = Receiver()

    class Takes(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): said for name, said in self.headers.items()}
            receiver.got.append((headers, self.rfile.read(int(headers["content-length"]))))
            receiver.meanwhile()
            self.send_response(receiver.status)
            self.send_header("location", "http://169.254.169.254/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer((HERE, 0), Takes) as server:
        receiver.url = f"http://{HERE}:{server.server_port}/hook"
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def told(services: Services, receiver: Receiver) -> Webhook:
    """Have the receiver told everything about three artists with four works each."""
    return made(services, receiver.url, after=After.FOUND)


def made(services: Services, url: str, **values: Any) -> Webhook:
    """Make a webhook where plain HTTP to this machine is allowed."""
    chosen = services.settings.model_copy(update={"webhook_hosts": [HERE]})
    object.__setattr__(services, "settings", chosen)
    return webhooks.create(services, NewWebhook(url, **values))


def only(services: Services) -> Delivery:
    """Return the one delivery that there is."""
    with services.sessions() as session:
        (row,) = queries.list_deliveries(session).items
    return row


def make_due(services: Services) -> None:
    """Have all that waits be due now."""
    with services.sessions.begin() as session:
        session.execute(update(Delivery).values(due_at=now() - timedelta(seconds=1)))


# ---- what is told --------------------------------------------------------------------------------


def test_a_copy_a_job_and_a_withdrawal_are_told(
    services: Services, told: Webhook, receiver: Receiver, tmp_path: Path
) -> None:
    """By ids alone, with nothing in them that would have to be forgotten."""
    del told
    ingest(services, portfolio(tmp_path / "q", artists=4))
    with services.sessions() as session:
        job = queries.list_jobs(session).items[0].id
    work = next((tmp_path / "p" / "artist-0").glob("*.png"))
    answer = services.attributor.attribute(read_image(work.read_bytes(), services.limits))
    receipt = withdraw(services, "artist-0", reason="asked for")

    assert deliver(services, SENDER) == 3
    assert answer.copy_of is not None
    assert sorted((one["type"], one["data"]) for one in receiver.events) == [
        (
            "attribution.copy",
            {
                "attribution": str(answer.id),
                "artwork": str(answer.copy_of.id),
                "kind": "same_image",
            },
        ),
        ("job.ended", {"kind": "ingest", "id": str(job), "status": "done"}),
        ("withdrawal.completed", {"withdrawal": str(receipt.id)}),
    ]
    assert deliver(services, SENDER) == 0


def test_who_watches_an_artist_is_not_told_of_others(
    services: Services, receiver: Receiver, tmp_path: Path
) -> None:
    """A merged artist is watched on under the name that remains."""
    made(services, receiver.url, events=[Event.COPY_FOUND], artists=["artist-1"], after=After.FOUND)
    for artist in range(3):
        work = next((tmp_path / "p" / f"artist-{artist}").glob("*.png"))
        services.attributor.attribute(read_image(work.read_bytes(), services.limits))
    first = only(services).data
    with services.sessions.begin() as session:
        ids = {one.slug: one.id for one, _ in queries.all_artists(session)}
        origin = queries.Origin("test", None)
        queries.merge_artists(session, ids["artist-1"], ids["artist-2"], origin)
    services.attributor.attribute(read_image(work.read_bytes(), services.limits))

    assert deliver(services, SENDER) == 2
    assert first in [one["data"] for one in receiver.events]


def test_each_tenant_is_told_its_own(services: Services, receiver: Receiver) -> None:
    """In one go for all of them."""
    create(services, "theirs")
    with receiving() as other:
        made(services, receiver.url)
        with tenants.within("theirs"):
            made(services, other.url)
            withdraw_nothing(services)
        assert deliver(services, SENDER) == 1
        assert (len(receiver.got), len(other.got)) == (0, 1)
    with services.sessions() as session:
        assert not queries.list_deliveries(session).items


def withdraw_nothing(services: Services) -> None:
    """Have something to tell."""
    with services.sessions.begin() as session:
        queries.announce(session, Event.WITHDRAWN, {"withdrawal": str(UUID(int=0))})


def test_what_is_rolled_back_is_not_told(services: Services, told: Webhook) -> None:
    """An event is kept in the transaction of what it tells of."""
    del told
    with services.sessions() as session:
        queries.announce(session, Event.WITHDRAWN, {})
        session.flush()
        session.rollback()

    assert deliver(services, SENDER) == 0


# ---- how it is told ------------------------------------------------------------------------------


def test_signatures_are_those_of_standard_webhooks() -> None:
    """The signature was made by the library `standardwebhooks` 1.0.0 for the same words."""
    delivery = Delivery(
        id=UUID(int=1),
        event=Event.TEST,
        data={"a": "ä"},
        created_at=datetime(2026, 1, 2, tzinfo=UTC),
    )
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed(delivery, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", at)

    said = b'{"data":{"a":"\\u00e4"},"timestamp":"2026-01-02T00:00:00+00:00","type":"webhook.test"}'
    assert body_of(delivery) == said
    assert headers["webhook-id"] == "00000000-0000-0000-0000-000000000001"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,src0RNMswPg8i9WhbaiI3Nex6w+MgM8A29TJ+JbOUpk="


def test_a_delivery_is_tried_again_with_growing_pauses_and_given_up(
    services: Services, told: Webhook, receiver: Receiver
) -> None:
    """Under one id, signed anew each time; sent again by hand it begins anew."""
    receiver.status = 500
    webhooks.try_out(services, told.id)
    for pause in PAUSES:
        assert deliver(services, SENDER) == 1
        assert deliver(services, SENDER) == 0
        row = only(services)
        assert (row.status, row.answered, row.error) == ("pending", 500, "answered 500")
        assert timedelta(0) <= now() + pause - row.due_at < timedelta(seconds=20)
        make_due(services)
    assert deliver(services, SENDER) == 1
    assert only(services).status == DeliveryStatus.GIVEN_UP
    make_due(services)
    assert deliver(services, SENDER) == 0

    receiver.status = 200
    webhooks.replay(services, only(services).id)
    assert deliver(services, SENDER) == 1

    row = only(services)
    assert (row.status, row.attempts, row.error) == ("delivered", 1, None)
    assert len({headers["webhook-id"] for headers, _ in receiver.got}) == 1
    assert len({body for _, body in receiver.got}) == 1
    assert len(receiver.got) == len(PAUSES) + 2
    assert all(one < other for one, other in pairwise(PAUSES))


@pytest.mark.parametrize(
    ("status", "stands", "said"),
    [
        (302, "pending", "answered 302"),  # it is not followed
        (404, "pending", "answered 404"),
        (410, "given_up", "answered 410"),
        (200, "delivered", None),
    ],
)
def test_what_a_receiver_answers(
    services: Services,
    told: Webhook,
    receiver: Receiver,
    status: int,
    stands: str,
    said: str | None,
) -> None:
    """Only 2xx has arrived; 410 wants nothing more."""
    receiver.status = status
    webhooks.try_out(services, told.id)
    deliver(services, SENDER)

    assert (only(services).status, only(services).error) == (stands, said)
    assert len(receiver.got) == 1


def test_a_worker_that_dies_leaves_a_delivery_to_the_next(
    services: Services, told: Webhook, receiver: Receiver
) -> None:
    """What is claimed is nobody else's until its lease is over."""
    webhooks.try_out(services, told.id)
    with tenants.across(), services.sessions.begin() as session:
        lease = timedelta(seconds=60)
        assert len(queries.claim_deliveries(session, limit=9, each=9, lease=lease)) == 1
    assert deliver(services, SENDER) == 0
    make_due(services)

    assert deliver(services, SENDER) == 1
    assert len(receiver.got) == 1


def test_servers_that_cannot_be_told(services: Services) -> None:
    """Our own network, whatever its name; nobody; and one that says nothing."""
    with socket.create_server((HERE, 0)) as silent, socket.create_server((HERE, 0)) as closed:
        ports = {"silent": silent.getsockname()[1], "closed": closed.getsockname()[1]}
        closed.close()
        impatient = Sender(frozenset({HERE}), at_most_s=0.3)
        cases = {
            f"http://{HERE}:{ports['silent']}/": "no answer within 0.3 s",
            f"http://{HERE}:{ports['closed']}/": "cannot be reached",
            "https://localhost/": "is not on the public internet",
            "https://169.254.169.254/": "is not on the public internet",
            "https://[::ffff:10.0.0.1]/": "is not on the public internet",
            "https://nowhere.invalid/": "cannot be reached",
        }
        hooks = {made(services, url).id: said for url, said in cases.items()}
        for hook in hooks:
            webhooks.try_out(services, hook)
        assert deliver(services, impatient) == len(cases)
    with services.sessions() as session:
        for row in queries.list_deliveries(session).items:
            assert hooks[row.webhook_id] in (row.error or ""), row.error
            assert (row.status, row.answered) == ("pending", None)


def test_one_that_ended_while_it_was_told_is_told_nothing_more(
    services: Services, told: Webhook, receiver: Receiver
) -> None:
    """Whatever the attempt that was under way comes to."""
    receiver.status = 500
    receiver.meanwhile = lambda: webhooks.end(services, told.id)
    webhooks.try_out(services, told.id)
    assert deliver(services, SENDER) == 1
    make_due(services)

    assert deliver(services, SENDER) == 0
    assert only(services).status == DeliveryStatus.GIVEN_UP


def test_a_slow_receiver_leaves_the_others_room(services: Services, receiver: Receiver) -> None:
    """Of each webhook a few are sent at a time, and in one go for a while only."""
    with socket.create_server((HERE, 0)) as silent:
        slow = made(services, f"http://{HERE}:{silent.getsockname()[1]}/")
        for _ in range(20):
            webhooks.try_out(services, slow.id)
        webhooks.try_out(services, made(services, receiver.url).id)
        stops = iter([False, True])
        deliver(
            services, Sender(frozenset({HERE}), at_most_s=0.2), stopping=lambda: next(stops, True)
        )

    assert len(receiver.got) == 1


def test_a_name_that_nobody_resolves_takes_no_longer_than_the_rest() -> None:
    """Nor does what a server says that is none reach whoever named it."""

    def nobody(_host: str, _port: int) -> list[Address]:
        time.sleep(3)
        return []

    began = time.monotonic()
    network = CheckedNetwork(began + 0.2, resolve=nobody)
    with pytest.raises(httpcore.ConnectTimeout):
        network.connect_tcp("slow.example", 443)
    assert time.monotonic() - began < 2


def test_what_is_no_http_is_not_repeated(services: Services) -> None:
    """A service of another kind says nothing to whoever has it told something."""
    with socket.create_server((HERE, 0)) as other:
        webhooks.try_out(services, made(services, f"http://{HERE}:{other.getsockname()[1]}/").id)

        def answer() -> None:
            connection, _ = other.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(b"-ERR secret of the house\r\n\r\n")

        thread = Thread(target=answer)
        thread.start()
        deliver(services, SENDER)
        thread.join()

    assert only(services).error == "answered what is not HTTP"


# ---- what is made --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://rights.example.org/", "plain http:// only to hosts that LAWFUL_WEBHOOK_HOSTS"),
        ("ftp://rights.example.org/", "cannot be told anything"),
        ("https:///nowhere", "cannot be told anything"),
        ("https://ann:secret@rights.example.org/", "holds a password"),
        ("https://x.org/" + "a" * 2000, "more than 2000 characters"),
        ("https://x.org:port/", "is not a valid URL"),
        ("https://x.org:99999/", "there is no port 99999"),
        ("https://xn--hooks-.example.org/", "is not a valid URL"),
        ("", "cannot be told anything"),
    ],
)
def test_addresses_that_no_webhook_gets(services: Services, url: str, said: str) -> None:
    """Each refusal says why."""
    with pytest.raises(BadInput, match=said):
        webhooks.create(services, NewWebhook(url))


def test_there_are_not_too_many(services: Services) -> None:
    """Every event asks all of them; those that ended do not count, and are told nothing."""
    rows = [webhooks.create(services, NewWebhook(PUBLIC)) for _ in range(MOST_WEBHOOKS)]
    with pytest.raises(Conflict, match=f"there are {MOST_WEBHOOKS} webhooks"):
        webhooks.create(services, NewWebhook(PUBLIC))
    with services.sessions.begin() as session:
        queries.announce(session, Event.JOB_ENDED, {"status": JobStatus.DONE})
    webhooks.end(services, rows[0].id)
    with pytest.raises(Conflict, match="ended on"):
        webhooks.try_out(services, rows[0].id)
    webhooks.create(services, NewWebhook(PUBLIC))

    with services.sessions() as session:
        (row,) = queries.list_deliveries(session, webhook_id=rows[0].id).items
    assert (row.status, row.error) == ("given_up", "the webhook has ended")


def test_old_deliveries_are_forgotten(services: Services, told: Webhook) -> None:
    """After thirty days, whatever became of them."""
    webhooks.try_out(services, told.id)
    forget_old(services)
    only(services)
    with services.sessions.begin() as session:
        session.execute(update(Delivery).values(created_at=now() - timedelta(days=31)))
    forget_old(services)

    with services.sessions() as session:
        assert session.scalars(select(Delivery)).all() == []


# ---- over HTTP and on the command line -----------------------------------------------------------


def test_webhooks_over_http(tmp_path: Path, receiver: Receiver) -> None:
    """Made with a secret that is shown once; the running service tells of a job by itself."""
    chosen = settings(tmp_path / "home", webhook_hosts=[HERE])
    with local_client(create_app(chosen)) as client:
        asked = {"url": receiver.url, "events": ["job.ended"]}
        hook = client.post("/v1/webhooks", json=asked).json()
        assert hook["secret"].startswith("whsec_")
        (listed,) = client.get("/v1/webhooks").json()["items"]
        assert "secret" not in listed
        upload(client, png(1), artist="Ann Example")
        delivered = "/v1/deliveries?status=delivered"
        wait_until(lambda: bool(client.get(delivered).json()["items"]))
        items = client.get(delivered).json()["items"]
        assert receiver.events[0]["type"] == "job.ended"
        again = client.post(f"/v1/deliveries/{items[0]['id']}/replay")
        assert (again.status_code, again.json()["status"]) == (202, "pending")
        tried = client.post(f"/v1/webhooks/{hook['id']}/test").json()
        assert tried["event"] == "webhook.test"
        assert client.post(f"/v1/webhooks/{hook['id']}/end").json()["ended_at"]
        is_problem(client.post(f"/v1/webhooks/{hook['id']}/end"), 409, "conflict")
        is_problem(client.post("/v1/webhooks", json={"url": "http://x.org"}), 422, "bad-input")


def test_webhooks_on_the_command_line(
    ingested: Settings, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`test` and `replay` send at once and say what came of it."""
    monkeypatch.setenv("LAWFUL_HOME", str(ingested.home))
    monkeypatch.setenv("LAWFUL_PROFILE", "stub")
    monkeypatch.setenv("LAWFUL_WEBHOOK_HOSTS", f'["{HERE}"]')

    def run(*words: str) -> list[dict[str, Any]]:
        done = CliRunner().invoke(commands, ["webhooks", *words, "--json"])
        assert done.exit_code == 0, done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    (hook,) = run("create", receiver.url, "--event", "attribution.copy", "--artist", "artist-1")
    assert (hook["events"], hook["artists"]) == (["attribution.copy"], ["artist-1"])
    assert hook["after"] == "review"  # who says nothing is told nothing that nobody has reviewed
    assert run("create", receiver.url, "--after", "found")[0]["after"] == "found"
    (tried,) = run("test", hook["id"])
    assert (tried["status"], tried["answered"]) == ("delivered", 204)
    (again,) = run("replay", tried["id"])
    assert (again["status"], again["attempts"], len(receiver.got)) == ("delivered", 1, 2)
    assert [one["id"] for one in run("deliveries", "--webhook", hook["id"])] == [tried["id"]]
    assert run("list")[-1]["id"] == hook["id"]
    assert run("end", hook["id"])[0]["ended_at"]
