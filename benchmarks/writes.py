"""The classifier under writes: `python benchmarks/writes.py --artists 10000`.

On a PostgreSQL server of its own, with random vectors: what counting works along adds to the log of
the database, and how long the classifier takes to answer while another process adds works. Prints
bytes a work, then milliseconds of the answers and the memory of the process that gave them.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from uuid import UUID

import numpy as np
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from api.servers.local_servers import running_postgres
from attribution.arithmetic.classifier import Statistics
from attribution.catalogue import lifecycle, queries, sums
from attribution.catalogue.database import connect
from attribution.catalogue.models import Artist, artwork_id
from attribution.catalogue.queries import NewArtwork
from attribution.voters.classifier import ClassifierSeat
from attribution.voters.voter import Question

DIMS = {"clip": 384, "clip_style": 384, "palette": 125, "vae_style": 78}  # of `starter`
ENCODERS = "f" * 64
EACH = 5  # works of an artist
BATCH = 32  # works of one write
BATCHES = 320  # writes of which the bytes are counted
PAUSE_S = 0.2  # between two lookups


def main() -> None:
    """Fill a database, write to it alone, then write and ask at once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artists", type=int, default=10_000)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--works-a-second", type=int, default=32)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with running_postgres(Path(folder) / "postgres") as server:
            database = connect(server.url)
            database.upgrade()
            fill(database.sessions, asked.artists)
            print(f"counted along: {written(database.engine, database.sessions):.0f} bytes a work")
            pause = BATCH / asked.works_a_second
            writer = multiprocessing.get_context("spawn").Process(
                target=write, args=(server.url, asked.artists, pause), daemon=True
            )
            writer.start()
            answer(database.sessions, asked.seconds)
            writer.terminate()
            writer.join()
            database.dispose()


def fill(sessions: sessionmaker[Session], artists: int) -> None:
    """Register artists, with the sums of their works."""
    rng = np.random.default_rng(1)
    with sessions.begin() as session:
        queries.add_collection(
            session,
            profile="starter",
            fingerprint=ENCODERS,
            dims=DIMS,
            lanes=dict.fromkeys(DIMS, "content"),
            live=True,
        )
        for number in range(artists):
            name = f"artist {number:06}"
            one = UUID(int=number + 1)
            session.add(Artist(id=one, slug=f"a{number}", name=name, folded=name, turned=name))
        session.flush()
        for start in range(0, artists, 1_000):
            few = [UUID(int=n + 1) for n in range(start, min(start + 1_000, artists))]
            made = Statistics.of(few * EACH, rows(rng, EACH * len(few)))
            sums.change_statistics(session, ENCODERS, made, by=1)


def written(engine: Engine, sessions: sessionmaker[Session]) -> float:
    """Return by how many bytes a work the log of the database grows as works are counted."""
    size = 0
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        position = text("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
        for works in itertools.islice(batches(sessions, artists=4, seed=2), BATCHES):
            before = int(connection.scalar(position) or 0)
            with sessions.begin() as session:
                lifecycle.become_indexed(session, works)
            size += int(connection.scalar(position) or 0) - before
    return size / (BATCH * BATCHES)


def write(url: str, artists: int, pause: float) -> None:
    """Add works until the process is ended."""
    database = connect(url)
    for works in batches(database.sessions, artists=artists, seed=3):
        with database.sessions.begin() as session:
            lifecycle.become_indexed(session, works)
        time.sleep(pause)


def batches(sessions: sessionmaker[Session], *, artists: int, seed: int) -> Iterator[list[UUID]]:
    """Yield works of a few artists that are registered, have vectors, and are not counted yet."""
    rng = np.random.default_rng(seed)
    for number in itertools.count():
        hashes = [hashlib.sha256(f"{seed} {number} {n}".encode()).hexdigest() for n in range(BATCH)]
        owners = [UUID(int=int(one) + 1) for one in rng.integers(artists, size=4)] * (BATCH // 4)
        new = [NewArtwork(owner, h, h, "0" * 16) for owner, h in zip(owners, hashes, strict=True)]
        works = [artwork_id(digest) for digest in hashes]
        with sessions.begin() as session:
            queries.add_artworks(session, new)
            vectors = [parts(row) for row in rows(rng, BATCH)]
            queries.keep_vectors(session, ENCODERS, dict(zip(works, vectors, strict=True)))
        yield works


def answer(sessions: sessionmaker[Session], seconds: int) -> None:
    """Ask the classifier again and again, and print how long it took."""
    rng, took = np.random.default_rng(4), []
    seat = ClassifierSeat(sessions, ENCODERS, DIMS)
    seat.current()  # the first one of a process is waited for
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        question = Question(parts(rows(rng, 1)[0]), {}, {}, {})
        started = time.perf_counter()
        voter = seat.current()
        if voter is None:
            raise SystemExit("nothing to ask")
        voter.shares(question)
        took.append(1_000 * (time.perf_counter() - started))
        time.sleep(PAUSE_S)
    middle, most, worst = np.percentile(took, [50, 95, 100])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{len(took)} answers: p50 {middle:.1f} ms, p95 {most:.1f} ms, longest {worst:.0f} ms; "
        f"peak {peak:.0f} MiB"
    )


def rows(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return random works: a unit vector in each space."""
    made = [rng.normal(size=(count, DIMS[name])) for name in sorted(DIMS)]
    unit = [part / np.linalg.norm(part, axis=1, keepdims=True) for part in made]
    return np.concatenate(unit, axis=1).astype(np.float32)


def parts(row: np.ndarray) -> Mapping[str, np.ndarray]:
    """Split one row into its spaces."""
    ends = np.cumsum([DIMS[name] for name in sorted(DIMS)])[:-1]
    return dict(zip(sorted(DIMS), np.split(row, ends), strict=True))


if __name__ == "__main__":
    main()
