"""The history of the tables, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, select, text

from attribution.catalogue import database as database_module
from attribution.catalogue import queries, schema
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import Base, TaskKind, Webhook
from attribution.catalogue.queries import ChangesWanted, Origin, TaskKey
from attribution.errors import BackendUnavailable, SchemaMismatch
from attribution.events import After
from attribution.types import Part
from attribution.upkeep.undoing import put_back
from tests.postgres import fresh_database
from tests.tables import migrate

Tables = dict[str, tuple[dict[str, Any], set[frozenset[str]]]]
FIRST = "g2_20270101_halves"  # of this generation


@pytest.fixture(autouse=True)
def every_migration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each here, in place of what stands in for them elsewhere."""
    monkeypatch.setattr(schema, "upgrade", migrate)


def test_upgrade_makes_the_tables_of_the_models(empty_database: Database) -> None:
    """After an upgrade nothing is left for a next revision to do."""
    empty_database.upgrade()

    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_constraints_are_those_of_the_models(database: Database) -> None:
    """Checks, which Alembic does not compare, exist under the names that the models give."""
    found = inspect(database.engine)
    for name, table in Base.metadata.tables.items():
        wanted = {str(one.name) for one in table.constraints if str(one.name).startswith("ck_")}

        assert {one["name"] for one in found.get_check_constraints(name)} == wanted


def test_downgrade_takes_everything_back(database: Database) -> None:
    """Down to nothing and up again works."""
    with database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "base")

    assert inspect(database.engine).get_table_names() == ["alembic_version"]
    assert database.current_revision() is None
    database.upgrade()
    database.check_schema()


def test_artists_lose_and_regain_their_identifiers(database: Database) -> None:
    """On the way back they are empty."""
    with database.sessions.begin() as session:
        queries.get_or_create_artist(session, "Ann")
    with database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261207_tasks")
        (kept,) = connection.execute(text("SELECT identifiers FROM artists")).scalars()

    assert kept in ("{}", {})
    database.upgrade()
    database.check_schema()


def test_upgrade_again_changes_nothing(database: Database) -> None:
    """An upgraded database is left alone."""
    database.upgrade()

    assert database.current_revision() == schema.head_revision()


def test_files_are_named_for_their_revisions() -> None:
    """So that the newest is known by its name, without Alembic."""
    scripts = ScriptDirectory.from_config(schema.configuration())

    assert {one.revision for one in scripts.walk_revisions()} == set(schema.revisions())
    assert scripts.get_current_head() == schema.head_revision()


