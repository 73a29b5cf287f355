"""The lookup of works near a perceptual hash: certain, ordered and bounded at any size."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import Engine, create_engine, text

from attribution.catalogue import lifecycle, queries
from attribution.catalogue.database import Database, Sessions
from attribution.catalogue.models import CopySketch
from attribution.catalogue.queries import KeptSketch, NewArtwork
from attribution.catalogue.queries.near_hashes import (
    CERTAIN_BITS,
    NEAR_BITS,
    THIRDS,
    hash_columns,
    parts_near_hash,
)
from attribution.catalogue.queries.sketches import forget_sketches
from attribution.types import Part
from tests.databases import planned

Hashes = npt.NDArray[np.uint64]

MILLION = 1_000_000
CLUMP = 100_000  # works of one hash among them
POSITIONS = 8
COLUMNS = "artwork_id, part, box, phash, data, bits, third_0, third_1, third_2"


def altered(rng: np.random.Generator, hashes: Hashes, bits: int) -> Hashes:
    """Flip at most so many bits of every hash."""
    flips = np.uint64(1) << rng.integers(0, 64, (len(hashes), bits), np.uint64)
    changed: Hashes = hashes ^ np.bitwise_or.reduce(flips, axis=1, initial=np.uint64(0))
    return changed


def distances(kept: Hashes, asked: Hashes) -> list[int]:
    """Compare every hash that is kept with all that are asked for; the least counts."""
    least = np.min([np.bitwise_count(kept ^ one) for one in asked], axis=0)
    return [int(bits) for bits in least]


def hexadecimal(hashes: Hashes) -> list[str]:
    """Spell hashes as the catalogue does."""
    return [f"{int(one):016x}" for one in hashes]


def keep(database: Database, hashes: Hashes, *, works: int) -> list[Part]:
    """Keep sketches with these hashes, dealt to the parts of some works; return the parts."""
    with database.sessions.begin() as session:
        artist = queries.get_or_create_artist(session, "Ann")
        shas = [f"{number:064x}" for number in range(works)]
        rows = queries.add_artworks(session, [NewArtwork(artist.id, s, s, "0" * 16) for s in shas])
        ids = [rows[sha].id for sha in shas]
        lifecycle.become_indexed(session, ids)
        parts = [Part(ids[n % works], n // works) for n in range(len(hashes))]
        kept = map(KeptSketch, hexadecimal(hashes), [b""] * len(hashes))
        queries.keep_sketches(session, dict(zip(parts, kept, strict=True)))
    return parts


@pytest.mark.parametrize("spread", [64, 6, 1], ids=["random", "clumps", "tight clumps"])
def test_the_answer_is_that_of_brute_force(database: Database, spread: int) -> None:
    """On both engines all within CERTAIN_BITS come, the nearest first, then by hash and id."""
    rng = np.random.default_rng(spread)
    centres = rng.integers(0, 2**64, 12, np.uint64)
    hashes = altered(rng, rng.choice(centres, 1_500), spread)
    parts = keep(database, hashes, works=30)

    with database.sessions() as session:
        for number in range(12):
            own = rng.choice(np.concatenate([hashes, centres]), 1)
            others = rng.integers(0, 2**64, POSITIONS - 1, np.uint64)
            asked = np.concatenate([altered(rng, own, number % 7), others])
            far = distances(hashes, asked)
            ordered = sorted(zip(far, hashes.tolist(), parts, strict=True))
            certain = [part for bits, _, part in ordered if bits <= CERTAIN_BITS]
            near = {part for bits, _, part in ordered if bits <= NEAR_BITS}

            found = parts_near_hash(session, hexadecimal(asked), limit=2_000)
            few = parts_near_hash(session, hexadecimal(asked), limit=6)

            assert found[: len(certain)] == certain
            assert set(found) <= near
            assert few == found[:6]


def test_every_pattern_of_five_bits_is_certain() -> None:
    """Whichever five bits differ, one of the thirds differs in at most one; all bits are dealt."""
    assert THIRDS[0] | THIRDS[1] | THIRDS[2] == 2**64 - 1
    assert sum(third.bit_count() for third in THIRDS) == 64
    assert 2 * len(THIRDS) - 1 == CERTAIN_BITS


def test_nothing_asked_or_kept_is_nothing_found(database: Database) -> None:
    """No hash, no answer; an empty catalogue has none either."""
    with database.sessions() as session:
        assert parts_near_hash(session, [], limit=6) == []
        assert parts_near_hash(session, ["0" * 16], limit=6) == []


def test_a_forgotten_sketch_is_not_found(database: Database) -> None:
    """It is gone in the transaction that forgets it; others of its hash stay."""
    first, second = keep(database, np.zeros(2, np.uint64), works=2)
    with database.sessions.begin() as session:
        assert parts_near_hash(session, ["0" * 15 + "1"], limit=6) == sorted([first, second])
        forget_sketches(session, [first.work])

        assert parts_near_hash(session, ["0" * 15 + "1"], limit=6) == [second]


def test_plans_read_an_index_alone(database: Database) -> None:
    """Neither engine reads the table, in which the sketches are, or sorts."""
    keep(database, np.arange(500, dtype=np.uint64), works=50)
    is_sqlite = database.is_file
    if not is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
            one.execute(text("VACUUM ANALYZE copy_sketches"))
    with planned(database) as (session, plans):
        assert parts_near_hash(session, ["0" * 16], limit=6)

    steps = [step for plan in plans for step in plan]
    of_sketches = [line for line in steps if "copy_sketches" in line]
    assert len(of_sketches) >= 3 * 2 + 1  # two a walk, and one or more for the parts
    wanted = "USING COVERING INDEX ix_copy_sketches" if is_sqlite else "Index Only Scan using ix"
    assert all(wanted in line for line in of_sketches), of_sketches
    assert not [line for line in steps if "Sort" in line or "TEMP B-TREE" in line]


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Hashes]]:
    """Make a million sketches in bulk, a tenth of them of one hash; works are not needed."""
    rng = np.random.default_rng(7)
    hashes = rng.integers(0, 2**64, MILLION, np.uint64)
    hashes[rng.permutation(MILLION)[:CLUMP]] = hashes[0]
    path = tmp_path_factory.mktemp("million") / "lawful.db"
    engine = create_engine(f"sqlite:///{path}")
    table = CopySketch.metadata.tables["copy_sketches"]
    indexes = sorted(table.indexes, key=lambda one: str(one.name))
    with engine.begin() as connection:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = MEMORY"):
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        table.create(connection)
        for index in indexes:
            index.drop(connection)
        masks = [hash_columns(f"{third:x}")["bits"] for third in THIRDS]
        thirds = "?2 & {}, ?2 & {}, ?2 & {}".format(*masks)
        connection.connection.executemany(
            f"INSERT INTO copy_sketches ({COLUMNS}) VALUES (?1, 0, '', '', '', ?2, {thirds})",  # noqa: S608 - numbers alone
            zip(map("{:032x}".format, range(MILLION)), hashes.view(np.int64).tolist(), strict=True),
        )
        for index in indexes:
            index.create(connection)
    yield engine, hashes
    engine.dispose()
    path.unlink()  # pytest would keep 240 MB


def test_an_identical_hash_is_always_found_among_a_million(
    million: tuple[Engine, Hashes],
) -> None:
    """So is one that differs in five bits; of a clump the first ids come."""
    engine, hashes = million
    rng = np.random.default_rng(8)
    with Sessions(engine)() as session:
        for number, row in enumerate(rng.integers(0, MILLION, 150).tolist()):
            bits = CERTAIN_BITS * (number % 2)
            asked = rng.integers(0, 2**64, POSITIONS, np.uint64)
            asked[number % POSITIONS] = altered(rng, hashes[row : row + 1], bits)[0]
            found = parts_near_hash(session, hexadecimal(asked), limit=6)

            assert found[0].work == UUID(int=int(np.flatnonzero(hashes == hashes[row])[0]))
            if number < 10:  # brute force takes its time
                near = np.flatnonzero(np.array(distances(hashes, asked)) <= CERTAIN_BITS)[:6]
                assert [part.work.int for part in found][: len(near)] == near.tolist()


def test_a_clump_costs_no_more_than_one_hash(million: tuple[Engine, Hashes]) -> None:
    """Beside 100,000 works of one hash a lookup takes as many steps as elsewhere."""
    engine, hashes = million
    lone = next(one for one in hashes if one != hashes[0])
    steps = []
    with Sessions(engine)() as session:
        raw = session.connection().connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        for own in (lone, hashes[0]):
            counted: list[None] = []
            raw.set_progress_handler(partial(counted.append, None), 100)
            asked = hexadecimal(np.array([own ^ np.uint64(3)]))
            assert parts_near_hash(session, asked, limit=6)
            steps.append(len(counted))
        raw.set_progress_handler(None, 0)

    assert steps[1] < 1.5 * steps[0]


def test_columns_are_signed() -> None:
    """Databases keep 64 bits with a sign; the thirds of a hash add up to it."""
    columns = hash_columns("f" * 16)

    assert columns.pop("bits") == -1
    assert sum(value % 2**64 for value in columns.values()) == 2**64 - 1
