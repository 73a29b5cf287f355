"""Lookups take turns: how many run, in which order, and how long one waits."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import pytest

from attribution.errors import BackendUnavailable
from attribution.lookup.turns import Turns
from tests.portfolios import wait_until


def begun(action: Callable[[], None]) -> Thread:
    """Run something in a thread."""
    thread = Thread(target=action)
    thread.start()
    return thread


def test_they_run_in_the_order_in_which_they_came() -> None:
    """One after the other, where one may run at once."""
    turns = Turns(at_once=1, most=10, wait_s=60)
    ran: list[int] = []

    def run(number: int) -> None:
        with turns.taken():
            ran.append(number)

    threads: list[Thread] = []
    with turns.taken():
        for number in range(5):
            threads.append(begun(lambda number=number: run(number)))  # type: ignore[misc]  # bound now
            wait_until(lambda number=number: turns.waiting == number + 1)  # type: ignore[misc]
        assert not ran
    for thread in threads:
        thread.join()

    assert ran == [0, 1, 2, 3, 4]


def test_some_run_at_once() -> None:
    """As many as are allowed; the next one waits for the first that is done."""
    turns, go = Turns(at_once=2, most=10, wait_s=60), Event()
    running: list[int] = []

    def run() -> None:
        with turns.taken():
            running.append(1)
            go.wait()

    threads = [begun(run) for _ in range(3)]
    wait_until(lambda: len(running) == 2 and turns.waiting == 1)
    go.set()
    for thread in threads:
        thread.join()

    assert len(running) == 3


def test_nobody_waits_for_long() -> None:
    """Who has waited too long is told so, with the setting; the place in line is given up."""
    turns = Turns(at_once=1, most=10, wait_s=0.01)
    with turns.taken():
        with pytest.raises(BackendUnavailable, match=r"waited for 0\.01 s.*LAWFUL_LOOKUP_WAIT_S"):
            turns.taken().__enter__()
        assert turns.waiting == 0

    with turns.taken():
        pass


def test_those_who_wait_are_counted() -> None:
    """More than may be in hand are refused at once."""
    turns = Turns(at_once=1, most=2, wait_s=60)

    def run() -> None:
        with turns.taken():
            pass

    with turns.taken():
        waits = begun(run)
        wait_until(lambda: turns.waiting == 1)
        with pytest.raises(BackendUnavailable, match="LAWFUL_MOST_LOOKUPS"):
            turns.taken().__enter__()
    waits.join()


def test_who_has_begun_is_not_refused() -> None:
    """A lookup of several turns waits for each but the first, however many wait already."""
    turns = Turns(at_once=1, most=1, wait_s=0.001)
    ran: list[bool] = []

    def go_on() -> None:
        with turns.taken(has_begun=True):
            ran.append(True)

    with turns.taken():
        waits = begun(go_on)
        wait_until(lambda: turns.waiting == 1)
        assert not ran
    waits.join()

    assert ran == [True]


def test_a_turn_that_fails_is_passed_on() -> None:
    """Whatever went wrong in it."""
    turns = Turns(at_once=1, most=10, wait_s=0.01)
    for _ in range(3):
        with pytest.raises(ValueError, match="no"), turns.taken():
            raise ValueError("no")