def test_upgrades_at_the_same_time_wait(database_url: str) -> None:
    """Two processes that start together on an empty database both come up."""
    databases = [connect(database_url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(Database.upgrade, databases))

    for one in databases:
        one.check_schema()
        one.dispose()


def test_newer_database_is_refused(database: Database) -> None:
    """The error names both revisions and the way out, on upgrade and on check."""
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'g9_future'"))

    for use in (database.upgrade, database.check_schema):
        with pytest.raises(SchemaMismatch, match="g9_future") as caught:
            use()
        assert schema.head_revision() in str(caught.value)
        assert "Upgrade lawful-diffusion" in str(caught.value)


def test_a_newer_database_of_the_same_generation_is_used(database: Database) -> None:
    """As it is: an upgrade leaves it alone."""
    future = f"g{schema.generation(schema.head_revision())}_future"
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": future})

    database.upgrade()
    database.check_schema()

    assert database.current_revision() == future


def test_revisions_of_a_generation_only_add(database: Database) -> None:
    """What an earlier program writes is taken, and what it reads is there."""
    assert schema.generation(FIRST) == schema.generation(schema.head_revision())
    newer = _seen(database)
    with database.migrating() as connection:
        command.downgrade(schema.configuration(connection), FIRST)
    older = _seen(database)

    assert _broken(older, newer) == []


@pytest.mark.parametrize(
    "altered",
    [
        "ALTER TABLE claims DROP COLUMN path",
        "ALTER TABLE claims RENAME COLUMN path TO place",
        "ALTER TABLE claims ADD COLUMN more INTEGER NOT NULL",
        "CREATE UNIQUE INDEX once ON claims (path)",
        "DROP TABLE claims",
    ],
)
def test_a_revision_that_does_more_is_noticed(database: Database, altered: str) -> None:
    """It takes away, renames, or asks more of what is written."""
    older = _seen(database)
    with database.migrating() as connection:
        if database.is_file and "NOT NULL" in altered:  # which SQLite takes with a default alone
            connection.execute(text("DROP TABLE claims"))
            altered = "CREATE TABLE claims (more INTEGER NOT NULL)"
        connection.execute(text(altered))

    assert _broken(older, _seen(database)) == ["claims"]


def _broken(older: Tables, newer: Tables) -> list[str]:
    """Return the tables that a program of before cannot go on with."""
    broken = []
    for table, (columns, rules) in older.items():
        there, then = newer.get(table, ({}, set()))
        is_there = {name: there.get(name) for name in columns} == columns
        added = [there[one] for one in there.keys() - columns.keys()]
        can_write = all(can_be_left_out for _, can_be_left_out in added)
        stricter = {one for one in then - rules if not one.isdisjoint(columns)}
        if not is_there or not can_write or stricter:
            broken.append(table)
    return broken


def _seen(database: Database) -> Tables:
    """Return of each table its columns, with types and whether a writer may leave them out.

    And the words of each rule that rows have to keep to.
    """
    found, seen = inspect(database.engine), {}
    for table in found.get_table_names():
        columns = {
            one["name"]: (str(one["type"]), one["nullable"] or one["default"] is not None)
            for one in found.get_columns(table)
        }
        indexes = [one for one in found.get_indexes(table) if one["unique"]]
        unique = [one["column_names"] for one in found.get_unique_constraints(table)]
        unique += [[str(name) for name in one["column_names"]] for one in indexes]
        checks = [re.findall(r"\w+", one["sqltext"]) for one in found.get_check_constraints(table)]
        seen[table] = columns, {frozenset(one) for one in (*unique, *checks)}
    return seen


def test_database_without_tables_fails_the_check(empty_database: Database) -> None:
    """A check does not create anything; it says what to do."""
    with pytest.raises(SchemaMismatch, match=f"needs {schema.head_revision()}"):
        empty_database.check_schema()


def test_failed_upgrade_leaves_nothing_behind(empty_database: Database) -> None:
    """A revision runs as a whole or not at all."""

    def fail(connection: Connection) -> None:
        schema.upgrade(connection, "here")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), empty_database.migrating() as connection:
        fail(connection)

    assert inspect(empty_database.engine).get_table_names() == []


def test_alembic_check_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The developers' `alembic upgrade head` and `alembic check` use the settings' database."""
    monkeypatch.setenv("LAWFUL_HOME", str(tmp_path / "new"))
    monkeypatch.delenv("LAWFUL_DATABASE_URL", raising=False)
    config = schema.configuration()

    command.upgrade(config, "head")
    command.check(config)  # raises where models and tables differ

    assert (tmp_path / "new" / "lawful.db").exists()


def test_a_migration_does_not_wait_for_ever(postgres: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a table that another transaction holds it gives up, says so, and changes nothing."""
    monkeypatch.setattr(database_module, "LOCK_TIMEOUT_S", 1)
    with fresh_database(postgres) as url:
        database, other = connect(url), connect(url)
        with database.migrating() as connection:
            command.upgrade(schema.configuration(connection), "20261124_initial")
        with other.engine.begin() as holding:
            holding.execute(text("LOCK TABLE artworks IN ACCESS SHARE MODE"))
            with pytest.raises(BackendUnavailable, match="lock timeout"):
                database.upgrade()
        assert database.current_revision() == "20261124_initial"
        database.upgrade()
        database.check_schema()
        for one in (database, other):
            one.dispose()


