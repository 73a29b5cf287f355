"""Refusals in the audit: bounded, beside the requests, and without a word of the caller's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import select

from api.http.app import create_app
from attribution.actors import Role
from attribution.catalogue.chain import REFUSE
from attribution.catalogue.models import AuditEntry
from attribution.catalogue.verification import verify
from attribution.collection import Stores, open_stores
from attribution.errors import BackendUnavailable
from attribution.tenants import across
from attribution.upkeep import refusals
from attribution.upkeep.refusals import Caller, Refusals, Refused, recorded
from tests.apis import is_problem, local_client, settings
from tests.keys import bearing, make_key
from tests.portfolios import wait_until
from tests.refusals import heard

ASKED = Refused("GET /v1/artists", "unknown-key")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """Open an empty collection."""
    with open_stores(settings(tmp_path / "home")) as opened:
        yield opened


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def monotonic(self) -> float:
        """Return the seconds that the test says."""
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have the minutes of refusals pass when a test says so."""
    clock = Clock()
    monkeypatch.setattr(refusals, "time", clock)
    return clock


def stranger(number: int) -> Caller:
    """Return a caller whom nobody knows."""
    return Caller(f"address 192.0.2.{number}", "default", is_stranger=True)


def entries(stores: Stores) -> list[tuple[str, int]]:
    """Return the actors of the entries about refusals, and how many each counts."""
    wanted = select(AuditEntry).where(AuditEntry.action == REFUSE).order_by(AuditEntry.sequence)
    with stores.sessions() as session:
        return [
            (one.actor, sum(said["times"] for said in one.details["refused"]))
            for one in session.scalars(wanted)
        ]


def test_the_first_is_written_at_once_and_then_one_a_minute(stores: Stores, clock: Clock) -> None:
    """With a count; after a quiet minute the next one is a first one again."""
    kept = Refusals(stores)
    for minute, times in enumerate((1, 500, 300, 0, 2)):
        clock.now_s = minute * refusals.EVERY_S
        if minute == 4:
            clock.now_s += 0.1
        for _ in range(times):
            kept.note(stranger(1), ASKED)
            if minute == 0:
                kept.write(only_due=True)
        if minute:
            kept.write(only_due=True)

    assert entries(stores) == [("address 192.0.2.1", times) for times in (1, 500, 300, 2)]


def test_a_flood_from_many_addresses_is_a_few_entries(stores: Stores, clock: Clock) -> None:
    """However many strangers there are; callers that are known are told apart all the same."""
    kept = Refusals(stores)
    known = Caller("key lk_12345678 (rights desk)", "default", is_stranger=False)
    for minute in range(3):
        clock.now_s = minute * refusals.EVERY_S
        for number in range(2_000):
            kept.note(stranger(minute * 2_000 + number), ASKED)
        kept.note(known, Refused("POST /v1/keys", "scope-missing"))
        kept.write(only_due=True)
    found = Counter[str]()
    for actor, times in entries(stores):
        found[actor] += times

    assert found[known.name] == 3
    assert found[refusals.OTHERS] >= 3 * (2_000 - refusals.MOST_STRANGERS)
    assert sum(found.values()) == 3 * 2_001
    assert len(entries(stores)) <= 3 * (refusals.MOST_STRANGERS + 2)


def test_a_flood_of_different_requests_is_a_small_entry(stores: Stores, clock: Clock) -> None:
    """What was asked for is told apart up to a number; everything is counted."""
    del clock
    kept = Refusals(stores)
    for number in range(1_000):
        kept.note(stranger(1), Refused(f"GET /{number}", "missing-key"))
    kept.write()
    with stores.sessions() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == REFUSE)).one()
    assert len(entry.details["refused"]) == refusals.MOST_DIFFERENT + 1
    assert entries(stores) == [("address 192.0.2.1", 1_000)]


def test_an_address_is_an_address(tmp_path: Path) -> None:
    """Who calls as a proxy may say anything in its place; no page of another site is known."""
    app = create_app(settings(tmp_path / "home"))
    with TestClient(app, base_url="http://localhost", client=("key lk_x" * 9_000, 1)) as client:
        with heard(client) as found:
            client.get("/v1/artists")
            client.post("/v1/keys", headers={"origin": "https://evil.example"})
        callers = {(one.name, one.is_stranger) for one in app.state.refusals._windows}
    assert {actor for _, actor, _, _ in found} == {"address unknown"}
    assert callers <= {("address unknown", True)}


def test_a_flood_takes_no_name_from_another_tenant(stores: Stores, clock: Clock) -> None:
    """Each tenant has its own known callers."""
    del clock
    kept = Refusals(stores)
    for number in range(refusals.MOST_KNOWN + 10):
        kept.note(Caller(f"key lk_{number:08}", "theirs", is_stranger=False), ASKED)
    kept.note(Caller("key lk_ours", "default", is_stranger=False), ASKED)
    kept.write()
    assert ("key lk_ours", 1) in entries(stores)
    assert (refusals.OTHERS, 10) in entries(stores)


