"""A whole ingest beside a script of forty lines: `python -m benchmarks.peers.job DATA`.

All begin in a fresh process with an empty home, so imports and loading count; the same without
them is the difference of two sizes. A third is `lawful ingest` on a machine that was tuned.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

import attribution
from benchmarks.peers.turns import Peer, Work, arguments, by_turns, keep, table

STARTER = Path(attribution.__file__).parent / "starter"
SIZES = (32, 352)


def main() -> None:
    """Print works a second of both."""
    parser = arguments(__doc__)
    chosen = parser.parse_args()
    said = {}
    with tempfile.TemporaryDirectory() as folder:
        peers, tuned = [], Path(folder) / "home"
        _lawful(tuned, "tune", str(chosen.data))
        for size in SIZES:
            works = portfolio(chosen.data, Path(folder) / str(size), size)
            peers += [
                Peer(f"script, {size} works", script, (works,)),
                Peer(f"lawful ingest, {size} works", lawful, (works,)),
                Peer(f"lawful ingest, tuned, {size} works", lawful, (works, tuned)),
            ]
        found = by_turns(peers, chosen.rounds)
    for name, rounds in found.items():
        seconds = np.median([one["seconds"] for one in rounds])
        print(f"{name}: {seconds:.1f} s, peak {rounds[-1]['peak_mib']:,.0f} MiB")
    for who in ("script", "lawful ingest", "lawful ingest, tuned"):
        few, many = (found[f"{who}, {size} works"] for size in SIZES)
        said[who] = [
            {key: b[key] - a[key] for key in ("seconds", "processor_s")}
            | {"peak_mib": b["peak_mib"]}
            for a, b in zip(few, many, strict=True)
        ]
    print(table(said, SIZES[1] - SIZES[0], "works"))
    keep(
        chosen.json,
        {"works": SIZES[1] - SIZES[0], "whole": found, "without_start": said},
    )


def portfolio(data: Path, folder: Path, size: int) -> Path:
    """Copy so many works into folders by artist, the same of each size."""
    for path in islice(sorted(data.rglob("*.png")), size):
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def script(works: Path) -> Work:
    """Run the script of forty lines."""
    models = [f"local-dir:{STARTER / 'clip'}", str(STARTER / "vae")]
    file = str(Path(__file__).with_name("script.py"))
    return partial(_in_new_folder, [sys.executable, file, str(works), *models, "{}"])


def lawful(works: Path, tuned: Path | None = None) -> Work:
    """Run `lawful ingest`, perhaps with what `lawful tune` chose in a home."""

    def run() -> Mapping[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            if tuned:
                shutil.copytree(tuned / "tuned", Path(folder) / "tuned")
            _lawful(Path(folder), "ingest", str(works), "--json")
        return {}

    return run


def _lawful(home: Path, *words: str) -> None:
    command = [sys.executable, "-c", "from api.cli import main; main()", *words]
    environment = {**os.environ, "LAWFUL_HOME": str(home)}
    subprocess.run(  # noqa: S603 - our own command
        command, check=True, capture_output=True, env=environment
    )


def _in_new_folder(command: list[str]) -> Mapping[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        full = [folder if word == "{}" else word for word in command]
        subprocess.run(full, check=True, capture_output=True)  # noqa: S603 - our own command
    return {}


if __name__ == "__main__":
    main()
