# ruff: noqa: S608  our own names
"""The audit: everything that is done has an entry, and what is altered later is found."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from api.http.app import create_app
from attribution.actors import Actor, Role, acting
from attribution.arithmetic import commitments
from attribution.catalogue import chain, queries, sealed
from attribution.catalogue.columns import now
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import (
    ApiKey,
    AuditEntry,
    AuditHead,
    Change,
    ChangeRow,
    Claim,
    RecordedAttribution,
)
from attribution.catalogue.queries import Origin
from attribution.catalogue.verification import Findings, Head, verify
from attribution.collection import Stores, open_stores
from attribution.config import Settings
from attribution.errors import BadInput, Conflict, NotFound, RecordAltered, Unauthenticated
from attribution.images import CheckedImage, read_image
from attribution.provenance import load_signer
from attribution.provenance.development import make_development_chain
from attribution.provenance.statements import read_statement, sign_statement
from attribution.services import Services, open_services
from attribution.upkeep import correction, erasing, keys, webhooks
from attribution.upkeep.erasing import Erased
from attribution.upkeep.keys import NewKey
from attribution.upkeep.non_copies import declare
from attribution.upkeep.webhooks import NewWebhook
from attribution.upkeep.withdrawal import withdraw
from tests.apis import is_problem, local_client, png
from tests.asking import a_work
from tests.commands import lawful
from tests.corrections import US, merge, take_back
from tests.databases import at_once
from tests.homes import copy_home
from tests.keys import bearing, make_key
from tests.portfolios import picture
from tests.signing import Key, signing_settings, write_chain

REVIEWER = Origin("test", "seen side by side", "Rita")
TITLE = "Sunrise over Gamla Stan"  # of the work that is withdrawn
KEYS = {  # of the tables that are vouched for
    "audit_entries": ["sequence"],
    "audit_head": ["id"],
    "attributions": ["id"],
    "changes": ["id"],
    "withdrawals": ["id"],
    "api_keys": ["id"],
    "webhooks": ["id"],
    "non_copies": ["id"],
    "change_works": ["change_id", "artwork_id"],
    "change_claims": ["change_id", "artwork_id", "artist_id"],
    "change_rows": ["change_id", "row_id"],
}
NOT_VOUCHED = {table: set[str]() for table in KEYS} | {
    "changes": {"completed_at"},
    "audit_head": {"checked", "kinds"},
    "api_keys": {"last_used_at"},
    "change_works": {"tenant"},
}
"""What follows a record and is none: when the index followed, how far was verified."""
OTHERS: dict[str, tuple[object, ...]] = {
    "kind": ("correct", "move"),
    "role": ("operator", "reader"),
    "passed_on": (0, 1),
    "after": ("found", "review"),  # of webhooks; of changes it is what a work was like
}
"""Values of columns that take a few alone."""
MARK = "removed"  # in an answer: when something was withdrawn from it, which a receipt says


def checked(seed: int) -> CheckedImage:
    """Return a picture as one that came from outside."""
    buffer = io.BytesIO()
    picture(seed).save(buffer, "PNG")
    return read_image(buffer.getvalue())


def found(database: Database, **how: Any) -> Findings:
    """Verify all records."""
    return verify(database.sessions, lambda *_: None, **how)


@dataclass(frozen=True)
class Lived:
    """A home in which much was done, and the ids of what was."""

    home: Path
    answer: UUID  # about a work that was withdrawn later


@pytest.fixture(scope="module")
def lived_once(ingested_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    """Look up, correct, merge, undo, declare and withdraw in a collection."""
    home = copy_home(ingested_once / "home", tmp_path_factory.mktemp("lived") / "home")
    with open_services(Settings(home=home, profile="stub")) as services:
        first, second = (a_work(services, title=f"work-{n}") for n in range(2))
        correction.correct(services, first.id, {"title": TITLE}, US)
        image = checked(100)
        with acting(Actor("key lk_12345678 (rights desk)")):
            answer = services.attributor.attribute(image)
        services.attributor.attribute(checked(77))
        take_back(services, merge(services, "artist-0"))
        declare(services, checked(78).facts, a_work(services, "artist-2").id, REVIEWER)
        declare(services, checked(79).facts, first.id, REVIEWER)
        claim(services, a_work(services, "artist-0").id, "artist-1")  # is passed on
        claim(services, first.id, "artist-2")  # is settled
        merge(services, "artist-1")
        made = keys.create(services, NewKey("desk", Role.REVIEWER, expires_at=now() + timedelta(1)))
        keys.create(services, NewKey("agent", Role.CONTRIBUTOR, artists=["artist-0"]))
        keys.rotate(services, made.row.id)
        ended = webhooks.create(services, NewWebhook("https://rights.example.org/"))
        webhooks.create(services, NewWebhook("https://art.example.org/", artists=["artist-0"]))
        webhooks.end(services, ended.id)
        withdraw(services, str(first.id), reason="asked for")
        correction.correct(services, second.id, {"year": 1999}, US)
        with services.sessions.begin() as session:
            chain.note(session, "report", f"attribution:{answer.id}", pages=1)
    return Lived(home, answer.id)


def claim(services: Services, work: UUID, slug: str) -> None:
    """Have an artist claim a work of another."""
    with services.sessions.begin() as session:
        artist = queries.artist_by_slug(session, slug)
        session.add(Claim(artwork_id=work, artist_id=artist.id, path=f"{slug}.png"))


@pytest.fixture
def lived(lived_once: Lived, tmp_path: Path) -> Iterator[Database]:
    """Open the database of a copy."""
    home = copy_home(lived_once.home, tmp_path / "home")
    database = connect(f"sqlite:///{home / 'lawful.db'}")
    yield database
    database.dispose()


def test_everything_that_was_done_has_an_entry(lived: Database) -> None:
    """In one chain, in the order in which it was done; nothing is wrong with it."""
    with lived.sessions() as session:
        rows = session.scalars(select(AuditEntry).order_by(AuditEntry.sequence)).all()
    actions = [row.action for row in rows]

    assert [row.sequence for row in rows] == list(range(1, len(rows) + 1))
    assert actions[0] == "begin"
    for action in ("lookup", "correct", "merge", "undo", "declare", "withdraw", "forget", "report"):
        assert action in actions, actions
    for action in ("create-key", "rotate-key", "create-webhook", "end-webhook"):
        assert action in actions, actions
    assert rows[actions.index("lookup")].actor == "key lk_12345678 (rights desk)"
    assert found(lived).told == []
    assert found(lived).head == Head(len(rows), rows[-1].digest)


def test_a_withdrawn_work_is_forgotten_and_the_chain_holds(
    lived: Database, lived_once: Lived
) -> None:
    """What the answer said of it is gone with its salt, and a receipt says which."""
    with lived.sessions() as session:
        row = session.get_one(RecordedAttribution, lived_once.answer)
        gone = {leaf: one for leaf, one in row.seal.items() if "commitment" in one}
        text = json.dumps([row.answer, row.seal, session.scalars(select(Change.after)).all()])

    assert TITLE not in text
    assert len(gone) == 1
    assert not found(lived).told


def tamper(draw: st.DrawFn, database: sqlite3.Connection) -> str:
    """Alter, remove, insert or reorder one row; returns what was done."""
    table = draw(st.sampled_from(sorted(KEYS)))
    key = KEYS[table]
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    rows = database.execute(f"SELECT {', '.join(key)} FROM {table} ORDER BY {', '.join(key)}")
    ids = [tuple(row) for row in rows]
    victim = draw(st.sampled_from(ids))
    that = " AND ".join(f"{name} = ?" for name in key)
    how = draw(st.sampled_from(["alter", "alter", "remove", "copy", "swap"]))
    if how == "remove":
        database.execute(f"DELETE FROM {table} WHERE {that}", victim)
    elif how == "swap" and table == "audit_entries":
        (first,) = victim
        (other,) = draw(st.sampled_from([one for one in ids if one != victim]))
        for old, new in ((first, -1), (other, first), (-1, other)):
            database.execute("UPDATE audit_entries SET sequence = ? WHERE sequence = ?", [new, old])
    elif how == "copy" and not table.startswith("audit") and table != "non_copies":
        anew = {key[-1]: uuid4().hex, "undoes_id": None, "merged_slug": None, "prefix": "lk_other"}
        row = database.execute(f"SELECT * FROM {table} WHERE {that}", victim).fetchone()
        values = [anew.get(name, old) for name, old in zip(columns, row, strict=True)]
        database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    else:
        name = draw(st.sampled_from([one for one in columns if one not in NOT_VOUCHED[table]]))
        (old,) = database.execute(f"SELECT {name} FROM {table} WHERE {that}", victim).fetchone()
        new = altered(draw, old, name)
        database.execute(f"UPDATE {table} SET {name} = ? WHERE {that}", [new, *victim])
        return f"{table}.{name} of {victim}: {old!r} became {new!r}"
    return f"{how} {table} {victim}"


def altered(draw: st.DrawFn, old: Any, name: str) -> Any:
    """Return another value of the same kind."""
    if name.endswith("at"):
        return "1999-12-31 00:00:00.000000"
    if name in OTHERS and (name != "after" or old in OTHERS[name]):
        return next(one for one in OTHERS[name] if one != old)
    if isinstance(old, int) or name == "sealed":
        return (old or 0) + draw(st.sampled_from([1_000, 2_000]))
    if name.endswith("id"):
        return uuid4().hex
    if not isinstance(old, str) or old[:1] != "{":
        return f"{old or ''}x"
    value = json.loads(old)
    of_these = sorted(one for one in value if one != MARK)
    value[draw(st.sampled_from(of_these)) if of_these else "more"] = {"other": 1}
    return json.dumps(value)


@pytest.fixture(scope="module")
def victim(lived_once: Lived, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep a database to alter, again and again."""
    file = tmp_path_factory.mktemp("victim") / "lawful.db"
    with closing(sqlite3.connect(lived_once.home / "lawful.db")) as database:
        database.execute("VACUUM INTO ?", [str(file)])
    return file