def test_what_cannot_be_written_is_counted_on(
    stores: Stores, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away for a minute loses none."""
    kept = Refusals(stores)
    with monkeypatch.context() as patch:
        patch.setattr(kept, "_record", _unavailable)
        kept.note(stranger(1), ASKED)
        kept.write(only_due=True)
    kept.note(stranger(1), ASKED)
    kept.write(only_due=True)
    assert entries(stores) == []
    clock.now_s += refusals.EVERY_S
    kept.write(only_due=True)

    assert entries(stores) == [("address 192.0.2.1", 2)]


def _unavailable(*_: object) -> None:
    raise BackendUnavailable("the database is away")


def test_a_thread_writes_them_and_the_rest_at_the_end(stores: Stores) -> None:
    """Nobody has to ask for it."""
    with recorded(stores) as kept:
        kept.note(stranger(1), ASKED)
        wait_until(lambda: entries(stores) == [("address 192.0.2.1", 1)])
        kept.note(stranger(1), ASKED)
        kept.note(stranger(1), ASKED)

    assert entries(stores) == [("address 192.0.2.1", times) for times in (1, 2)]
    assert not verify(stores.sessions, lambda *_: None).told


@contextmanager
def served(home: Path, **values: Any) -> Iterator[TestClient]:
    """Serve an empty collection."""
    with local_client(create_app(settings(home, **values))) as client:
        yield client


def test_no_request_waits_for_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one cannot be written, those who may are answered, and those who may not as well."""
    chosen = settings(tmp_path / "home")
    with served(chosen.home) as client:
        reader = bearing(make_key(chosen, Role.READER).token)
        client.get("/v1/artists", headers=reader)  # that it is used is noted once a minute
        is_stuck, may_go_on = Event(), Event()

        def stuck(*_: object) -> None:
            is_stuck.set()
            may_go_on.wait()

        monkeypatch.setattr(client.app.state.refusals, "_record", stuck)  # type: ignore[attr-defined]
        is_problem(client.get("/v1/artists"), 401, "unauthenticated")
        assert is_stuck.wait(10)
        try:
            is_problem(client.get("/v1/artists"), 401, "unauthenticated")
            is_problem(client.get("/v1/keys", headers=reader), 403, "scope-missing")
            assert client.get("/v1/artists", headers=reader).status_code == 200
        finally:
            may_go_on.set()


def test_no_word_of_the_caller_is_kept(tmp_path: Path) -> None:
    """Neither tokens, nor queries, nor paths and methods that there are not."""
    chosen = settings(tmp_path / "home")
    secret = "lk_00000000_" + "S" * 43
    with served(chosen.home) as client:
        reader = bearing(make_key(chosen, Role.READER).token)
        with heard(client) as found:
            client.get(f"/v1/artists?token={secret}")
            client.get(f"/v1/{secret}", headers=bearing(secret))
            client.request(secret, f"/v1/artworks/{secret}/thumbnail")
            client.delete(f"/v1/keys?name={secret}", headers=reader)
            client.get(f"/v1/keys?name={secret}", headers=reader)
            client.post("/v1/keys", headers={"origin": f"https://{secret}.example"})
    (_, desk, _, _), *_ = (one for one in found if one[1].startswith("key"))

    assert found == Counter(
        [
            ("default", "address 127.0.0.1", "GET /v1/artists", "missing-key"),
            ("default", "address 127.0.0.1", "GET elsewhere", "unknown-key"),
            (
                "default",
                "address 127.0.0.1",
                "another method /v1/artworks/{artwork_id}/thumbnail",
                "missing-key",
            ),
            ("default", desk, "GET /v1/keys", "scope-missing"),
            ("default", "address 127.0.0.1", "POST /v1/keys", "cross-site"),
        ]
    )
    assert b"S" * 43 not in b"".join(path.read_bytes() for path in chosen.home.glob("lawful.db*"))


def test_a_flood_of_wrong_keys_leaves_few_entries(tmp_path: Path) -> None:
    """A thousand requests with as many keys cost no more than the first and a count."""
    chosen = settings(tmp_path / "home")
    with served(chosen.home) as client:
        make_key(chosen, Role.READER)
        begun = time.monotonic()
        for number in range(1_000):
            client.get("/v1/artists", headers=bearing(f"lk_{number:08x}_{'A' * 43}"))
        minutes = (time.monotonic() - begun) / refusals.EVERY_S
    with across(), open_stores(chosen) as stores:
        found = entries(stores)

    assert sum(times for _, times in found) == 1_000
    assert len(found) <= 2 + minutes
