"""Lookup batches take turns: between tenants, between batches, on both queues; slow hosts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import NoReturn
from uuid import UUID

import pytest

from attribution.catalogue import queries
from attribution.catalogue.models import LookupOutcome
from attribution.catalogue.queries import TaskKey
from attribution.errors import Conflict, NotFetched
from attribution.services import Services, open_services
from attribution.tenants import across, within
from attribution.upkeep.tenants import create
from attribution.upkeep.withdrawal import withdraw
from ingest import lookups
from ingest.fetching import Fetcher
from ingest.hosts import MOST_TIMEOUTS, Hosts
from ingest.lookups import accept_works, cancel, retry
from ingest.work.application import make_app
from ingest.work.dispatch import LOOK_UP
from ingest.work.jobs import job_queue
from ingest.work.tasks import next_in_line, register
from tests.apis import archive, png, settings
from tests.lookups import answers, begin, lines, run, status
from tests.portfolios import ingest, portfolio, wait_until
from tests.web import HERE, MOST, PAGES, at, drips, sends, serving, to_loopback

HASTY = Fetcher(MOST, at_most_s=1, is_allowed=HERE.__eq__, resolve=to_loopback)
SLOW = drips(b"HTTP/1.1 200 OK\r\nx-long: ")
FAST = sends(png(1), content_type="image/png")


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Services]:
    """Open an empty collection that two tenants share."""
    with open_services(settings(tmp_path / "home")) as opened:
        create(opened, "museum")
        yield opened


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a turn last for one image."""
    monkeypatch.setattr(lookups, "TURN_S", -1)


class Opened:
    """What the tasks of a worker use."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def stores(self) -> Services:
        """Return the catalogue and the files."""
        return self._services

    def services(self) -> Services:
        """Return everything."""
        return self._services


def several(seeds: range) -> bytes:
    """Return an archive of images."""
    return archive({f"{seed}.png": png(seed) for seed in seeds})


def turns(services: Services, most: int = 100) -> list[UUID]:
    """Have one worker take turns until nobody waits; returns whose they were."""
    taken: list[UUID] = []
    while (key := next_in_line(Opened(services))) and len(taken) < most:
        with across(), services.sessions() as session:
            tenant = queries.tenant_of(session, key) or ""
        with within(tenant):
            run(services, key.subject, key.number)
        taken.append(key.subject)
    return taken


@pytest.mark.usefixtures("short")
def test_tenants_take_turns_and_so_do_their_batches(services: Services) -> None:
    """A tenant with two batches gets no more than one with a single one."""
    huge = begin(services, several(range(6)), "huge.zip")
    other = begin(services, several(range(6, 8)), "other.zip")
    with within("museum"):
        small = begin(services, several(range(8, 11)), "small.zip")

    order = turns(services)
    named = "".join({huge: "h", other: "o", small: "s"}[one] for one in order)
    assert named == "hsoshsohhhh"
    assert answers(services) == 8
    with within("museum"):
        assert (status(services, small), answers(services)) == ("done", 3)


@pytest.mark.usefixtures("short")
def test_a_newer_batch_does_not_overtake_all_others(services: Services) -> None:
    """It goes to the end of the line, so that many small ones cannot hold up a huge one."""
    huge = begin(services, several(range(3)), "huge.zip")
    assert turns(services, most=1) == [huge]
    first = begin(services, several(range(3, 4)), "first.zip")
    assert turns(services, most=1) == [huge]
    second = begin(services, several(range(4, 5)), "second.zip")
    assert turns(services) == [first, huge, second]


@pytest.mark.usefixtures("short")
def test_a_small_batch_ends_while_a_huge_one_runs(services: Services) -> None:
    """In process: the thread of the lookups goes round; nothing is answered twice."""
    huge = begin(services, several(range(20)), "huge.zip")
    with job_queue(services) as queue:
        queue.look_up(huge)
        wait_until(lambda: answers(services) > 0)
        with within("museum"):
            small = begin(services, several(range(20, 22)), "small.zip")
            queue.look_up(small)
            wait_until(lambda: status(services, small) == "done")
        assert status(services, huge) in {"queued", "running"}
        wait_until(lambda: status(services, huge) == "done")
    assert answers(services) == len({one.attribution_id for one in lines(services, huge)}) == 20


@pytest.mark.usefixtures("short")
def test_a_message_is_a_turn_for_whoever_is_next(services: Services) -> None:
    """With a broker: the messages of a huge batch come first, and a small one ends among them."""
    huge = begin(services, several(range(10)), "huge.zip")
    with within("museum"):
        small = begin(services, several(range(10, 12)), "small.zip")
    with services.sessions() as session:
        line = deque(queries.open_tasks(session, huge))
    with within("museum"), services.sessions() as session:
        line.extend(queries.open_tasks(session, small))
    sent = len(line)
    app = make_app(services.settings.model_copy(update={"broker_url": "redis://localhost:1/0"}))
    register(app, Opened(services), stopping=lambda: False, submit=line.extend)

    done = 0
    while line:
        key = line.popleft()
        app.tasks[LOOK_UP](str(key.subject), key.number)
        done += 1
        assert len(line) <= sent
        if done == 4:
            with within("museum"):
                assert status(services, small) == "done"
    assert (status(services, huge), answers(services)) == ("done", 10)
    assert done == 12


def test_the_listing_of_a_batch_sends_its_tasks(services: Services) -> None:
    """As turns for all; a message that finds nobody waiting does nothing."""
    batch_id = lookups.accept(services, BytesIO(several(range(2))), "a.zip")
    line: list[TaskKey] = []
    app = make_app(services.settings.model_copy(update={"broker_url": "redis://localhost:1/0"}))
    register(app, Opened(services), stopping=lambda: False, submit=line.extend)
    app.tasks[LOOK_UP](str(batch_id), 0)
    assert [key.number for key in line] == [1]
    for _ in range(2):
        app.tasks[LOOK_UP](str(batch_id), 1)
    assert (status(services, batch_id), len(line)) == ("done", 1)


def test_cancelled_batches_are_not_in_line(services: Services) -> None:
    """Nor are those that failed."""
    batch_id = accept_works(services, [str(UUID(int=1))])
    cancel(services, batch_id)
    assert next_in_line(Opened(services)) is None


def test_a_host_that_times_out_again_and_again_is_given_up(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this batch, whichever worker is next; others are asked. A retry asks it again."""
    monkeypatch.setitem(PAGES, "/moody", SLOW)
    with serving() as server:
        moody = at(server, "/moody").replace("pictures", "moody")
        rows = [*[moody] * 5, at(server, "/a.png"), moody]
        batch_id = begin(services, ("url\n" + "\n".join(rows)).encode(), "links.csv")
        while status(services, batch_id) != "done":
            run(services, batch_id, stopping=lambda: True, fetcher=HASTY)
        asked = server.RequestHandlerClass.asked  # type: ignore[attr-defined]
        assert [path for path, _ in asked] == ["/moody"] * MOST_TIMEOUTS + ["/a.png"]

        found = lines(services, batch_id)
        late = [one for one in found if one.outcome is LookupOutcome.TIMED_OUT]
        assert [one.position for one in late] == [0, 1, 2, 3, 4, 6]
        assert "/moody was not there after 1 s; retry later" in (late[2].reason or "")
        given_up = "moody.example timed out 3 times in a row and was not asked again in this batch"
        assert [one.reason for one in late[3:]] == [f"{given_up}; retry the batch later"] * 3

        retry(services, batch_id)
        with services.sessions() as session:
            assert queries.lookup_counts(session, batch_id)[LookupOutcome.PENDING] == 6
        monkeypatch.setitem(PAGES, "/moody", FAST)
        run(services, batch_id, fetcher=replace(HASTY, at_most_s=9))
    after = lines(services, batch_id)
    assert {one.outcome for one in after} == {LookupOutcome.ANSWERED}
    assert after[5].attribution_id == found[5].attribution_id
    assert status(services, batch_id) == "done"
    with pytest.raises(Conflict, match="only one that failed, was cancelled or has images that"):
        retry(services, batch_id)


