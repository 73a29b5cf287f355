"""Keys to the HTTP API: as use cases on each engine, and on the command line."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from api.http import serving
from attribution.actors import ROLES, Actor, Role, Scope, acting
from attribution.catalogue import queries
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database
from attribution.catalogue.models import KeyState
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.errors import BackendUnavailable, Conflict, NotAllowed, NotFound, Unauthenticated
from attribution.logs import TOKEN
from attribution.upkeep import keys
from attribution.upkeep.keys import NewKey
from tests.keys import make_key


@pytest.fixture
def stores(database: Database, database_url: str, tmp_path: Path) -> Iterator[Stores]:
    """Open an empty collection, on each engine."""
    del database  # its tables are there
    with open_stores(Settings(home=tmp_path / "home", database_url=database_url)) as opened:
        yield opened


def test_a_token_says_who_calls(stores: Stores) -> None:
    """By name, scopes and artists; what is kept is not the token."""
    with stores.sessions.begin() as session:
        queries.get_or_create_artist(session, "Ann Example")
    assert not keys.any_exist(stores)
    issued = keys.create(
        stores,
        NewKey("agent", Role.CONTRIBUTOR, artists=["ann-example"], expires_at=now() + timedelta(1)),
    )
    actor = keys.authenticate(stores, issued.token)

    assert actor.name == f"key {issued.row.prefix} (agent)"
    assert actor.scopes == ROLES[Role.CONTRIBUTOR]
    assert actor.artists == {"ann-example"}
    assert keys.any_exist(stores)
    assert issued.token.startswith(issued.row.prefix)
    assert issued.token not in str(vars(issued.row))
    assert len({make_key(stores.settings, Role.READER).token for _ in range(3)}) == 3


def test_use_is_noted_once_a_minute(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a key opens what it opens where nothing can be noted."""
    issued = keys.create(stores, NewKey("desk", Role.READER))

    def used() -> datetime | None:
        return keys.find(stores, issued.row.prefix).last_used_at

    assert used() is None
    keys.authenticate(stores, issued.token)
    first = used()
    keys.authenticate(stores, issued.token)
    assert first is not None
    assert used() == first
    later = first + timedelta(seconds=61)
    monkeypatch.setattr(keys, "now", lambda: later)
    keys.authenticate(stores, issued.token)
    assert used() != first

    def fail(*_: object, **__: object) -> None:
        raise BackendUnavailable("the disk is full")

    monkeypatch.setattr(keys, "now", lambda: later + timedelta(hours=1))
    monkeypatch.setattr(queries, "note_key_used", fail)
    assert keys.authenticate(stores, issued.token)


def test_rotating_keeps_what_a_key_may_and_how_long(stores: Stores) -> None:
    """The old token opens nothing, and both stay in the list."""
    end = now() + timedelta(days=30)
    new = NewKey("desk", Role.REVIEWER, scopes=[Scope.GENERATE], expires_at=end)
    old = keys.create(stores, new)
    rotated = keys.rotate(stores, old.row.id)

    with pytest.raises(Unauthenticated, match="was revoked on"):
        keys.authenticate(stores, old.token)
    assert keys.authenticate(stores, rotated.token).scopes == {
        Scope.READ,
        Scope.LOOK_UP,
        Scope.REVIEW,
        Scope.CASES,
        Scope.GENERATE,
    }
    assert rotated.row.expires_at is not None
    assert timedelta(0) <= rotated.row.expires_at - end < timedelta(minutes=1)
    with stores.sessions() as session:
        listed = queries.list_keys(session).items
    assert [row.state for row in listed] == [KeyState.ACTIVE, KeyState.REVOKED]
    for again in (keys.rotate, keys.revoke):
        with pytest.raises(Conflict, match="was revoked on"):
            again(stores, old.row.id)


def test_nobody_gives_more_than_they_have(stores: Stores) -> None:
    """Neither by a new key nor by the token of one that may do more."""
    auditors = keys.create(stores, NewKey("auditor", Role.AUDITOR))
    operator = Actor("key lk_00000000 (operator)", ROLES[Role.OPERATOR])

    with acting(operator):
        with pytest.raises(NotAllowed, match="may not audit, so it cannot"):
            keys.create(stores, NewKey("mine", Role.AUDITOR))
        with pytest.raises(NotAllowed, match="may not audit, so it cannot"):
            keys.rotate(stores, auditors.row.id)
    assert keys.authenticate(stores, auditors.token).scopes == ROLES[Role.AUDITOR]


def test_what_is_done_with_keys_is_audited(stores: Stores) -> None:
    """Who made, rotated and revoked which key; never a token."""
    with acting(Actor("Bob")):
        made = keys.create(stores, NewKey("desk", Role.READER))
        rotated = keys.rotate(stores, made.row.id)
        keys.revoke(stores, rotated.row.id)
    with stores.sessions() as session:
        entries = queries.entries_from(session, 1, 10)
    noted = [one for one in entries if one.action.endswith("-key")]

    assert [one.action for one in noted] == ["create-key", "rotate-key", "revoke-key"]
    assert {one.actor for one in noted} == {"Bob"}
    assert noted[1].details["instead_of"] == made.row.prefix
    assert not any(made.token[12:] in str(one.details) for one in noted)