@examples(max_examples=200, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_tampered_with_is_found(victim: Path, data: st.DataObject) -> None:
    """One row of the audit itself, or of a table that it vouches for, is enough."""
    file = victim.with_name("tampered.db")
    for old in victim.parent.glob("tampered.db*"):
        old.unlink()
    shutil.copyfile(victim, file)
    with closing(sqlite3.connect(file)) as database, database:
        done = data.draw(st.composite(tamper)(database))
    database_ = connect(f"sqlite:///{file}")
    try:
        assert found(database_).faults, done
    finally:
        database_.dispose()


def test_a_chain_that_was_made_anew_is_found_by_a_published_head(lived: Database) -> None:
    """Whoever can write may cut the end off and set the head back: the chain itself is whole."""
    published = found(lived).head
    with lived.sessions() as session:
        last = session.get_one(AuditEntry, published.sequence)
        before = session.get_one(AuditEntry, published.sequence - 1)
        assert last.action == "report"  # no row of a table misses it
    with lived.engine.execution_options(writes=True).begin() as connection:
        connection.execute(delete(AuditEntry).where(AuditEntry.sequence == last.sequence))
        head = {"sequence": before.sequence, "digest": before.digest}
        connection.execute(update(AuditHead).values(**head))

    assert not found(lived).told
    (told,) = found(lived, published=published).told
    assert told == f"entry {published.sequence}, whose digest was published, is missing"
    later = Head(before.sequence, "0" * 64)
    assert "another digest than the one that was published" in found(lived, published=later).told[0]


def forged(database: Database, statements: Callable[[Session], object]) -> list[str]:
    """Write into a database as somebody who knows how it works; return what is found."""
    head = found(database).head
    with (
        database.engine.execution_options(writes=True).connect() as connection,
        Session(connection) as session,  # none of ours: it writes no audit
    ):
        statements(session)
        session.commit()
        connection.commit()
    return found(database, published=head).told


def test_an_entry_has_no_commitments(lived: Database) -> None:
    """Else anybody could put another actor in the place of one."""

    def forge(session: Session) -> None:
        entry = session.get_one(AuditEntry, 3)
        gone = commitments.commitments(chain.entry_leaves(entry), entry.seal)["actor"]
        entry.seal = entry.seal | {"actor": {"commitment": gone, "receipt": ""}}
        entry.actor = "somebody else"

    assert any("entry 3" in told for told in forged(lived, forge))


@pytest.mark.parametrize("place", [-1, 0, 2**62])
def test_nothing_lies_outside_of_the_chain(lived: Database, place: int) -> None:
    """An answer that names an entry where none is looked at."""

    def forge(session: Session) -> None:
        session.execute(update(RecordedAttribution).values(sealed=place))

    assert any("outside of the chain" in told for told in forged(lived, forge))


@pytest.mark.parametrize("altered", ["reason = 'forged'", "reason = 'forged', sealed = NULL"])
def test_what_was_altered_is_not_vouched_for_by_the_next_merge(
    lived_once: Lived, tmp_path: Path, altered: str
) -> None:
    """A correction is altered, then passed on by a merge: it goes on to be wrong."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with open_services(Settings(home=home, profile="stub")) as services:
        with services.sessions() as session:
            row = session.scalars(select(Change).where(Change.kind == "undo")).first()
            assert row
        with closing(sqlite3.connect(home / "lawful.db")) as file, file:
            wanted = f"UPDATE changes SET {altered} WHERE id = ?"
            file.execute(wanted, [row.id.hex])
        with services.sessions.begin() as session:
            chain.amended(session, Change, [row.id])
        told = verify(services.sessions, lambda *_: None).told
    faults = ["does not say what was recorded", f"does not know of entry {row.sealed}"]
    assert told[0].startswith(f"change {row.id} {faults['NULL' in altered]}")


def test_an_amendment_of_what_stays_is_a_fault(lived: Database) -> None:
    """An entry that is added for an old answer, as the program itself never does."""
    with lived.sessions.begin() as session:
        row = session.scalars(select(RecordedAttribution)).first()
        assert row
        chain.note(session, "amend", f"attribution:{row.id}", digest="0" * 64)
    assert any("amends what nothing may amend" in told for told in found(lived).told)


def test_a_head_is_looked_at_wherever_the_walk_begins(lived: Database) -> None:
    """Also one before the first entry that is verified."""
    other = Head(2, "0" * 64)
    (told,) = found(lived, since=5, published=other).told
    assert told == "entry 2 has another digest than the one that was published"


def test_a_head_that_was_removed_is_a_fault(lived_once: Lived, tmp_path: Path) -> None:
    """Command line, pages and API tell of it in words; nothing is recorded meanwhile."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with local_client(create_app(Settings(home=home, profile="stub"))) as client:
        with closing(sqlite3.connect(home / "lawful.db")) as database, database:
            database.execute("DELETE FROM audit_head")
            database.execute("DELETE FROM api_keys")
        shown = client.get("/console/insight/audit")
        verified = client.post("/console/insight/audit/verify")
        assert client.get("/v1/audit").status_code == 200
        asked = client.post("/v1/attributions", files={"image": ("q.png", png(1))})
    for page in (shown, verified):
        assert page.status_code == 200
        assert chain.NO_HEAD in page.text
    assert chain.NO_HEAD in is_problem(asked, 500, "record-altered")["detail"]
    wrong = lawful(home, "audit", "verify", "--json")
    assert (wrong.returncode, json.loads(wrong.stdout)["told"][0]) == (4, chain.NO_HEAD)
    told = lawful(home, "audit", "head")
    assert (told.returncode, "head of the audit" in told.stderr) == (1, True), told.stderr
    assert lawful(home, "reconcile").returncode == 4


def test_the_end_alone_can_be_verified(lived: Database) -> None:
    """From an entry on: what is before it is taken as it is."""
    everything = found(lived)
    end = found(lived, since=everything.entries - 1)

    assert (end.entries, end.told) == (2, [])
    assert sum(end.rows.values()) < sum(everything.rows.values())


@pytest.mark.parametrize(
    "altered",
    [
        "role = 'operator'",
        "scopes = '[\"audit\"]'",
        "artists = '[]'",
        "expires_at = NULL",
        "revoked_at = NULL",
        "tenant = 'theirs'",
        "role = 'operator', sealed = NULL",
    ],
)
def test_an_altered_key_opens_nothing(tmp_path: Path, altered: str) -> None:
    """Whatever somebody has given it in the database; and verifying finds it."""
    new = NewKey("agent", Role.CONTRIBUTOR, artists=["ann"], expires_at=now() + timedelta(days=1))
    with open_stores(Settings(home=tmp_path / "home")) as stores:
        with stores.sessions.begin() as session:
            queries.get_or_create_artist(session, "Ann")
        made, other = keys.create(stores, new), keys.create(stores, new)
        assert keys.authenticate(stores, made.token).artists == {"ann"}
        if altered.startswith("revoked"):
            keys.revoke(stores, made.row.id)
        with closing(sqlite3.connect(tmp_path / "home" / "lawful.db")) as file, file:
            file.execute(f"UPDATE api_keys SET {altered} WHERE id = ?", [made.row.id.hex])
        with pytest.raises(Unauthenticated, match="was altered in the database") as refused:
            keys.authenticate(stores, made.token)
        assert refused.value.why == "altered-key"
        assert keys.authenticate(stores, other.token).artists == {"ann"}
        assert any(
            f"key {made.row.id}" in one for one in verify(stores.sessions, lambda *_: None).told
        )


def test_a_key_that_was_put_there_opens_nothing(tmp_path: Path) -> None:
    """Neither a row without an entry, nor one of before it was revoked; nor is one rotated."""
    with open_stores(Settings(home=tmp_path / "home")) as stores:
        made = keys.create(stores, NewKey("desk", Role.READER))
        revoked = keys.create(stores, NewKey("desk", Role.OPERATOR))
        with closing(sqlite3.connect(tmp_path / "home" / "lawful.db")) as file, file:
            wanted = "SELECT * FROM api_keys WHERE id = ?"
            (before,) = file.execute(wanted, [revoked.row.id.hex])
            keys.revoke(stores, revoked.row.id)
            file.execute("DELETE FROM api_keys WHERE id = ?", [revoked.row.id.hex])
            marks = ", ".join("?" * len(before))
            file.execute(f"INSERT INTO api_keys VALUES ({marks})", before)
            new = "role = 'operator', sealed = NULL, id = ?"
            file.execute(f"UPDATE api_keys SET {new} WHERE id = ?", [uuid4().hex, made.row.id.hex])
        for one in (made, revoked):
            with pytest.raises(Unauthenticated, match="was altered in the database"):
                keys.authenticate(stores, one.token)
            with pytest.raises(Conflict, match="was altered in the database"):
                keys.rotate(stores, keys.find(stores, one.row.prefix).id)


def test_an_altered_answer_is_not_shown(lived_once: Lived, tmp_path: Path) -> None:
    """Neither recalled nor reported: nobody is to take a forgery for what was said."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with open_services(Settings(home=home, profile="stub")) as services:
        assert services.attributor.recall(lived_once.answer).verdict == "copy"
        with services.sessions.begin() as session:
            row = session.get_one(RecordedAttribution, lived_once.answer)
            forged = row.answer | {"verdict": "abstain"}
        with closing(sqlite3.connect(home / "lawful.db")) as database, database:
            wanted = "UPDATE attributions SET answer = ? WHERE id = ?"
            database.execute(wanted, [json.dumps(forged), lived_once.answer.hex])
        with pytest.raises(RecordAltered, match="does not say what was recorded"):
            services.attributor.recall(lived_once.answer)


def test_a_transaction_that_fails_leaves_no_entry(lived: Database) -> None:
    """Nothing was done, so nothing is said; the next one goes on from the last entry."""
    before = found(lived).head

    def fail() -> None:
        with lived.sessions.begin() as session:
            chain.note(session, "report", "attribution:none")
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert found(lived).head == before
    with lived.sessions.begin() as session:
        chain.note(session, "report", "attribution:some")
    assert found(lived).head.sequence == before.sequence + 1


def test_settings_are_recorded_when_they_change(lived_once: Lived, tmp_path: Path) -> None:
    """Those that were chosen, once, and no secret."""
    home = copy_home(lived_once.home, tmp_path / "home")
    chosen = Settings(
        home=home,
        profile="stub",
        broker_url="redis://:hidden@redis:6379/0?password=hidden",
        qdrant_api_key=SecretStr("hidden"),
    )
    for settings in (chosen, chosen, Settings(home=home, profile="stub", device="cpu")):
        with open_services(settings):
            pass
    database = connect(f"sqlite:///{home / 'lawful.db'}")
    with database.sessions() as session:
        wanted = select(AuditEntry.details).where(AuditEntry.action == "settings")
        *_, first, second = session.scalars(wanted.order_by(AuditEntry.sequence)).all()
    database.dispose()

    assert first["chosen"]["broker_url"] == "redis://redis:6379/0"
    assert "hidden" not in json.dumps(first)
    assert second["chosen"].keys() == {"home", "profile", "device"}


def test_writers_at_the_same_time_make_one_chain(database: Database) -> None:
    """None is lost, none is numbered twice, on a file and on a server."""

    def write(number: int) -> None:
        with database.sessions.begin() as session:
            queries.record_attribution(session, answer(number))
            chain.note(session, "report", f"attribution:{number}")

    at_once(write, range(8))
    told = found(database)
    assert (told.told, told.entries, told.rows["attribution"]) == ([], 17, 8)


def answer(number: int) -> dict[str, Any]:
    """Return an answer that names nobody, as it is recorded."""
    return {
        "id": str(UUID(int=number + 1)),
        "created_at": "2026-11-27T12:00:00+00:00",
        "image_sha256": f"{number:064x}",
        "verdict": "abstain",
        "searched": {"fingerprint": "f"},
        "artists": [],
    }


ANN, BOB = "oidc 42 (ann)", "oidc 43 (bob)"


@contextmanager
def with_ann(home: Path, entries: int = 5) -> Iterator[Stores]:
    """Open a collection in whose audit somebody has entries, between those of others."""
    with open_stores(Settings(home=home, profile="stub")) as stores:
        for number in range(entries):
            for name in (BOB, ANN):
                with acting(Actor(name)), stores.sessions.begin() as session:
                    chain.note(session, "report", f"attribution:{number}")
        yield stores


def actors(stores: Stores) -> Counter[str]:
    """Count the entries by actor."""
    with stores.sessions() as session:
        return Counter(session.scalars(select(AuditEntry.actor)))


def test_a_name_is_erased_and_the_chain_holds(lived_once: Lived, tmp_path: Path) -> None:
    """From what there is, not from what comes; an entry says so. The file has it nowhere."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with with_ann(home) as stores:
        before = verify(stores.sessions, lambda *_: None)
        done = erasing.erase(stores, ANN, "asked for")
        with acting(Actor("oidc 44 (eve)")), pytest.raises(NotFound, match="has no entry of"):
            erasing.erase(stores, ANN, "asked for again")
        assert ANN.encode() not in b"".join(one.read_bytes() for one in home.glob("lawful.db*"))
        found = verify(stores.sessions, lambda *_: None, published=before.head)
        with stores.sessions() as session:
            last = queries.entries_from(session, before.entries + 1, 10)

        assert (done, found.told) == (Erased(5, has_more=False, is_in_log=False), [])
        assert (actors(stores)[ANN], actors(stores)["erased"]) == (0, 5)
        assert [(one.action, one.details["reason"]) for one in last] == [("erase", "asked for")]
        with acting(Actor(ANN)), stores.sessions.begin() as session:
            chain.note(session, "report", "attribution:later")
        assert actors(stores)[ANN] == 1
        assert not verify(stores.sessions, lambda *_: None).told


def test_an_erasure_that_is_cut_off_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each slice is whole: the chain verifies after every one, and the next run does the rest."""
    monkeypatch.setattr(erasing, "AT_ONCE", 2)
    with with_ann(tmp_path / "home", entries=7) as stores:
        with monkeypatch.context() as patch:
            erase, slices = chain.erase, iter(range(2))

            def killed(*args: Any, **values: Any) -> int:
                count = erase(*args, **values)
                if next(slices, None) is None:
                    raise KeyboardInterrupt  # before this slice is committed
                return count

            patch.setattr(chain, "erase", killed)
            with pytest.raises(KeyboardInterrupt):
                erasing.erase(stores, ANN, "asked for")
        assert (actors(stores)[ANN], verify(stores.sessions, lambda *_: None).told) == (3, [])
        assert erasing.erase(stores, ANN, "asked for", most=2).has_more
        assert erasing.erase(stores, ANN, "asked for").entries == 1
        assert (actors(stores)[ANN], verify(stores.sessions, lambda *_: None).told) == (0, [])


def test_somebody_may_have_their_own_name_erased(tmp_path: Path) -> None:
    """It ends, though the entry that says so has the name again."""
    with with_ann(tmp_path / "home") as stores, acting(Actor(ANN)):
        assert erasing.erase(stores, ANN, "mine").entries == 5
        assert actors(stores)[ANN] == 1


@pytest.mark.parametrize("how", ["no erasure", "another's erasure", "another name"])
def test_a_name_that_goes_without_an_erasure_is_found(tmp_path: Path, how: str) -> None:
    """Only the entries that an erasure lists have lost their actor, and to the one word."""
    with with_ann(tmp_path / "home") as stores:
        erasing.erase(stores, ANN, "asked for")
        head = verify(stores.sessions, lambda *_: None).head
        with stores.sessions() as session:
            reports = select(AuditEntry).where(AuditEntry.action == "report")
            other, one = session.scalars(reports.order_by(AuditEntry.sequence).limit(2)).all()
        receipt = one.seal["actor"]["receipt"] if how == "another's erasure" else "erasure:none"
        gone = commitments.forget(chain.entry_leaves(other), other.seal, ["actor"], receipt)
        values = {"actor": "erased", "seal": gone}
        if how == "another name":
            other, values = one, {"actor": BOB}
        database = connect(f"sqlite:///{tmp_path / 'home' / 'lawful.db'}")
        with database.engine.execution_options(writes=True).begin() as connection:
            changed = update(AuditEntry).where(AuditEntry.sequence == other.sequence)
            connection.execute(changed.values(**values))
        database.dispose()

        (told,) = verify(stores.sessions, lambda *_: None, published=head).told
        assert told == f"entry {other.sequence} (report) is not what was recorded"


def test_erasing_over_http(lived_once: Lived, tmp_path: Path) -> None:
    """For auditors alone: those whom the audit is about do not take names out of it."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with with_ann(home) as stores:
        chosen = stores.settings
    auditor, operator = (make_key(chosen, role).token for role in (Role.AUDITOR, Role.OPERATOR))
    asked = {"actor": ANN, "reason": "asked for"}
    with local_client(create_app(chosen)) as client:
        refused = client.post("/v1/audit/erasures", json=asked, headers=bearing(operator))
        is_problem(refused, 403, "scope-missing")
        done = client.post("/v1/audit/erasures", json=asked, headers=bearing(auditor))
        assert done.json() | {"is_in_log": False} == {
            "entries": 5,
            "has_more": False,
            "is_in_log": False,
        }
        again = client.post("/v1/audit/erasures", json=asked, headers=bearing(auditor))
        assert "has no entry of" in is_problem(again, 404, "not-found")["detail"]


def test_since_is_an_entry_or_a_time(lived_once: Lived, tmp_path: Path) -> None:
    """Of every command, and over HTTP; what is neither is told so."""
    home = copy_home(lived_once.home, tmp_path / "home")
    chosen = Settings(home=home, profile="stub")
    exported = lawful(home, "audit", "export").stdout.splitlines()
    entries = [json.loads(line) for line in exported]
    fifth, count = entries[4], len(entries)
    auditor = bearing(make_key(chosen, Role.AUDITOR).token)  # one entry more
    for since in ("5", fifth["at"], fifth["at"].replace("Z", "+00:00")):
        for command in ("list", "export"):
            more = ["--json", "--limit", "500"] if command == "list" else []
            out = lawful(home, "audit", command, "--since", since, *more)
            numbers = sorted(json.loads(line)["sequence"] for line in out.stdout.splitlines())
            assert numbers == list(range(5, count + 2)), out.stderr
        out = lawful(home, "audit", "verify", "--since", since, "--json")
        assert json.loads(out.stdout)["entries"] == count - 3
    later = lawful(home, "audit", "verify", "--since", "2100-01-01", "--json")
    assert (json.loads(later.stdout)["entries"], later.returncode) == (0, 0)
    for command in ("list", "export", "verify"):
        wrong = lawful(home, "audit", command, "--since", "yesterday")
        assert "'yesterday' is neither the number of an entry nor a time" in wrong.stderr
    with local_client(create_app(chosen), headers=auditor) as client:
        for since in ("5", fifth["at"]):
            found = client.get("/v1/audit", params={"since": since, "limit": 500}).json()["items"]
            assert found[-1]["sequence"] == 5
        answer = client.get("/v1/audit", params={"since": "yesterday"})
        assert "neither the number" in is_problem(answer, 422, "invalid-request")["detail"]


def test_what_was_there_before_is_told_apart(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key, and what a change has in other tables, from before the audit looked after those."""
    before = ("attribution", "change", "withdrawal")
    with monkeypatch.context() as earlier:
        kind = sealed.SEALED["change"]
        alone = replace(kind, leaves=lambda _, rows: {one.id: sealed._change(one) for one in rows})
        earlier.setattr(chain, "COVERED", before)
        earlier.setitem(sealed.SEALED, "change", alone)
        old = _an_alias(database, "Ann")
    _insert_key(database, "lk_00000001")
    assert (found(database).told, found(database).uncovered["key"]) == ([], 1)

    new = _an_alias(database, "Bob")
    assert (found(database).told, found(database).uncovered["key"]) == ([], 1)
    with database.migrating() as connection:
        for change in (old, new):
            connection.execute(
                update(ChangeRow).where(ChangeRow.change_id == change).values(row_id=uuid4())
            )
    assert found(database).told == [f"change {new} does not say what was recorded"]
    _insert_key(database, "lk_00000002")
    assert found(database).told[1:] == [
        "2 rows of kind key have no entry, 1 had none when the audit began"
    ]


def _an_alias(database: Database, name: str) -> UUID:
    """Record a change with a row of its own in another table; returns its id."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, name)
        change = queries.record_alias(session, artist.id, f"{name} too", US)
        session.add(ChangeRow(change_id=change.id, row_id=uuid4()))
        return change.id


def _insert_key(database: Database, prefix: str) -> None:
    """Have a key that no session has made."""
    values = {"name": "k", "sha256": "0" * 64, "scopes": [], "artists": [], "issued_by": "nobody"}
    with database.migrating() as connection:
        connection.execute(insert(ApiKey).values(prefix=prefix, **values))


def test_the_command_line(lived_once: Lived, tmp_path: Path) -> None:
    """List, verify, head and export, and what they say of a forged answer."""
    home = copy_home(lived_once.home, tmp_path / "home")
    make_development_chain(tmp_path, days=2)
    keys = {"sign_cert": str(tmp_path / "chain.pem"), "sign_key": str(tmp_path / "key.pem")}
    head = str(tmp_path / "head.jws")
    listed = lawful(home, "audit", "list", "--action", "withdraw", "--json")
    assert json.loads(listed.stdout)["object"].startswith("withdrawal:")
    own = read_statement(lawful(home, "audit", "head").stdout.strip())[1]
    assert own.subject.rfc4514_string() == "CN=Lawful Diffusion evidence key"

    made = lawful(home, "audit", "head", "--output", head, **keys)
    assert made.returncode == 0, made.stderr
    again = lawful(home, "audit", "verify", "--head", head)
    assert (again.returncode, "nothing was altered" in again.stdout) == (0, True), again.stderr
    out = lawful(home, "audit", "export", "--since", "2").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in out] == list(range(2, len(out) + 2))
    gone = lawful(home, "audit", "erase", "key lk_12345678 (rights desk)", "--reason", "asked for")
    assert (gone.stdout, gone.returncode) == ("the name is gone from 1 entry\n", 0), gone.stderr
    assert lawful(home, "audit", "verify").returncode == 0

    with closing(sqlite3.connect(home / "lawful.db")) as database, database:
        database.execute("UPDATE attributions SET verdict = 'attributed'")
    wrong = lawful(home, "audit", "verify", "--json")
    said = json.loads(wrong.stdout)
    assert (wrong.returncode, said["intact"], said["faults"]) == (4, False, 2)
    assert "does not say what was recorded" in said["told"][0]
    shown = lawful(home, "show", str(lived_once.answer))
    assert (shown.returncode, "was altered in the database" in shown.stderr) == (1, True)
    again = lawful(home, "reconcile", "--json")
    assert (again.returncode, json.loads(again.stdout)["altered"]) == (4, 2)
    (tmp_path / "head.jws").write_text("a.b.c")
    assert "no signed statement" in lawful(home, "audit", "verify", "--head", head).stderr


def test_an_export_is_checked_by_itself(lived_once: Lived, tmp_path: Path) -> None:
    """By what docs/audit.md says, whatever was forgotten and whoever the tenant is."""
    home = copy_home(lived_once.home, tmp_path / "home")
    lawful(home, "tenants", "create", "theirs")
    lawful(home, "keys", "create", "k", "--role", "reader", tenant="theirs")
    entries = [json.loads(line) for line in lawful(home, "audit", "export").stdout.splitlines()]
    before = "0" * 64
    for entry in entries:
        entry["at"] = entry["at"].replace("Z", "+00:00")
        of_parts = {
            part: kept.get("commitment")
            or hmac.digest(
                bytes.fromhex(kept["salt"]), rfc8785.dumps([part, entry[part]]), "sha256"
            ).hex()
            for part, kept in entry["seal"].items()
        }
        record = hashlib.sha256(rfc8785.dumps(of_parts)).hexdigest()
        linked = rfc8785.dumps([before, entry["sequence"], record])
        before = hashlib.sha256(linked).hexdigest()
        assert before == entry["digest"]

    assert {entry["tenant"] for entry in entries} == {"default", "theirs"}


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP521R1()),
        rsa.generate_private_key(65537, 2048),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["P-256", "P-521", "RSA", "Ed25519"],
)
def test_a_statement_is_checked_by_its_certificate(key: Key, tmp_path: Path) -> None:
    """Whatever the key; one letter more, and it is no statement any more."""
    write_chain(tmp_path, key)
    signer = load_signer(signing_settings(tmp_path))
    assert signer
    said = {"sequence": 7, "digest": "f" * 64}

    statement = sign_statement(said, signer)

    assert read_statement(statement)[0] == said
    head, payload, signature = statement.split(".")
    forged = base64.urlsafe_b64encode(b'{"sequence":8}').decode().rstrip("=")
    deep = base64.urlsafe_b64encode(b"[" * 100_000).decode()
    wrongs = (f"{head}.{forged}.{signature}", f"{head}.{payload}.", head, "", f"é.{payload}.", deep)
    for wrong in (*wrongs, base64.urlsafe_b64encode(b"[]").decode()):
        with pytest.raises(BadInput, match="no signed statement"):
            read_statement(wrong)


def test_over_http(lived_once: Lived, tmp_path: Path) -> None:
    """In pages, filtered, with what is needed to check the digests."""
    chosen = Settings(home=copy_home(lived_once.home, tmp_path / "home"), profile="stub")
    auditor = bearing(make_key(chosen, Role.AUDITOR).token)
    with local_client(create_app(chosen), headers=auditor) as client:
        page = client.get("/v1/audit", params={"limit": 3}).json()
        older = client.get("/v1/audit", params={"limit": 3, "cursor": page["next"]}).json()
        lookups = client.get("/v1/audit", params={"object": f"attribution:{lived_once.answer}"})
        assert client.get("/v1/audit", params={"cursor": "x"}).status_code == 422
    numbers = [one["sequence"] for one in page["items"] + older["items"]]
    assert numbers == list(range(numbers[0], numbers[0] - 6, -1))
    assert [one["action"] for one in lookups.json()["items"]] == ["report", "lookup"]
