"""A server that does not answer is left alone for a while, so that callers need not wait for it."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from uuid import UUID

import pytest

from attribution.errors import BackendUnavailable
from attribution.index import ServerOptions, breaker
from attribution.index.breaker import FAILURES, PAUSE_S, Breaker
from attribution.index.server import connect
from tests.index_servers import index_server
from tests.portfolios import wait_until


class Clock:
    """Time that passes when a test says so."""

    now_s = 100.0

    def __call__(self) -> float:
        """Return it, in seconds."""
        return self.now_s


def fail(one: Breaker, times: int = 1) -> None:
    """Have the server be away for some calls, each of which is made."""
    for _ in range(times):
        with pytest.raises(OSError, match="away"), one.watching():
            raise OSError("away")


def is_closed(one: Breaker) -> bool:
    """Tell whether a call is let through; it is answered."""
    try:
        with one.watching():
            return True
    except BackendUnavailable:
        return False


def test_failures_in_a_row_open_it_and_one_caller_tries() -> None:
    """After the pause: the others go on being refused until that one was answered."""
    clock = Clock()
    one = Breaker("it", lambda error: isinstance(error, OSError), clock)
    fail(one, FAILURES - 1)
    assert is_closed(one)  # an answer in between: they were not in a row
    fail(one, FAILURES)
    assert not is_closed(one)

    clock.now_s += PAUSE_S
    fail(one)  # who tries; it is still away
    assert not is_closed(one)

    clock.now_s += PAUSE_S
    with one.watching():
        assert not is_closed(one)
    assert is_closed(one)


def test_a_refusal_is_an_answer() -> None:
    """Whoever asks for what is not there does not keep others from asking."""
    one = Breaker("it", lambda error: isinstance(error, OSError), Clock())
    for _ in range(FAILURES):
        with pytest.raises(KeyError), one.watching():
            raise KeyError
    assert is_closed(one)


def test_a_server_that_hangs_costs_callers_no_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits for the limit until it is known to be away; it is found again by itself."""
    monkeypatch.setattr(breaker, "PAUSE_S", 0.5)
    with index_server(tmp_path) as (process, url):
        client = connect(url, ServerOptions(timeout_s=1))
        assert not client.collection_exists("works")
        process.send_signal(signal.SIGSTOP)
        for _ in range(FAILURES):
            with pytest.raises(BackendUnavailable, match="does not answer"):
                client.collection_exists("works")
        began_s = time.monotonic()
        with pytest.raises(BackendUnavailable, match=r"is asked again in .*LAWFUL_QDRANT_URL"):
            client.retrieve("works", [str(UUID(int=1))])
        assert time.monotonic() - began_s < 0.1

        process.send_signal(signal.SIGCONT)

        def is_back() -> bool:
            try:
                return not client.collection_exists("works")
            except BackendUnavailable:
                return False

        wait_until(is_back)
        client.close()
