"""Latency of the lookup by perceptual hash: `python benchmarks/near_hashes.py [--postgres]`.

Fills `copy_sketches` with hashes that are spread evenly, with a tenth of the works of one hash and
with hashes as unevenly spread as those of clip art, then asks for eight hashes at once, as the copy
lane does: half of the lookups are for a registered hash with five bits changed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import Connection, text

from api.servers.local_servers import running_postgres
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import CopySketch
from attribution.catalogue.queries.near_hashes import CERTAIN_BITS, THIRDS, parts_near_hash

Hashes = npt.NDArray[np.uint64]

POSITIONS = 8
MOST = 6  # parts that are asked for, as by the copy lane
LOOKUPS = 200
AT_ONCE = 1_000_000
CENTRES, CHANGED = 300, 0.1  # so a million works have a thousand to walk, as clip art does


def main() -> None:
    """Print a line for each size and kind of catalogue."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--postgres", action="store_true", help="a server instead of a file")
    chosen = parser.parse_args()
    print(
        "| works | hashes | p50 | p95 | CPU p50 | CPU p95 | found |\n|---|---|---|---|---|---|---|"
    )
    for works in chosen.works:
        for kind in chosen.kinds:
            rng = np.random.default_rng(works)
            hashes = KINDS[kind](rng, works)
            with opened(is_server=chosen.postgres) as database:
                fill(database, hashes)
                cells = [f"{works:,}", kind, *measure(database, hashes, rng)]
                print("|", " | ".join(cells), "|", flush=True)


def even(rng: np.random.Generator, works: int) -> Hashes:
    """Return hashes without any order."""
    return rng.integers(0, 2**64, works, np.uint64)


def one_clump(rng: np.random.Generator, works: int) -> Hashes:
    """Return hashes of which a tenth are the same."""
    hashes = even(rng, works)
    hashes[: works // 10] = hashes[0]
    return hashes


def uneven(rng: np.random.Generator, works: int) -> Hashes:
    """Return hashes scattered about a few."""
    hashes = rng.choice(even(rng, CENTRES), works)
    for bit in range(64):
        hashes ^= (rng.random(works, np.float32) < CHANGED).astype(np.uint64) << np.uint64(bit)
    return hashes


KINDS = {"even": even, "a tenth the same": one_clump, "uneven": uneven}


@contextmanager
def opened(*, is_server: bool) -> Iterator[Database]:
    """Open an empty database with the tables of this version."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        if is_server:
            with running_postgres(Path(folder) / "postgres") as server:
                database = connect(server.url)
                database.upgrade()
                yield database
                database.dispose()
        else:
            database = connect(f"sqlite:///{Path(folder) / 'lawful.db'}")
            database.upgrade()
            yield database
            database.dispose()


def fill(database: Database, hashes: Hashes) -> None:
    """Write sketches without works and without pictures; indexes are made at the end."""
    table = CopySketch.metadata.tables["copy_sketches"]
    with database.engine.connect() as connection:
        if database.is_file:
            raw = connection.connection.driver_connection
            for pragma in ("foreign_keys", "journal_mode", "synchronous"):
                raw.execute(f"PRAGMA {pragma} = OFF")  # before the transaction begins
        else:
            connection.exec_driver_sql(
                "ALTER TABLE copy_sketches DROP CONSTRAINT fk_copy_sketches_artwork_id_artworks"
            )
        for index in table.indexes:
            index.drop(connection)
        for start in range(0, len(hashes), AT_ONCE):
            write(connection, hashes[start : start + AT_ONCE], start)
        for index in table.indexes:
            index.create(connection)
        connection.commit()
    if not database.is_file:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as one:
            one.exec_driver_sql("VACUUM ANALYZE copy_sketches")


def write(connection: Connection, hashes: Hashes, start: int) -> None:
    """Write the rows of some hashes."""
    masks = (2**64 - 1, *THIRDS)
    columns = [(hashes & np.uint64(mask)).view(np.int64).tolist() for mask in masks]
    ids = (f"{number:032x}" for number in range(start, start + len(hashes)))
    phashes = (f"{bits:016x}" for bits in hashes.tolist())
    raw = connection.connection.driver_connection
    if connection.dialect.name == "sqlite":
        raw.executemany(
            "INSERT INTO copy_sketches (artwork_id, part, box, phash, data, bits, third_0, third_1,"
            " third_2) VALUES (?, 0, '[0, 0, 1, 1]', ?, '', ?, ?, ?, ?)",
            zip(ids, phashes, *columns, strict=True),
        )
    else:
        with raw.cursor().copy(
            "COPY copy_sketches (artwork_id, part, box, phash, data, bits, third_0, third_1,"
            " third_2) FROM STDIN"
        ) as copy:
            for work, phash, *numbers in zip(ids, phashes, *columns, strict=True):
                copy.write_row((work, 0, "[0, 0, 1, 1]", phash, b"", *numbers))


def measure(database: Database, hashes: Hashes, rng: np.random.Generator) -> list[str]:
    """Return the cells of a line."""
    wall, cpu, found = [], [], 0
    with database.sessions() as session:
        server = None
        if not database.is_file:
            server = session.scalar(text("SELECT pg_backend_pid()"))
        parts_near_hash(session, ["0" * 16], limit=MOST)  # compiles the statements
        for number in range(LOOKUPS):
            is_known = number % 2 == 0
            own = rng.choice(hashes, 1) if is_known else even(rng, 1)
            asked = np.concatenate([altered(rng, own), even(rng, POSITIONS - 1)])
            spelt = [f"{bits:016x}" for bits in asked.tolist()]
            started = time.perf_counter(), processor_s(server)
            parts = parts_near_hash(session, spelt, limit=MOST)
            wall.append(1e3 * (time.perf_counter() - started[0]))
            cpu.append(1e3 * (processor_s(server) - started[1]))
            found += is_known and bool(parts)
    times = [f"{np.quantile(one, share):.1f} ms" for one in (wall, cpu) for share in (0.5, 0.95)]
    return [*times, f"{found} of {LOOKUPS // 2}"]


def processor_s(server: int | None) -> float:
    """Return the processor time of this process, and of the server's for this session, if any."""
    own = time.process_time()
    if server is None:
        return own
    return own + int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9


def altered(rng: np.random.Generator, hashes: Hashes) -> Hashes:
    """Flip as many bits of every hash as are certain to be found."""
    flips = np.stack([rng.permutation(64)[:CERTAIN_BITS] for _ in hashes]).astype(np.uint64)
    return hashes ^ np.bitwise_or.reduce(np.uint64(1) << flips, axis=1)


if __name__ == "__main__":
    main()