def test_unknown_keys_are_named_by_their_beginning(stores: Stores) -> None:
    """Somebody who gives the whole token does not see it again."""
    token = "lk_12345678_" + "secret" * 8

    with pytest.raises(NotFound, match="no key 'lk_12345678'") as caught:
        keys.find(stores, token)
    assert "secret" not in str(caught.value)


# ---- the command line ----------------------------------------------------------------------------


def lawful_in(home: Path, *words: str) -> Result:
    """Run a command in this process."""
    env = {"LAWFUL_HOME": str(home), "LAWFUL_PROFILE": "stub", "COLUMNS": "120"}
    return CliRunner().invoke(app, words, env=env)


def test_keys_on_the_command_line(tmp_path: Path) -> None:
    """The token alone is on stdout; the list has everything else, for people and for scripts."""
    home = tmp_path / "home"
    empty = lawful_in(home, "keys", "list")
    assert "make the first key with `lawful keys create NAME --role operator`" in empty.stdout

    asked = ("rights desk", "--role", "reviewer", "--scope", "generate")
    made = lawful_in(home, "keys", "create", *asked)
    token = made.stdout.strip()
    assert TOKEN.fullmatch(token)
    assert token not in made.stderr
    listed = lawful_in(home, "keys", "list", "--json")
    (row,) = map(json.loads, listed.stdout.splitlines())
    assert row["scopes"] == ["cases", "generate", "lookup", "read", "review"]
    assert row["issued_by"].startswith("command line (")

    rotated = json.loads(lawful_in(home, "keys", "rotate", row["prefix"], "--json").stdout)
    assert TOKEN.fullmatch(rotated["token"])
    revoked = lawful_in(home, "keys", "revoke", rotated["prefix"])
    assert revoked.stdout == f"revoked: {rotated['prefix']} (rights desk)\n"
    shown = lawful_in(home, "keys", "list")
    for text in ("rights desk", "reviewer + generate", "revoked 2", "never"):
        assert text in " ".join(shown.stdout.split())
    assert token not in shown.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "desk"], "the key may do nothing: give a role (reader, contributor"),
        (["create", "", "--role", "reader"], "the name of the key is empty"),
        (["create", "d", "--role", "contributor", "--artist", "x"], "no artist 'x'"),
        (
            ["create", "d", "--role", "reader", "--expires", "2020-01-31"],
            "2020-01-31 23:59 UTC",
        ),
        (["revoke", "lk_12345678"], "no key 'lk_12345678'; `lawful keys list` shows them"),
    ],
)
def test_bad_input(tmp_path: Path, words: list[str], said: str) -> None:
    """What is said names the value and the way out."""
    done = lawful_in(tmp_path / "home", "keys", *words)

    assert done.exit_code == 1
    assert said in str(done.exception)


def test_the_service_does_not_open_itself_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a key it starts on loopback only, and says how the first one is made."""
    home = tmp_path / "home"
    refused = lawful_in(home, "serve", "--host", "0.0.0.0")  # noqa: S104  what is refused
    assert isinstance(refused.exception, Conflict)
    assert "make the first key with `lawful keys create NAME" in str(refused.exception)

    served: list[str] = []

    def run(_: object, *, host: str, port: int, when_ready: Callable[[], None]) -> None:
        served.append(f"{host}:{port}")
        when_ready()

    monkeypatch.setattr(serving, "run", run)
    on_loopback = lawful_in(home, "serve")
    make_key(Settings(home=home, profile="stub"), Role.OPERATOR)
    everywhere = lawful_in(home, "serve", "--host", "0.0.0.0")  # noqa: S104

    assert served == ["127.0.0.1:8000", "0.0.0.0:8000"]
    assert "anyone on this machine is let in; make the first key" in on_loopback.stderr
    assert everywhere.stderr == "the console: http://localhost:8000/console\n"


# ---- what others on the machine may read ---------------------------------------------------------


def test_a_collection_is_closed_to_other_users(tmp_path: Path) -> None:
    """Folder, database and its log; those of an earlier version are closed when they are opened."""
    home = tmp_path / "home"
    for _ in range(2):
        with open_stores(Settings(home=home, profile="stub")) as opened:
            keys.create(opened, NewKey("desk", Role.READER))
            files = sorted(home.glob("lawful.db*"))
            assert len(files) == 3
            assert {mode(path) for path in files} == {0o600}
            assert mode(home) == 0o700
        home.chmod(0o755)
        (home / "lawful.db").chmod(0o644)


@pytest.mark.parametrize(("permissions", "holds"), [(0o1777, ""), (0o755, "somebody's")])
def test_a_folder_that_many_share_stays_theirs(
    tmp_path: Path, permissions: int, holds: str
) -> None:
    """Such as /tmp, or /srv with the files of other services."""
    shared = tmp_path / "shared"
    (shared / holds).mkdir(parents=True)
    shared.chmod(permissions)
    for _ in range(2):
        with open_stores(Settings(home=shared, profile="stub")):
            pass

    assert mode(shared) == permissions
    assert mode(shared / "lawful.db") == 0o600


def mode(path: Path) -> int:
    """Return the permissions of a file."""
    return stat.S_IMODE(path.stat().st_mode)