def test_unfinished_jobs_and_counts_survive_the_upgrade(empty_database: Database) -> None:
    """What an earlier version left half done goes on, and works are counted on their artists."""
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261124_initial")
        for statement in OF_AN_EARLIER_VERSION.split(";"):
            connection.execute(text(statement))

    empty_database.upgrade()

    with empty_database.sessions() as session:
        (key,) = queries.open_tasks(session)
        batch = queries.task_by_key(session, key)
        assert (key.kind, key.number, batch.first, batch.stop) == ("ingest", 1, 0, 2)
        assert queries.searchable(session) == (1, 1)


def test_licences_that_are_there_get_their_identifiers(empty_database: Database) -> None:
    """Over more than one batch; a text that names none keeps none."""
    works = 1_100
    texts = ("CC BY 4.0", "ask the artist", None)
    row = (
        "INSERT INTO artworks (id, artist_id, sha256, pixel_sha256, phash, tags, licence, "
        "consent_index, consent_display, consent_train, consent_generate, status, facts, rights, "
        "created_at) VALUES (:id, :artist, :sha256, 'b', 'c', '[]', :licence, true, true, false, "
        "false, 'indexed', '{}', '{}', '2026-01-01 00:00:00')"
    )
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261129_generations")
        connection.execute(text(ONE_ARTIST))
        connection.execute(
            text(row),
            [
                {"id": f"{n:032x}", "artist": "2" * 32, "sha256": str(n), "licence": texts[n % 3]}
                for n in range(works)
            ],
        )

    empty_database.upgrade()

    with empty_database.migrating() as connection:
        found = connection.execute(text("SELECT licence, licence_id FROM artworks")).all()
    assert len(found) == works
    assert set(found) == {("CC BY 4.0", "CC-BY-4.0"), ("ask the artist", None), (None, None)}


def test_calibrations_of_an_earlier_version_are_made_again(empty_database: Database) -> None:
    """They lack the weights of the spaces: none is left that an answer could read."""
    row = (
        "INSERT INTO calibrations (fingerprint, made_at, stamp, works, artists, asked, voices, "
        "numbers) VALUES ('f', '2026-01-01 00:00:00', 's', 40, 5, 40, '[\"classifier\"]', "
        "'{\"weights\": [0.5]}')"
    )
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261205_compared_vectors")
        connection.exec_driver_sql(row)

    empty_database.upgrade()

    with empty_database.sessions() as session:
        assert queries.calibration_of(session, "f") is None


def test_hashes_that_are_there_get_their_thirds(empty_database: Database) -> None:
    """Whatever their bits, the sign among them; they become bands again on the way back."""
    rng = np.random.default_rng(1)
    hashes = [f"{int(bits):016x}" for bits in rng.integers(0, 2**64, 50, np.uint64)]
    hashes += ["0" * 16, "f" * 16, "8" + "0" * 15, "7" + "f" * 15, "0" * 15 + "1"]
    bands = [[int(phash[at : at + 4], 16) for at in range(0, 16, 4)] for phash in hashes]
    row = (
        "INSERT INTO copy_sketches (artwork_id, part, box, phash, band_0, band_1, band_2, band_3, "
        "data) VALUES ('33333333333333333333333333333333', :part, '[0, 0, 1, 1]', :phash, "
        ":band_0, :band_1, :band_2, :band_3, :data)"
    )
    rows = [
        {"part": part, "phash": phash, "data": b"x"}
        | {f"band_{number}": band for number, band in enumerate(bands[part])}
        for part, phash in enumerate(hashes)
    ]
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261202_nobody")
        connection.execute(text(ONE_ARTIST))
        connection.execute(text(ONE_WORK))
        connection.execute(text(row), rows)

    empty_database.upgrade()

    with empty_database.sessions() as session:
        for part, phash in enumerate(hashes):
            assert queries.parts_near_hash(session, [phash], limit=1) == [Part(WORK, part)]
    with empty_database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261202_joined_names")
        wanted = text("SELECT band_0, band_1, band_2, band_3 FROM copy_sketches ORDER BY part")
        assert [list(found) for found in connection.execute(wanted)] == bands
    empty_database.upgrade()
    empty_database.check_schema()


