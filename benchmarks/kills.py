"""SIGKILL for every part of a deployment in turn, under load: `python benchmarks/kills.py`.

PostgreSQL, Redis, index owner, two workers, beat and API as real processes (`api.servers.stack`).
Archives come in over HTTP without end; again and again the next part is killed with all of its
processes while a batch is under way, a worker while it holds one itself, and started again. In the
end every file that was accepted has to be there, once, in both stores; else this fails.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import defaultdict
from itertools import cycle, islice
from pathlib import Path

import httpx
import numpy as np
import psutil
from stack import DONE, ask, png

from api.servers.stack import Stack

PARTS = ("worker-1", "worker-2", "index", "postgres", "redis", "api", "beat")
WORKS = 128  # of an archive
OPEN = 2 * WORKS  # files that wait at least, so that a batch is under way
PATIENCE_S = 300
OWNERS = "SELECT owner FROM tasks WHERE kind = 'ingest' AND status = 'running'"


def main() -> None:
    """Kill, and print how long it took until the part ran again and another file was done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="kills of each part")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o711)  # PostgreSQL runs as another user where this one is root
        settings = {"LAWFUL_PROFILE": "starter", "OMP_NUM_THREADS": "1", "LAWFUL_JOB_LEASE_S": "5"}
        with Stack(home, workers=2, settings=settings) as running:
            load = Load(running)
            load.top_up()
            took = defaultdict(list)
            for part in islice(cycle(PARTS), rounds * len(PARTS)):
                took[part].append(kill(running, part, load))
            load.check()
    for part, seconds in took.items():
        middle, most = np.median(seconds), max(seconds)
        print(f"{part}: {len(seconds)} kills, went on after {middle:.1f} s, at most {most:.1f} s")


class Load:
    """Archives of works that no other has, sent while too little waits."""

    def __init__(self, running: Stack) -> None:
        """Begin with nothing."""
        self._running = running
        self.sent = 0

    def top_up(self) -> None:
        """Send archives until enough waits."""
        while self.sent - done(self._running) < OPEN:
            pack = io.BytesIO()
            with zipfile.ZipFile(pack, "w") as target:
                for number in range(self.sent, self.sent + WORKS):
                    target.writestr(f"artist-{number % 7}/{number}.png", png(number))
            url = f"{self._running['api'].url}/v1/ingest-jobs"
            httpx.post(url, files={"file": pack.getvalue()}, timeout=60).raise_for_status()
            self.sent += WORKS

    def check(self) -> None:
        """Wait for the end of all jobs; raises SystemExit unless all is there, once."""
        running = self._running
        while ask(running, "SELECT 1 FROM ingest_jobs WHERE finished_at IS NULL"):
            time.sleep(1)
        outcomes = dict(ask(running, "SELECT outcome, count(*) FROM ingest_items GROUP BY 1"))
        works = ask(running, "SELECT count(*), count(DISTINCT sha256) FROM artworks")[0]
        tried = ask(running, "SELECT sum(attempts), max(attempts) FROM tasks")[0]
        print(f"{self.sent} sent; {outcomes}; works, distinct: {tuple(works)}; attempts: {tried}")
        for path, reason in ask(
            running, "SELECT path, reason FROM ingest_items WHERE outcome = 'refused'"
        ):
            print(f"refused: {path}: {reason}")
        if outcomes != {"added": self.sent} or set(works) != {self.sent}:
            raise SystemExit("something was lost or doubled")
        command = [sys.executable, "-P", "-m", "api.cli", "reconcile"]
        subprocess.run(command, env=os.environ | running.settings, check=True)  # noqa: S603


def kill(running: Stack, part: str, load: Load) -> float:
    """Kill a part while a batch is under way; return the seconds until all went on."""
    load.top_up()
    deadline = time.monotonic() + PATIENCE_S
    while not under_way(running, part):
        if time.monotonic() > deadline:
            raise SystemExit(f"no batch was under way within {PATIENCE_S} s")
        time.sleep(0.05)
    before = done(running)
    running[part].kill()
    killed = time.monotonic()
    running[part].start()
    while done(running) == before:
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing went on within {PATIENCE_S} s after a kill of {part}")
        time.sleep(0.05)
    return time.monotonic() - killed


def under_way(running: Stack, part: str) -> bool:
    """Whether a worker that lives has a batch in hand; if one is to be killed, itself."""
    holding = {parent(owner) for (owner,) in ask(running, OWNERS)} - {None}
    return running[part].pid in holding if part.startswith("worker") else bool(holding)


def parent(owner: str) -> int | None:
    """Return the worker that started the process which holds a lease."""
    try:
        return psutil.Process(int(owner.split("/")[1])).ppid()
    except psutil.NoSuchProcess:
        return None


def done(running: Stack) -> int:
    """Return how many files have an outcome."""
    return int(ask(running, DONE)[0][0])


if __name__ == "__main__":
    main()
