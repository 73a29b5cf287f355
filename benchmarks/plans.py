"""How PostgreSQL answers the hot statements at a million works: `python benchmarks/plans.py`.

Fills a server of its own with works, artists, answers and the lines of jobs, of a large tenant and
a small one, runs the statements of lists and lookups as the program does, and prints for each what
it scanned and how long that took; of lists, how long they take from the session to the rows.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import event, text
from sqlalchemy.orm import Session

from api.servers.local_servers import running_postgres
from attribution import tenants
from attribution.answers import Verdict
from attribution.catalogue import queries
from attribution.catalogue.database import Database, connect
from attribution.catalogue.models import ArtworkStatus
from attribution.catalogue.queries import AnswersWanted

ARTISTS = 10_000
FILL = """
INSERT INTO artists (tenant, id, slug, name, folded, turned, works, created_at)
SELECT CASE WHEN n <= :of_small THEN 'small' ELSE 'default' END,
  md5('artist' || n)::uuid, 'artist-' || n, 'Artist ' || n, n || ' artist', 'artist ' || n,
  :each, now()
FROM generate_series(1, :artists) n;
INSERT INTO artworks (tenant, id, artist_id, sha256, pixel_sha256, phash, title, tags,
  consent_index, consent_display, consent_train, consent_generate, status, facts, rights,
  created_at, indexed_at)
SELECT CASE WHEN n % :artists < :of_small THEN 'small' ELSE 'default' END,
  md5('work' || n)::uuid, md5('artist' || (n % :artists + 1))::uuid,
  md5('a' || n) || md5('b' || n), md5('c' || n) || md5('d' || n), substr(md5('e' || n), 1, 16),
  'Work ' || n, '["a", "b"]', true, true, false, false,
  CASE WHEN n % 1000 = 0 THEN 'withdrawn' ELSE 'indexed' END, '{"format": "PNG"}', '{}',
  now() - n * interval '1 second', now()
FROM generate_series(1, :works) n;
INSERT INTO ingest_jobs (id, source, upload, reinstate, allow_freer, names, remarks,
  status, created_at)
SELECT md5('job' || n)::uuid, '/p', '{}', false, false, 'join', '[]', 'done',
  now() - n * interval '1 minute'
FROM generate_series(1, 1000) n;
INSERT INTO ingest_items (job_id, position, path, artist, details, outcome, artwork_id)
SELECT md5('job' || (n / 1000 + 1))::uuid, n % 1000, n || '.png', 'Artist', '{}', 'added',
  md5('work' || (n + 1))::uuid
FROM generate_series(0, :works - 1) n;
INSERT INTO tasks (subject, kind, number, first, begun, stop, status, attempts, deaths, created_at)
SELECT md5('job' || n)::uuid, 'ingest', b, b * 128 - 128, b * 128 - 128, b * 128, 'done', 1,
  0, now()
FROM generate_series(1, 1000) n, generate_series(1, 8) b;
INSERT INTO attributions (tenant, id, created_at, image_sha256, verdict, fingerprint, answer)
SELECT CASE WHEN n % :artists < :of_small THEN 'small' ELSE 'default' END, md5('answer' || n)::uuid,
  now() - n * interval '1 second', md5('a' || n) || md5('b' || n),
  (ARRAY['copy', 'related', 'attributed', 'candidates', 'abstain'])[n % 5 + 1], '', '{}'
FROM generate_series(1, :works) n;
INSERT INTO audit_entries (tenant, sequence, at, actor, action, object, details, seal, digest)
SELECT CASE WHEN n % :artists < :of_small THEN 'small' ELSE 'default' END, n,
  now() - (:works - n) * interval '1 second', 'nobody', 'lookup', 'attribution:' || n, '{}',
  '{}', ''
FROM generate_series(1, :works) n;
"""
SMALL = 10  # artists of the small tenant
TIMES = 200  # each list is read


def main() -> None:
    """Print a line a statement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--works", type=int, default=1_000_000)
    works = parser.parse_args().works
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        with running_postgres(Path(folder) / "postgres") as server:
            database = connect(server.url)
            database.upgrade()
            started = time.monotonic()
            fill(database, works)
            print(f"{works} works by {ARTISTS} artists in {time.monotonic() - started:.0f} s\n")
            for name, ask in statements().items():
                explain(database, name, ask)
            for tenant in (tenants.DEFAULT, "small"):
                print(f"\nlists of the tenant {tenant}: median, p95, most")
                with tenants.within(tenant):
                    for name, ask in lists().items():
                        measure(database, name, ask)
            database.dispose()