def test_declared_non_copies_of_an_earlier_version_hold_on(empty_database: Database) -> None:
    """Nobody knows who made them: they are listed, in the history, and can be revoked."""
    row = (
        "INSERT INTO non_copies (artwork_id, image_sha256, image_phash, created_at) VALUES "
        "('33333333333333333333333333333333', :sha256, '0f0f0f0f0f0f0f0f', '2026-01-02 00:00:00')"
    )
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261202_nobody")
        for statement in (ONE_ARTIST, ONE_WORK):
            connection.execute(text(statement))
        command.upgrade(schema.configuration(connection), "20261203_certain_hashes")
        connection.execute(text(row), [{"sha256": "d" * 64}, {"sha256": "e" * 64}])

    empty_database.upgrade()

    with empty_database.sessions.begin() as session:
        first, second = queries.list_non_copies(session, artwork_id=WORK, in_force=True).items
        assert {one.declared.by for one in (first, second)} == {
            "unknown: declared before this was asked for"
        }
        assert first.declared.made_at == datetime(2026, 1, 2, tzinfo=UTC)
        queries.revoke_non_copy(session, first, Origin("test", "why", "Bob"))
    with empty_database.sessions() as session:
        assert queries.non_copies_in_force(session, [WORK])[WORK][0].id == second.id
        assert queries.list_non_copies(session, in_force=True).items[0].id == second.id
        (revoked,) = queries.list_non_copies(session, in_force=False).items
        assert (revoked.id, revoked.revoked and revoked.revoked.by) == (first.id, "Bob")
        kinds = [
            one.kind for one in queries.list_changes(session, ChangesWanted(artwork_id=WORK)).items
        ]
        assert kinds == ["revoke", "declare", "declare"]
    with empty_database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261203_certain_hashes")
        left = connection.execute(text("SELECT image_sha256 FROM non_copies")).scalars().all()
        assert left == [second.image_sha256]
        assert connection.execute(text("SELECT count(*) FROM changes")).scalar_one() == 0
    empty_database.upgrade()
    empty_database.check_schema()


def test_batches_and_drawings_become_tasks(empty_database: Database) -> None:
    """What waited or ran goes on, with its leases and tries; and so it does on the way back."""
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261206_lanes")
        for statement in WITH_BATCHES_AND_DRAWINGS.split(";"):
            connection.execute(text(statement))
        before = batches_and_drawings(connection)

    empty_database.upgrade()

    job, *drawings = (UUID(str(number) * 32) for number in range(1, 6))
    with empty_database.sessions.begin() as session:
        kinds = {key.subject: key.kind for key in queries.open_tasks(session)}
        assert kinds == {job: "ingest", drawings[0]: "draw", drawings[1]: "draw"}
        batch = queries.task_by_key(session, TaskKey(TaskKind.INGEST, job, 1))
        assert (batch.begun, batch.alone, batch.attempts, batch.deaths) == (4, 2, 3, 0)
        assert (batch.status, batch.error, batch.stop) == ("queued", "away", 9)
        listing = queries.task_by_key(session, TaskKey(TaskKind.LIST, job))
        assert (listing.status, listing.number) == ("done", 0)
        running = queries.task_by_key(session, TaskKey(TaskKind.DRAW, drawings[1]))
        assert (running.status, running.owner, running.attempts) == ("running", "host/1/a", 1)
        states = [
            queries.task_by_key(session, TaskKey(TaskKind.DRAW, one)).status for one in drawings
        ]
        assert states == ["queued", "running", "dead", "queued"]  # the last one is cancelled
    with empty_database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261206_lanes")
        assert batches_and_drawings(connection) == before
    empty_database.upgrade()
    empty_database.check_schema()


