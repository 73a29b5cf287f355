"""Lookups a second over HTTP: `python -m benchmarks.clients DATA [--clients N …]`.

Ingests the works of some artists, starts the API in a process of its own, and has clients ask about
pictures of other artists, each as soon as it was answered; rounds of few and of many take turns.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from threading import Thread

import httpx2
import numpy as np
import psutil

from ingest.sources import read_source

WORKS = 150
PICTURES = 50
ROUND_S = 15.0
START_S = 120.0


def main() -> None:
    """Print lookups a second, and how long they took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tune", action="store_true", help="Run `lawful tune` before.")
    parser.add_argument("--query", default="", help="Of each request, such as thorough=true.")
    chosen = parser.parse_args()
    paths = [item.path for item in islice(read_source(chosen.data), WORKS + PICTURES)]
    pictures = [path.read_bytes() for path in paths[WORKS:]]
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), paths[:WORKS], is_tuned=chosen.tune) as served,
    ):
        url, server = served
        where = f"{url}/v1/attributions?{chosen.query}"
        asked(where, pictures, 2, 5.0)  # loads the models
        found: dict[int, list[list[float]]] = defaultdict(list)
        for _ in range(chosen.rounds):
            for clients in chosen.clients:
                used = sum(server.cpu_times()[:2])
                seconds, refused = asked(where, pictures, clients, ROUND_S)
                used = sum(server.cpu_times()[:2]) - used
                often = 1e3 * np.quantile(seconds, [0.5, 0.95])
                rate = len(seconds) / ROUND_S
                found[clients].append([rate, *often, 1e3 * used / len(seconds), refused])
    for clients, rounds in found.items():
        rate, half, most, used, refused = np.median(rounds, axis=0)
        print(
            f"{clients} clients: {rate:.1f} lookups/s, p50 {half:.0f} ms, p95 {most:.0f} ms, "
            f"{used:.0f} ms of processor time each; {refused:.0f} refused"
        )


def asked(
    where: str, pictures: Sequence[bytes], clients: int, seconds: float
) -> tuple[list[float], int]:
    """Ask for some time; returns how long answers took, and how many requests were refused."""
    took: list[float] = []
    refused: list[int] = []
    end = time.monotonic() + seconds

    def ask(first: int) -> None:
        with httpx2.Client(timeout=120) as client:
            number = first
            while time.monotonic() < end:
                started = time.perf_counter()
                image = {"image": pictures[number % len(pictures)]}
                status = client.post(where, files=image).status_code
                number += clients
                if status == httpx2.codes.CREATED:
                    took.append(time.perf_counter() - started)
                else:
                    refused.append(status)
                    time.sleep(0.5)

    threads = [Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, len(refused)


@contextmanager
def serving(
    home: Path, works: Sequence[Path], *, is_tuned: bool
) -> Iterator[tuple[str, psutil.Process]]:
    """Ingest works and serve them; yields the address, and the process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = home / "works"
    for path in works:
        (own / path.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, own / path.parent.name / path.name)
    limits = {"LAWFUL_RATE_LOOKUPS": "none", "LAWFUL_RATE_WORKS": "none"}
    environment = {**os.environ, **limits, "LAWFUL_HOME": str(home / "home")}
    if is_tuned:
        begun(["tune", str(own)], environment).wait()
    begun(["ingest", str(own)], environment).wait()
    server = begun(["serve", "--port", str(port)], environment)
    url = f"http://127.0.0.1:{port}"
    try:
        wait(url)
        yield url, server
    finally:
        server.terminate()
        server.wait()


def begun(arguments: Sequence[str], environment: Mapping[str, str]) -> psutil.Popen:
    """Start `lawful` with these arguments."""
    command = [sys.executable, "-c", "from api.cli import main; main()", *arguments]
    return psutil.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def wait(url: str) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/readyz").is_success:
                return
        time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {START_S:.0f} s")


if __name__ == "__main__":
    main()
