"""What happens between the two stores: the index holds up no writer, a lookup asks SQL little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event

from attribution.catalogue.queries import Origin
from attribution.index import engine
from attribution.index.edge import EdgeClient
from attribution.lookup import gaps
from attribution.lookup.search_query import SearchQuery
from attribution.services import Services
from attribution.upkeep import correction
from attribution.upkeep.reconcile import reconcile
from attribution.upkeep.undoing import undo
from attribution.upkeep.withdrawal import withdraw
from tests.asking import ask_about, ids_of
from tests.portfolios import ingest, works

US = Origin("test")
STATEMENTS, TRANSACTIONS = 25, 9  # of a lookup of a picture that nobody registered, at most


@dataclass
class Asked:
    """What the database was asked, and which threads are in a transaction that writes."""

    statements: list[str] = field(default_factory=list)
    transactions: int = 0
    writing: set[int] = field(default_factory=set)


@contextmanager
def watched() -> Iterator[Asked]:
    """Watch all databases."""
    asked = Asked()

    def begin(connection: Connection) -> None:
        asked.transactions += 1
        if connection.get_execution_options().get("writes"):
            asked.writing.add(get_ident())

    def end(_: Connection) -> None:
        asked.writing.discard(get_ident())

    def note(_: Connection, _cursor: object, statement: str, *_more: object) -> None:
        if not statement.startswith("BEGIN"):  # counted as a transaction
            asked.statements.append(statement)

    heard: dict[str, Callable[..., Any]] = {
        "begin": begin,
        "commit": end,
        "rollback": end,
        "before_cursor_execute": note,
    }
    for name, listener in heard.items():
        event.listen(Engine, name, listener)
    try:
        yield asked
    finally:
        for name, listener in heard.items():
            event.remove(Engine, name, listener)


def guarded(call: Callable[..., Any], asked: Asked, calls: list[str]) -> Callable[..., Any]:
    """Return a method of an engine that asserts that no write transaction waits for it."""

    @wraps(call)
    def guard(*values: Any, **named: Any) -> Any:
        calls.append(call.__name__)
        assert get_ident() not in asked.writing, f"{call.__name__} in a write transaction"
        return call(*values, **named)

    return guard


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Have the engine assert it; gives the methods that were called."""
    names: list[str] = []
    with watched() as asked:
        for name, method in vars(EdgeClient).items():
            if hasattr(engine.Embedded, name) and not name.startswith("_"):
                monkeypatch.setattr(EdgeClient, name, guarded(method, asked, names))
        yield names


def test_no_writer_waits_for_the_index(
    calls: list[str], services: Services, tmp_path: Path
) -> None:
    """Whatever is asked or changed: the index is called outside of write transactions."""
    works(tmp_path / "more" / "artist-3", 901, 902)
    ingest(services, tmp_path / "more")
    ask_about(services, tmp_path)
    services.attributor.search(SearchQuery(text="boat"))
    first, second, *rest = sorted(ids_of(services, "artist-0"))
    correction.correct(services, first, {"title": "harbour"}, US)
    moved = correction.move(services, second, "artist-1", US)
    undo(services, moved.id, US)
    correction.split(services, "artist-0", rest[:1], "Zoë", US)
    correction.rename(services, "artist-1", "Ann", US)
    merged = correction.merge(services, "artist-2", "artist-1", US, is_confirmed=True)
    undo(services, merged.id, US)
    withdraw(services, str(first), reason="asked for")
    withdraw(services, "artist-1", reason="asked for")
    assert reconcile(services, repair=True).is_clean

    assert {"upsert", "delete", "query_batch_points", "retrieve", "scroll", "count"} <= set(calls)


def test_a_call_in_a_write_transaction_is_seen(calls: list[str], services: Services) -> None:
    """The guard can fail; reading sessions are no matter."""
    with services.sessions():
        services.index.points()
    with services.sessions.begin() as session:
        session.connection()
        with pytest.raises(AssertionError, match="count in a write transaction"):
            services.index.points()
    assert calls


def test_a_lookup_asks_little(
    services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statements and transactions of a stranger's lookup stay under a bound."""
    monkeypatch.setattr(gaps, "EVERY_S", 600.0)  # what is looked at now and then is no lookup's
    ask_about(services, tmp_path, seed=777)  # the classifier is solved

    with watched() as asked:
        ask_about(services, tmp_path, seed=778)

    assert len(asked.statements) <= STATEMENTS, "\n".join(asked.statements)
    assert asked.transactions <= TRANSACTIONS