def fill(database: Database, works: int) -> None:
    """Write the rows, and let the planner know them."""
    values = {"works": works, "artists": ARTISTS, "each": works // ARTISTS, "of_small": SMALL}
    with database.engine.begin() as connection:
        for statement in FILL.split(";\n"):
            if statement.strip():
                used = {k: v for k, v in values.items() if f":{k}" in statement}
                connection.execute(text(statement), used)
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def statements() -> dict[str, Callable[[Session], Any]]:
    """Return what lists and lookups ask, by what it is for."""
    work, artist, job = (named(f"{one}77") for one in ("work", "artist", "job"))
    fifty = [named(f"work{n}") for n in range(1, 151)]
    return {
        "attribute: rows of the neighbours": lambda s: queries.artworks_by_id(
            s, fifty, status=ArtworkStatus.INDEXED
        ),
        "attribute: exact": lambda s: queries.same_image(s, "0" * 64, "0" * 64),
        "attribute, search: what was searched": queries.searchable,
        "list artworks, newest first": queries.list_artworks,
        "list artworks of an artist": lambda s: queries.list_artworks(s, artist_id=artist),
        "list artists": queries.list_artists,
        "artist by slug": lambda s: queries.artist_by_slug(s, "artist-77"),
        "list jobs": queries.list_jobs,
        "files of a job": lambda s: queries.list_items(s, job),
        "progress of a job": lambda s: queries.job_progress(s, job),
        "tasks that wait": queries.open_tasks,
        "reconcile: a page of works": lambda s: queries.indexed_artworks(s, after=work, limit=1000),
        "metrics: counts": queries.counts,
    }


def lists() -> dict[str, Callable[[Session], Any]]:
    """Return the first pages of lists, and one of the middle."""
    artist = named("artist7")
    middle = datetime.now(UTC) - timedelta(days=6)
    verdict, until = (AnswersWanted(verdict=Verdict.COPY), AnswersWanted(until=middle))
    return {
        "works": queries.list_artworks,
        "works of an artist": lambda s: queries.list_artworks(s, artist_id=artist),
        "artists": queries.list_artists,
        "answers": queries.list_attributions,
        "answers by verdict": lambda s: queries.list_attributions(s, verdict),
        "answers until a day": lambda s: queries.list_attributions(s, until),
        "jobs": queries.list_jobs,
        "changes": queries.list_changes,
        "the audit": lambda s: queries.list_entries(s, queries.EntriesWanted()),
    }


def measure(database: Database, name: str, ask: Callable[[Session], Any]) -> None:
    """Read a list often, in a session of its own each time."""
    took: list[float] = []
    for _ in range(TIMES):
        started = time.perf_counter()
        with database.sessions() as session:
            ask(session)
        took.append(1_000 * (time.perf_counter() - started))
    median, often = statistics.median(took), sorted(took)[int(0.95 * TIMES)]
    print(f"  {median:6.1f} {often:6.1f} {max(took):6.1f} ms  {name}")


def named(name: str) -> UUID:
    """Return the id that the rows above have."""
    return UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest())


def explain(database: Database, name: str, ask: Callable[[Session], Any]) -> None:
    """Ask once to warm up, then print plans and times of every statement that was sent."""
    sent: list[tuple[str, Any]] = []

    def note(_c: Any, _k: Any, statement: str, values: Any, *_: Any) -> None:
        sent.append((statement, values))

    with database.sessions() as session:
        ask(session)
        event.listen(database.engine, "before_cursor_execute", note)
        ask(session)
        event.remove(database.engine, "before_cursor_execute", note)
        print(name)
        for statement, values in sent:
            rows = session.connection().exec_driver_sql(
                f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}", values
            )
            plan = [row[0] for row in rows]
            scans = [line.strip(" ->") for line in plan if "Scan" in line]
            took = next(line for line in plan if "Execution Time" in line).split(":")[1]
            print(f"  {took.strip():>12}  {' | '.join(scans)}")


if __name__ == "__main__":
    main()