def batches_and_drawings(connection: Connection) -> list[tuple[object, ...]]:
    """Return the rows as the version before tasks has them."""
    batches = text(
        "SELECT number, first, stop, begun, alone, status, attempts, owner, lease_until, sent_at, "
        "error FROM ingest_batches ORDER BY number"
    )
    drawings = text(
        "SELECT status, attempts, owner, lease_until, sent_at, error FROM generations ORDER BY id"
    )
    return [
        tuple(row) for statement in (batches, drawings) for row in connection.execute(statement)
    ]


WITH_BATCHES_AND_DRAWINGS = """
INSERT INTO ingest_jobs (id, source, upload, reinstate, allow_freer, names, remarks, status,
  created_at) VALUES ('11111111111111111111111111111111', 'p', '{}', false, false, 'join', '[]',
  'running', '2026-01-01 00:00:00');
INSERT INTO ingest_batches (job_id, number, first, stop, begun, alone, status, attempts, owner,
  lease_until, sent_at, error) VALUES
  ('11111111111111111111111111111111', 0, 0, 0, 0, NULL, 'done', 1, NULL, NULL, NULL, NULL),
  ('11111111111111111111111111111111', 1, 0, 9, 4, 2, 'queued', 3, NULL, NULL,
  '2026-01-01 00:00:01', 'away');
INSERT INTO generations (id, request, status, done, steps, result, attempts, owner, lease_until,
  sent_at, error, created_at) VALUES
  ('22222222222222222222222222222222', '{}', 'queued', 0, 0, '{}', 0, NULL, NULL, NULL, NULL,
  '2026-01-02 00:00:00'),
  ('33333333333333333333333333333333', '{}', 'running', 1, 4, '{}', 1, 'host/1/a',
  '2026-01-03 00:00:30', '2026-01-03 00:00:01', NULL, '2026-01-03 00:00:00'),
  ('44444444444444444444444444444444', '{}', 'failed', 1, 4, '{}', 2, NULL, NULL, NULL, 'a defect',
  '2026-01-04 00:00:00'),
  ('55555555555555555555555555555555', '{}', 'cancelled', 1, 4, '{}', 0, NULL, NULL, NULL, NULL,
  '2026-01-05 00:00:00')
"""


WORK = UUID("3" * 32)
ONE_WORK = """
INSERT INTO artworks (id, artist_id, sha256, pixel_sha256, phash, tags, consent_index,
  consent_display, consent_train, consent_generate, status, facts, rights, created_at) VALUES
  ('33333333333333333333333333333333', '22222222222222222222222222222222', 'a', 'b', 'c', '[]',
  true, true, false, false, 'indexed', '{}', '{}', '2026-01-01 00:00:00')
"""
ONE_ARTIST = """
INSERT INTO artists (id, slug, name, folded, identifiers, works, created_at) VALUES
  ('22222222222222222222222222222222', 'ann', 'Ann', 'ann', '{}', 0, '2026-01-01 00:00:00')
"""
OF_AN_EARLIER_VERSION = """
INSERT INTO artists VALUES
  ('22222222222222222222222222222222', 'ann', 'Ann', 'ann', '{}', '2026-01-01 00:00:00');
INSERT INTO artworks (id, artist_id, sha256, pixel_sha256, phash, tags, consent_index,
  consent_display, consent_train, consent_generate, status, facts, rights, created_at) VALUES
  ('33333333333333333333333333333333', '22222222222222222222222222222222', 'a', 'b', 'c', '[]',
  true, true, false, false, 'indexed', '{}', '{}', '2026-01-01 00:00:00');
INSERT INTO ingest_jobs (id, source, status, created_at) VALUES
  ('11111111111111111111111111111111', 'p', 'running', '2026-01-01 00:00:00');
INSERT INTO ingest_items (job_id, position, path, artist, details, outcome) VALUES
  ('11111111111111111111111111111111', 0, 'p', 'Ann', '{}', 'added'),
  ('11111111111111111111111111111111', 1, 'q', 'Ann', '{}', 'pending')
"""


