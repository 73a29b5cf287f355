"""Outages in the middle of a job: named, waited for, gone on from; other errors are not."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event

import pytest
from PIL import Image

from attribution.catalogue import database as database_module
from attribution.catalogue import queries
from attribution.catalogue.models import JobStatus, TaskStatus
from attribution.config import Settings
from attribution.encoders.encoder_set import EncoderSet
from attribution.encoders.stub import StubEncoder
from attribution.errors import BackendUnavailable, NotFound
from attribution.services import Services, open_services
from attribution.types import Matrix
from ingest import patience
from ingest.listing import plan
from ingest.patience import Patience
from ingest.sources import read_source
from ingest.summary import Summary, summarise
from ingest.work.jobs import LocalQueue
from tests.portfolios import batch_key, has_ended, portfolio, wait_until

WORKS = 6


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """Open everything; pauses are short, and the engine waits a second for a lock."""
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 0.1)
    own = ("PRAGMA busy_timeout=1000", "PRAGMA journal_mode=WAL")
    monkeypatch.setattr(database_module, "PRAGMAS", own)
    with open_services(Settings(home=tmp_path / "home", profile="stub", batch_size=2)) as opened:
        yield opened


class Hooked:
    """An encoder that does something else first, at its second call."""

    def __init__(self, hook: Callable[[], None]) -> None:
        self._real, self._hook, self._calls = StubEncoder(), hook, 0
        self.info = self._real.info

    def encode(self, images: Sequence[Image.Image]) -> Mapping[str, Matrix]:
        """Call the hook, then encode."""
        self._calls += 1
        if self._calls == 2:
            self._hook()
        return self._real.encode(images)


class Waiting:
    """A job that meets an outage; `over` ends that once it is waited for."""

    def __init__(self, services: Services, source: Path, hook: Callable[[], None]) -> None:
        object.__setattr__(services, "encoders", EncoderSet([Hooked(hook)]))
        self.services, self.said = services, ""
        self.queue = LocalQueue(services)
        self.job = plan(services, "p", read_source(source), staged=False)
        self.queue.submit(self.job)

    def until_it_waits(self) -> str:
        """Return what it waits for."""
        wait_until(self._is_waiting)
        return self.said

    def until_it_ends(self) -> Summary:
        """Return what became of every file."""
        wait_until(lambda: has_ended(self.services, self.job))
        self.queue.close()
        return summarise(self.services, self.job)

    def _is_waiting(self) -> bool:
        self.said = self.queue.waiting or self.said
        return bool(self.said)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged about waiting."""
    return [one.getMessage() for one in caplog.records if one.name == "ingest.patience"]


def test_a_full_disk(services: Services, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """However often it is tried: one line, no traceback, no file refused; others can see it."""
    caplog.set_level(logging.WARNING)
    is_full = Event()
    is_full.set()

    def put(*_: object) -> None:
        if is_full.is_set():
            raise OSError(errno.ENOSPC, "No space left on device")

    object.__setattr__(services.store, "_put", put)
    waiting = Waiting(services, portfolio(tmp_path / "p", artists=1, works=WORKS), lambda: None)
    assert waiting.until_it_waits().startswith("the disk is full, trying again in")

    def is_noted() -> bool:
        with services.sessions() as session:
            return "the disk is full" in (queries.trouble_of(session, waiting.job) or "")

    wait_until(is_noted)
    is_full.clear()
    summary = waiting.until_it_ends()

    assert (summary.added, summary.refused) == (WORKS, 0)
    assert len(lines(caplog)) == 1
    assert "make room" in lines(caplog)[0]
    assert all(one.exc_info is None for one in caplog.records if one.name.startswith("ingest"))
    with services.sessions() as session:
        assert queries.trouble_of(session, waiting.job) is None


def test_a_full_disk_while_works_are_encoded(services: Services, tmp_path: Path) -> None:
    """Whatever needs room, no file is to blame for that there is none."""

    def full() -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source = portfolio(tmp_path / "p", artists=1, works=WORKS)
    summary = Waiting(services, source, full).until_it_ends()

    assert (summary.added, summary.refused) == (WORKS, 0)


def test_a_database_that_vanishes(services: Services, tmp_path: Path) -> None:
    """It is not made anew; the job goes on with the file that is put back."""
    file, aside = tmp_path / "home" / "lawful.db", tmp_path / "aside.db"
    source = portfolio(tmp_path / "p", artists=1, works=WORKS)
    waiting = Waiting(services, source, lambda: (file.rename(aside), None)[1])

    assert "was moved, deleted or replaced" in waiting.until_it_waits()
    assert not file.exists()
    aside.rename(file)
    summary = waiting.until_it_ends()

    assert (summary.added, summary.refused) == (WORKS, 0)


def test_a_locked_database(services: Services, tmp_path: Path) -> None:
    """Another process has it for a while; it is named, and the job goes on."""
    other = sqlite3.connect(
        tmp_path / "home" / "lawful.db", isolation_level=None, check_same_thread=False
    )
    source = portfolio(tmp_path / "p", artists=1, works=WORKS)
    waiting = Waiting(services, source, lambda: (other.execute("BEGIN EXCLUSIVE"), None)[1])

    assert "is locked by another process" in waiting.until_it_waits()
    other.execute("ROLLBACK")
    summary = waiting.until_it_ends()
    other.close()

    assert (summary.added, summary.refused) == (WORKS, 0)


def test_an_end_during_a_pause(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A queue that is closed does not wait for the end of the pause; the next one goes on."""
    monkeypatch.setattr(patience, "FIRST_PAUSE_S", 3600)
    monkeypatch.setattr(patience, "LONGEST_PAUSE_S", 3600)

    def away() -> None:
        raise BackendUnavailable("the index is away; start it")

    waiting = Waiting(services, portfolio(tmp_path / "p", artists=1, works=WORKS), away)
    assert waiting.until_it_waits() == "the index is away, trying again in 3600 s"
    waiting.queue.close()

    with services.sessions() as session:
        batch = queries.task_by_key(session, batch_key(waiting.job))
        assert queries.job_by_id(session, waiting.job).status is JobStatus.QUEUED  # nobody runs it
    assert (batch.status, batch.attempts, batch.begun) == (TaskStatus.QUEUED, 0, 0)
    assert batch.error == "the index is away; start it"
    queue = LocalQueue(services)
    wait_until(lambda: has_ended(services, waiting.job))
    queue.close()
    assert summarise(services, waiting.job).added == WORKS


@pytest.mark.parametrize("error", [ValueError("a defect"), NotFound("no such thing")])
def test_other_errors_are_raised(error: Exception) -> None:
    """Waiting would hide them."""
    tries = []

    def fail() -> None:
        tries.append(1)
        raise error

    with pytest.raises(type(error)):
        Patience()(fail)
    assert len(tries) == 1


def test_patience_may_have_an_end() -> None:
    """After its time the outage itself is raised."""

    def fail() -> None:
        raise BackendUnavailable("away")

    with pytest.raises(BackendUnavailable, match="away"):
        Patience(at_most_s=0)(fail)
