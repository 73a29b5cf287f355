"""Peers by turns: each in a process of its own, one round of each after the other."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

Work = Callable[[], Mapping[str, float]]  # one round; what it found out beside its duration
PACKAGES = [
    "torch",
    "open-clip-torch",
    "diffusers",
    "sentence-transformers",
    "qdrant-client",
    "qdrant-edge-py",
    "faiss-cpu",
    "usearch",
    "openvino",
]


@dataclass(frozen=True)
class Peer:
    """Somebody who does the same work; `prepare` makes it in the peer's own process."""

    name: str
    prepare: Callable[..., Work]
    given: tuple[Any, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return what every comparison is told."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help="A folder of images.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="Write all figures into this file.")
    return parser


def by_turns(peers: Sequence[Peer], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Return every round of every peer: seconds, seconds of processor time, and what it found.

    A first round of each warms up and is not counted. Peak memory, in MiB, is of the whole process
    so far, with what it has loaded.
    """
    context = multiprocessing.get_context("spawn")
    running = {}
    for peer in peers:
        here, there = context.Pipe()
        before = dict(os.environ)
        os.environ.update(peer.environment)  # read at the import of torch
        process = context.Process(target=_serve, args=(there, peer), daemon=False)
        process.start()
        os.environ.clear()
        os.environ.update(before)
        there.close()  # so that the end of a process is heard
        running[peer.name] = (process, here)
        here.recv()  # prepared: alone on the machine, and warm
    found: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in peers}
    for number in range(rounds):
        shift = number % len(peers)  # nobody is always behind the same
        for peer in [*peers[shift:], *peers[:shift]]:
            _, here = running[peer.name]
            here.send("go on")
            found[peer.name].append(here.recv())
    for process, here in running.values():
        here.close()
        process.join()
    return found


def _serve(there: Connection, peer: Peer) -> None:
    work = peer.prepare(*peer.given)
    work()
    there.send("prepared")
    while _goes_on(there):
        used, started = _processor_s(), time.perf_counter()
        more = work()
        seconds, used = time.perf_counter() - started, _processor_s() - used
        there.send({"seconds": seconds, "processor_s": used, "peak_mib": _peak()} | more)


def _goes_on(there: Connection) -> bool:
    try:
        there.recv()
    except EOFError:  # no more rounds
        return False
    return True


def _processor_s() -> float:
    both = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in both)


def _peak() -> float:
    # What getrusage says of a process itself begins with the size of who started it.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    own = int(status.split("VmHWM:")[1].split()[0])
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) / 1024


def table(found: Mapping[str, Sequence[Mapping[str, float]]], of: float, what: str) -> str:
    """Return a table in Markdown: `of` things a round; ratios are to the first peer, by rounds."""
    (first, *_) = found.values()
    lines = [
        (
            f"| | {what}/s, median (lowest to highest) | ratio, median "
            "| ms of processor each | peak, MiB |"
        ),
        "|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        rates = of / np.array([one["seconds"] for one in rounds])
        times = [a["seconds"] / b["seconds"] for a, b in zip(first, rounds, strict=True)]
        used = np.median([one["processor_s"] for one in rounds]) / of * 1e3
        lines.append(
            f"| {name} | {np.median(rates):.1f} ({rates.min():.1f} to {rates.max():.1f}) "
            f"| {np.median(times):.2f} | {used:.1f} | {rounds[-1]['peak_mib']:,.0f} |"
        )
    return "\n".join(lines)


def keep(path: Path | None, said: Mapping[str, Any]) -> None:
    """Write the figures with the machine that they are of, where a file was named."""
    if path is None:
        return
    whole = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **machine(), **said}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")


def machine() -> dict[str, Any]:
    """Describe this machine and the packages that were compared."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    facts = dict(line.split("\t: ", 1) for line in lines if "\t: " in line)
    flags = {flag for flag in facts.get("flags", "").split() if flag.startswith(("amx", "avx512"))}
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except ImportError:
            continue
    return {
        "processor": next((facts[key] for key in facts if key.startswith("model name")), "unknown"),
        "cores": os.cpu_count(),
        "flags": sorted(flags),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "versions": versions,
    }