def test_a_host_is_one_however_it_is_spelled(services: Services) -> None:
    """And what is no host that can be asked ends no batch."""
    spelled = ["bücher.example", "xn--bcher-kva.EXAMPLE.", "b\u00fccher\uff0eexample:81"]
    rows = "url\n" + "\n".join(f"http://{one}/a.png" for one in [*spelled, "[bad"])
    batch_id = begin(services, rows.encode(), "links.csv")
    asked: list[str] = []

    class Late(Fetcher):
        def fetch(self, url: str) -> NoReturn:
            asked.append(url)
            raise NotFetched("slow", "late")

    late = Late(MOST)
    while status(services, batch_id) not in {"done", "failed"}:
        run(services, batch_id, stopping=lambda: True, fetcher=late)
    assert status(services, batch_id) == "done"
    batch = queries.lookup_batch_by_id
    with services.sessions() as session:
        hosts = Hosts.of(services, batch(session, batch_id), late)
    assert hosts.timeouts == {"bücher.example": 3, "%5bbad": 1}
    with pytest.raises(NotFetched, match="3 times in a row"):
        hosts.fetch("http://bücher.example/b.png")
    assert len(asked) == 4


def test_a_host_that_answers_now_and_then_is_asked(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only timeouts in a row count; what is no picture is an answer too."""
    monkeypatch.setitem(PAGES, "/moody", SLOW)
    with serving() as server:
        rows = [at(server, path) for path in ("/moody", "/moody", "/gone", "/moody", "/a.png")]
        batch_id = begin(services, ("url\n" + "\n".join(rows)).encode(), "links.csv")
        run(services, batch_id, fetcher=HASTY)
    outcomes = [one.outcome.value for one in lines(services, batch_id)]
    assert outcomes == ["timed_out", "timed_out", "refused", "timed_out", "answered"]


def test_a_withdrawal_ends_what_could_be_asked_again(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A URL that names the artist is wiped, and no retry asks for it."""
    ingest(services, portfolio(tmp_path / "p"))
    monkeypatch.setitem(PAGES, "/artist-1", SLOW)
    with serving() as server:
        data = f"url\n{at(server, '/artist-1')}\n".encode()
        batch_id = begin(services, data, "links.csv")
        run(services, batch_id, fetcher=HASTY)
    withdraw(services, "artist-1", reason="asked for")
    (item,) = lines(services, batch_id)
    assert (item.name, item.outcome) == ("withdrawn", LookupOutcome.REFUSED)
    with pytest.raises(Conflict):
        retry(services, batch_id)
