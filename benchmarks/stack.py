"""The service as deployed, on this machine: `python benchmarks/stack.py DATA`.

PostgreSQL, Redis, index owner, workers and API as real processes (`api.servers.stack`). Ingest with
one and two workers beside the same works in one process; what the queue costs a work; from add to
findable and from withdrawal to silent; many works through two workers, and their memory.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from PIL import Image
from service import copies, distinct

from api.servers.stack import Stack
from attribution.catalogue import queries
from attribution.catalogue.database import connect
from attribution.config import Settings
from attribution.services import open_services
from ingest import pipeline
from ingest.listing import plan
from ingest.sources import read_source

WORKS = 512
ASKED = 30  # adds and withdrawals
DONE = "SELECT count(*) FROM ingest_items WHERE outcome <> 'pending'"


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--many", type=int, default=10_000, help="works through two workers")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o711)  # PostgreSQL runs as another user where this one is root
        works = copies(distinct(chosen.data, WORKS), home / "works")
        for profile in ("starter", "stub"):
            throughput(profile, works, home)
        with stack(home / "service", "starter") as running:
            ingest(running, warm_up(home))
            add_and_withdraw(running)
        many(chosen.many, home)


def stack(home: Path, profile: str, workers: int = 2) -> Stack:
    """Return a stack; one thread a process, so that two workers are two cores."""
    return Stack(
        home, workers=workers, settings={"LAWFUL_PROFILE": profile, "OMP_NUM_THREADS": "1"}
    )


def throughput(profile: str, works: Path, folder: Path) -> None:
    """Compare one process with one and two workers; models are loaded before the clock starts."""
    with open_services(Settings(home=folder / f"{profile}-one", profile=profile)) as services:
        job = plan(services, "p", read_source(works), staged=False)
        with services.sessions() as session:
            keys = queries.open_tasks(session, job)
        services.encoders.encode([Image.new("RGB", (64, 64))])
        started = time.perf_counter()
        for key in keys:
            pipeline.run_batch(services, key, stopping=lambda: False)
        alone = time.perf_counter() - started
    print(f"{profile}: one process {WORKS / alone:.1f} works/s", flush=True)
    for workers in (1, 2):
        with stack(folder / f"{profile}-{workers}", profile, workers) as running:
            ingest(running, warm_up(folder))
            seconds = run_time(running, ingest(running, works))
        print(
            f"{profile}: {workers} workers {WORKS / seconds:.1f} works/s, "
            f"{(seconds * workers - alone) / WORKS * 1e3:+.1f} ms of worker time a work",
            flush=True,
        )


def warm_up(folder: Path) -> Path:
    """Return a small portfolio that gives every worker a batch, so that its models are loaded."""
    source = folder / "warm" / "ann"
    source.mkdir(parents=True, exist_ok=True)
    for n in range(300):
        (source / f"{n}.png").write_bytes(png(n))
    return source.parent


def ingest(running: Stack, source: Path) -> str:
    """Run the client; return the job's id."""
    done = subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-P", "-m", "api.cli", "ingest", str(source), "--json"],
        env=os.environ | running.settings,
        capture_output=True,
        check=False,
        text=True,
    )
    return str(json.loads(done.stdout)["job"])


def run_time(running: Stack, job: str) -> float:
    """Return the seconds from a job's first batch to its end."""
    sql = "SELECT extract(epoch FROM finished_at - started_at) FROM ingest_jobs WHERE id = %s"
    return float(ask(running, sql, (job,))[0][0])


def ask(running: Stack, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """Ask the database."""
    database = connect(running.settings["LAWFUL_DATABASE_URL"])
    try:
        with database.engine.connect() as connection:
            return list(connection.exec_driver_sql(sql, values))
    finally:
        database.dispose()


def add_and_withdraw(running: Stack) -> None:
    """Time single works over HTTP until they are found, and until they are not."""
    added, silent = [], []
    with httpx.Client(base_url=running["api"].url, timeout=60) as client:
        for n in range(ASKED):
            picture = png(10_000 + n)
            started = time.perf_counter()
            sent = client.post(
                "/v1/artworks", files={"file": picture}, data={"artist": f"Artist {n}"}
            ).json()
            while not found(client, picture):
                pass
            added.append(time.perf_counter() - started)
            started = time.perf_counter()
            client.post("/v1/withdrawals", json={"what": sent["id"], "reason": "benchmark"})
            assert not found(client, picture)  # noqa: S101
            silent.append(time.perf_counter() - started)
    for name, times in (("add to findable", added), ("withdrawal to silent", silent)):
        p50, p95 = np.percentile(times, [50, 95])
        print(f"{name}: p50 {p50:.2f} s, p95 {p95:.2f} s (each with a lookup)", flush=True)


def found(client: httpx.Client, picture: bytes) -> bool:
    """Ask whose work a picture is."""
    answer = client.post("/v1/attributions", files={"image": picture}).json()
    return answer["copy_of"] is not None


def many(works: int, folder: Path) -> None:
    """Print how fast so many works pass through two workers, and the memory of the larger one."""
    source = folder / "many" / "ann"
    source.mkdir(parents=True)
    for n in range(works):
        (source / f"{n}.png").write_bytes(png(20_000 + n))
    seen: dict[int, int] = {}
    with stack(folder / "memory", "starter") as running, ThreadPoolExecutor(1) as aside:
        ingest(running, warm_up(folder))
        before = ask(running, DONE)[0][0]
        client = aside.submit(ingest, running, source.parent)
        while not client.done():
            workers = [psutil.Process(running[f"worker-{n}"].pid) for n in (1, 2)]
            held = [one.memory_info().rss for own in workers for one in own.children()]
            seen[ask(running, DONE)[0][0] - before] = max(held, default=0)
            time.sleep(2)
        seconds = run_time(running, client.result())
    print(f"{works} works by two workers: {works / seconds:.1f} works/s")
    for share in (0.1, 0.5, 1.0):
        at = max(done for done in seen if done <= works * share)
        print(f"memory of a worker after {at} works: {seen[at] / 2**20:.0f} MiB")


def png(seed: int) -> bytes:
    """Return a picture of coarse coloured squares."""
    grid = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grid).resize((200, 200), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    main()
