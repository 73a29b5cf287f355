# ruff: noqa: S608  our own names
"""The audit: everything that is done has an entry, and what is altered later is found."""

from __future__ import annotations

import base64
import io
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from api.http.app import create_app
from attribution.actors import Actor, acting
from attribution.arithmetic import commitments
from attribution.catalogue import chain, queries
from attribution.catalogue.belief import Findings, Head, verify
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import AuditEntry, AuditHead, Change, RecordedAttribution
from attribution.catalogue.queries import Origin
from attribution.config import Settings
from attribution.errors import BadInput, RecordAltered
from attribution.images import CheckedImage, read_image
from attribution.provenance import load_signer
from attribution.provenance.development import make_development_chain
from attribution.provenance.statements import read_statement, sign_statement
from attribution.services import open_services
from attribution.upkeep import correction
from attribution.upkeep.non_copies import declare
from attribution.upkeep.withdrawal import withdraw
from tests.apis import local_client
from tests.asking import a_work
from tests.commands import lawful
from tests.corrections import US, merge, take_back
from tests.databases import at_once
from tests.homes import copy_home
from tests.portfolios import picture
from tests.signing import Key, signing_settings, write_chain

REVIEWER = Origin("test", "seen side by side", "Rita")
TITLE = "Sunrise over Gamla Stan"  # of the work that is withdrawn
TABLES = ("audit_entries", "audit_head", "attributions", "changes", "withdrawals")
NOT_VOUCHED = {table: set[str]() for table in TABLES} | {
    "changes": {"completed_at"},
    "audit_head": {"checked"},
}
"""What follows a record and is none: when the index followed, how far was verified."""
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
        merge(services, "artist-1")
        withdraw(services, str(first.id), reason="asked for")
        correction.correct(services, second.id, {"year": 1999}, US)
        with services.sessions.begin() as session:
            chain.note(session, "report", f"attribution:{answer.id}", pages=1)
    return Lived(home, answer.id)


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
    table = draw(st.sampled_from(TABLES))
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
    key = columns[0]
    ids = [row[0] for row in database.execute(f"SELECT {key} FROM {table} ORDER BY 1")]
    victim = draw(st.sampled_from(ids))
    how = draw(st.sampled_from(["alter", "alter", "remove", "copy", "swap"]))
    if how == "remove":
        database.execute(f"DELETE FROM {table} WHERE {key} = ?", [victim])
    elif how == "swap" and table == "audit_entries":
        other = draw(st.sampled_from([one for one in ids if one != victim]))
        for old, new in ((victim, -1), (other, victim), (-1, other)):
            database.execute(f"UPDATE {table} SET {key} = ? WHERE {key} = ?", [new, old])
    elif how == "copy" and not table.startswith("audit"):
        anew = {key: uuid4().hex, "undoes_id": None, "merged_slug": None}
        row = database.execute(f"SELECT * FROM {table} WHERE {key} = ?", [victim]).fetchone()
        values = [anew.get(name, old) for name, old in zip(columns, row, strict=True)]
        database.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)
    else:
        name = draw(st.sampled_from([one for one in columns if one not in NOT_VOUCHED[table]]))
        (old,) = database.execute(f"SELECT {name} FROM {table} WHERE {key}=?", [victim]).fetchone()
        new = altered(draw, old, name)
        database.execute(f"UPDATE {table} SET {name} = ? WHERE {key} = ?", [new, victim])
        return f"{table}.{name} of {victim}: {old!r} became {new!r}"
    return f"{how} {table} {victim}"


def altered(draw: st.DrawFn, old: Any, name: str) -> Any:
    """Return another value of the same kind."""
    if name.endswith("at"):
        return "1999-12-31 00:00:00.000000"
    if name == "kind":
        return "correct" if old != "correct" else "move"
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


@examples(max_examples=80, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_whatever_is_tampered_with_is_found(victim: Path, data: st.DataObject) -> None:
    """One row of answers, changes, receipts or the audit itself is enough."""
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


def test_what_was_altered_is_not_vouched_for_by_the_next_merge(
    lived_once: Lived, tmp_path: Path
) -> None:
    """A correction is altered, then passed on by a merge: it goes on to be wrong."""
    home = copy_home(lived_once.home, tmp_path / "home")
    with open_services(Settings(home=home, profile="stub")) as services:
        with services.sessions() as session:
            row = session.scalars(select(Change).where(Change.kind == "undo")).first()
            assert row
        with closing(sqlite3.connect(home / "lawful.db")) as file, file:
            wanted = "UPDATE changes SET reason = 'forged' WHERE id = ?"
            file.execute(wanted, [row.id.hex])
        with services.sessions.begin() as session:
            chain.amended(session, Change, [row.id])
        told = verify(services.sessions, lambda *_: None).told
    assert told == [f"change {row.id} does not say what was recorded"]


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


def test_the_end_alone_can_be_verified(lived: Database) -> None:
    """From an entry on: what is before it is taken as it is."""
    everything = found(lived)
    end = found(lived, since=everything.entries - 1)

    assert (end.entries, end.told) == (2, [])
    assert sum(end.rows.values()) < sum(everything.rows.values())


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


def test_the_command_line(lived_once: Lived, tmp_path: Path) -> None:
    """List, verify, head and export, and what they say of a forged answer."""
    home = copy_home(lived_once.home, tmp_path / "home")
    make_development_chain(tmp_path, days=2)
    keys = {"sign_cert": str(tmp_path / "chain.pem"), "sign_key": str(tmp_path / "key.pem")}
    head = str(tmp_path / "head.jws")
    listed = lawful(home, "audit", "list", "--action", "withdraw", "--json")
    assert json.loads(listed.stdout)["object"].startswith("withdrawal:")
    assert "no key to sign with" in lawful(home, "audit", "head").stderr

    made = lawful(home, "audit", "head", "--output", head, **keys)
    assert made.returncode == 0, made.stderr
    again = lawful(home, "audit", "verify", "--head", head)
    assert (again.returncode, "nothing was altered" in again.stdout) == (0, True), again.stderr
    out = lawful(home, "audit", "export", "--since", "2").stdout.splitlines()
    assert [json.loads(line)["sequence"] for line in out] == list(range(2, len(out) + 2))

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
    home = copy_home(lived_once.home, tmp_path / "home")
    with local_client(create_app(Settings(home=home, profile="stub"))) as client:
        page = client.get("/v1/audit", params={"limit": 3}).json()
        older = client.get("/v1/audit", params={"limit": 3, "cursor": page["next"]}).json()
        lookups = client.get("/v1/audit", params={"object": f"attribution:{lived_once.answer}"})
        assert client.get("/v1/audit", params={"cursor": "x"}).status_code == 422
    numbers = [one["sequence"] for one in page["items"] + older["items"]]
    assert numbers == list(range(numbers[0], numbers[0] - 6, -1))
    assert [one["action"] for one in lookups.json()["items"]] == ["report", "lookup"]