def test_merges_of_an_earlier_version_keep_their_works(empty_database: Database) -> None:
    """Their list of ids becomes rows, and a list again on the way back; undos are forgotten."""
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261129_generations")
        for statement in WITH_CHANGES.split(";"):
            connection.exec_driver_sql(statement)

    empty_database.upgrade()

    with empty_database.sessions.begin() as session:
        moved, merged = queries.list_changes(session).items
        assert (merged.works, merged.before) == (1, {"slug": "ann", "name": "Ann"})
        assert moved.from_artist_id == merged.from_artist_id
        (work,) = queries.works_of_change(session, merged).items
        made = put_back(session, merged, (), Origin("test"))
        queries.mark_undo(session, made, merged)
        assert (made.artist_id, made.works) == (merged.from_artist_id, 1)
        queries.mark_undo(session, put_back(session, made, (), Origin("test")), made)
    with empty_database.migrating() as connection:
        command.downgrade(schema.configuration(connection), "20261129_generations")
        wanted = text("SELECT before, merged_slug FROM changes WHERE kind = 'merge' ORDER BY 2")
        rows = [tuple(row) for row in connection.execute(wanted)]
        kinds = connection.execute(text("SELECT count(*) FROM changes")).scalar_one()
    before = [json.loads(row[0]) if isinstance(row[0], str) else row[0] for row in rows]
    expected = {"slug": "ann", "name": "Ann", "works": [str(work.id)]}
    assert (before, {row[1] for row in rows}, kinds) == ([expected] * 2, {None, "ann"}, 3)
    empty_database.upgrade()
    empty_database.check_schema()


WITH_CHANGES = """
INSERT INTO artists (id, slug, name, folded, identifiers, works, created_at) VALUES
  ('22222222222222222222222222222222', 'bob', 'Bob', 'bob', '{}', 1, '2026-01-01 00:00:00');
INSERT INTO aliases (name, artist_id) VALUES ('Ann', '22222222222222222222222222222222');
INSERT INTO artworks (id, artist_id, sha256, pixel_sha256, phash, tags, consent_index,
  consent_display, consent_train, consent_generate, status, facts, rights, created_at) VALUES
  ('33333333333333333333333333333333', '22222222222222222222222222222222', 'a', 'b', 'c', '[]',
  true, true, false, false, 'indexed', '{}', '{}', '2026-01-01 00:00:00');
INSERT INTO changes (id, kind, artist_id, artwork_id, origin, made_at, completed_at, before, after,
  merged_slug) VALUES
  ('44444444444444444444444444444444', 'merge', '22222222222222222222222222222222', NULL, 'api',
  '2026-01-02 00:00:00', '2026-01-02 00:00:00',
  '{"slug": "ann", "name": "Ann", "works": ["33333333-3333-3333-3333-333333333333"]}',
  '{"slug": "bob", "name": "Bob"}', 'ann'),
  ('55555555555555555555555555555555', 'move', '22222222222222222222222222222222',
  '33333333333333333333333333333333', 'api', '2026-01-03 00:00:00', '2026-01-03 00:00:00',
  '{"artist": "ann"}', '{"artist": "bob"}', NULL)
"""


def test_answers_of_version_1_are_listed_by_what_they_say_now(empty_database: Database) -> None:
    """What they called a copy and was near-identical is `related`, and a copy on the way back."""
    copies = {
        1: {"match": "perceptual", "kind": "near_identical"},
        2: {"match": "geometric", "kind": None},
        3: {"match": "bytes", "kind": None},
        4: {"match": "perceptual", "kind": "altered_copy"},
    }
    rows = [
        {"id": f"{number:032x}", "answer": json.dumps({"copy_of": copy})}
        for number, copy in copies.items()
    ]
    rows.append({"id": f"{5:032x}", "answer": json.dumps({"version": 2, "copy_of": copies[1]})})
    insert = text(
        "INSERT INTO attributions (id, created_at, image_sha256, verdict, fingerprint, answer) "
        "VALUES (:id, '2026-01-01 00:00:00', 'a', 'copy', 'f', :answer)"
    )
    listed = text("SELECT verdict FROM attributions ORDER BY id")
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261212_replies")
        connection.execute(insert, rows)
        command.upgrade(schema.configuration(connection), "20261214_answers_by_verdict")
        now = connection.execute(listed).scalars().all()
        command.downgrade(schema.configuration(connection), "20261212_replies")
        before = connection.execute(listed).scalars().all()

    assert now == ["related", "related", "copy", "copy", "copy"]
    assert before == ["copy"] * 5


def test_copies_of_an_earlier_version_lead_to_the_original(empty_database: Database) -> None:
    """A cited work is the original where the answer says so."""
    answers = (
        {"copy_of": {"id": str(WORK)}},
        {"copy_of": None},
        {"copy_of": {"id": str(WORK)}},  # related: as verdicts are corrected, an answer is not
        {"copy_of": {"id": str(UUID(int=9))}},
    )
    verdicts = ("copy", "attributed", "related", "copy")
    answer = (
        "INSERT INTO attributions (id, created_at, image_sha256, verdict, fingerprint, answer) "
        "VALUES (:id, '2026-01-01 00:00:00', 'a', :verdict, 'f', :answer)"
    )
    cited = (
        "INSERT INTO cited_works (artwork_id, attribution_id) "
        "VALUES ('33333333333333333333333333333333', :id)"
    )
    rows = [
        {"id": f"{number:032x}", "verdict": verdict, "answer": json.dumps(said)}
        for number, (verdict, said) in enumerate(zip(verdicts, answers, strict=True))
    ]
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261202_nobody")
        connection.execute(text(ONE_ARTIST))
        connection.execute(text(ONE_WORK))
        command.upgrade(schema.configuration(connection), "20261216_webhooks")
        connection.execute(text(answer), rows)
        connection.execute(text(cited), rows)

    empty_database.upgrade()

    with empty_database.sessions() as session:
        found = session.scalars(text("SELECT is_original FROM cited_works ORDER BY attribution_id"))
        assert [bool(one) for one in found] == [True, False, False, False]


def test_webhooks_that_are_there_go_on_to_be_told_at_once(empty_database: Database) -> None:
    """And what the audit says of them goes on to hold."""
    with empty_database.migrating() as connection:
        command.upgrade(schema.configuration(connection), "20261226_watches")
        connection.execute(
            text(
                "INSERT INTO webhooks (id, url, secret, events, artists, created_at, asked_by) "
                "VALUES (:id, 'https://x.org/', 's', '[]', '[]', '2026-01-01 00:00:00', 'me')"
            ),
            {"id": f"{1:032x}"},
        )

    empty_database.upgrade()

    with empty_database.sessions() as session:
        (row,) = session.scalars(select(Webhook)).all()
    assert row.after is After.FOUND


def test_single_lookups_are_forgotten_by_an_earlier_version(empty_database: Database) -> None:
    """Batches stay, with the five artists that they always had."""
    insert = text(
        "INSERT INTO lookup_batches (id, kind, name, artists, asked_by, status, created_at) "
        "VALUES (:id, :kind, 'n', 3, 'me', 'queued', '2026-01-01 00:00:00')"
    )
    rows = [{"id": f"{n:032x}", "kind": kind} for n, kind in enumerate(("image", "works"))]
    empty_database.upgrade()
    with empty_database.migrating() as connection:
        connection.execute(insert, rows)
        command.downgrade(schema.configuration(connection), "20261214_answers_by_verdict")
        command.upgrade(schema.configuration(connection), "20261215_single_lookups")
        left = connection.execute(text("SELECT kind, artists FROM lookup_batches")).all()

    assert [tuple(row) for row in left] == [("works", 5)]
